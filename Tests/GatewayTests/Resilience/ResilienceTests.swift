import Foundation
import Glibc
import Testing

@Suite("Upstream resilience over sockets", .serialized)
struct ResilienceTests {
    private static let background = #"{"model":"sim-paced","background":true}"#

    @Test("state says what is being waited for")
    func states() throws {
        let upstream = try SimulatorThread()
        defer { upstream.stop() }
        let world = try FaultyWorld(primary: upstream.url, upstream: ["retry_delay_max_ms: 1000"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask(
            "m", "Hi [sim:fault=status status=503 retry_after_ms=300 times=1]")
        #expect(end.status == "completed")
        let retrying = try #require(
            client.states.first { $0["state"] as? String == "retrying" })
        #expect(retrying["attempt"] as? Int == 2)
        #expect((retrying["retry_in_ms"] as? Int ?? 0) >= 299)
        #expect(client.states.contains { $0["state"] as? String == "connecting" })
        #expect(
            world.metric("gateway_upstream_retries_total{reason=\"server_error\"}") == 1)
    }

    @Test("a server that does not stream is asked without, once, and answers as if it did")
    func refusesStreams() throws {
        let upstream = try SimulatorThread(fault: "refuse-stream")
        defer { upstream.stop() }
        // The simulator keeps no response that a fault has struck.
        let world = try FaultyWorld(primary: upstream.url, more: "conversation: {state: none}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        for id in ["a", "b"] {
            let end = try client.ask(id, "Hi")
            #expect(end.status == "completed", "\(client.story)")
            #expect(!client.text(of: id).isEmpty)
        }
        #expect(client.text(of: "a") == client.text(of: "b"))
        world.expectNothingLeft()
    }

    @Test(
        "an upstream that streams again is believed, one that refuses is not asked again",
        arguments: [
            // Once a whole response where a stream was asked for, once JSON that is no response at all.
            "whole", "no response",
            // It refuses `stream`, and streams without.
            "refused",
        ])
    func streamsAgain(first: String) throws {
        let upstream = try ScriptedUpstream { request in
            let isStreaming = request.object["stream"] as? Bool == true
            switch request.object["input"] as? String {
            case "whole":
                return .ok(
                    Array(
                        #"{"id":"resp_0","object":"response","status":"completed","output":[]}"#
                            .utf8), type: "application/json")
            case "no response": return .ok(Array("{}".utf8), type: "application/json")
            case "refused" where isStreaming:
                return .status(
                    400, #"{"error":{"message":"No","type":"invalid","param":"stream"}}"#)
            default: return .hello
            }
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(primary: upstream.url, more: "conversation: {state: none}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        _ = try client.ask("first", first)
        for id in ["a", "b"] {
            #expect(try client.ask(id, "Hi").status == "completed", "\(client.story)")
            #expect(client.text(of: id) == "Hello")
        }
        let isAsked = upstream.requests.last?.object["stream"] as? Bool == true
        #expect(isAsked == (first != "refused"))
        if first == "refused" { #expect(upstream.requests.count == 4) }
        world.expectNothingLeft()
    }

    @Test("the breaker answers in milliseconds, shows itself, and lets a probe through")
    func breaker() throws {
        let upstream = try SimulatorThread()
        let url = upstream.url
        upstream.stop()  // Nobody listens there any more.
        let world = try FaultyWorld(
            primary: url,
            breaker: "{unreachable: 3, open_ms: 60000, open_max_ms: 60000}",
            more: "conversation: {state: none}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let first = try client.ask("a", "Hi")
        #expect(first.status == "failed" && first.code == "upstream_connect_refused")
        let times = try (0..<20).map { index in
            let start = ContinuousClock.now
            let next = try client.ask("b\(index)", "Hi")
            #expect(next.code == "upstream_unavailable" && next.isRetryable)
            return ContinuousClock.now - start
        }
        // A busy machine makes some of them late, and not all.
        #expect(try #require(times.min()) < .milliseconds(50), "\(times)")
        #expect(world.metric("gateway_upstream_breaker_state{upstream=\"primary\"}") == 2)
        #expect(
            String(decoding: httpGet(world.port, "/readyz"), as: UTF8.self).contains("upstream"))
    }

    @Test("at the limit responses wait in a bounded queue, and can be cancelled there")
    func queue() throws {
        let upstream = try SimulatorThread()
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url,
            upstream: ["concurrency: 1", "queue: 2", "queue_timeout_ms: 60000"], shards: 2)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("run", "deltas=1000 rate=20", options: #"{"model":"sim-paced"}"#)
        _ = try client.next { $0["type"] as? String == "delta" }
        client.message("waits", "Hi")
        #expect((try client.state("queued", of: "waits")["until_ms"] as? Int ?? 0) > 30_000)
        client.message("cancelled", "Hi")
        _ = try client.state("queued", of: "cancelled")
        let full = try client.ask("full", "Hi")
        #expect(full.code == "upstream_busy")
        client.cancel("cancelled")
        #expect(try client.complete("cancelled").status == "cancelled")
        client.cancel("waits")
        #expect(try client.complete("waits").status == "cancelled")
        let other = try ChatClient(port: world.port)
        other.message("next", "Hi")
        _ = try other.state("queued", of: "next")
        client.cancel("run")
        #expect(try client.complete("run").status == "cancelled")
        #expect(try other.complete("next").status == "completed")
        world.expectNothingLeft()
    }

    @Test("who waits in the queue until its deadline is told so")
    func queueDeadline() throws {
        let upstream = try ScriptedUpstream { _ in
            .ok(ScriptedUpstream.stream(events: 3)).held()
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url,
            upstream: [
                "concurrency: 1", "queue: 1", "queue_timeout_ms: 200",
            ])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("run", "Hi")
        try client.expect("delta")
        client.message("waits", "Hi")
        let wait = try client.state("queued", of: "waits")["until_ms"] as? Int ?? 0
        #expect((1...200).contains(wait))
        let end = try client.complete("waits")
        #expect(end.code == "upstream_queue_timeout" && end.isRetryable, "\(client.story)")
        #expect(upstream.requests.count == 1)
        client.cancel("run")
        #expect(try client.complete("run").status == "cancelled")
        world.expectNothingLeft()
    }

    @Test("cancel while backing off, connecting, waiting, and resuming")
    func cancel() throws {
        let upstream = try SimulatorThread()
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url,
            upstream: [
                "retry_delay_ms: 60000", "retry_delay_max_ms: 60000",
            ])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("off", "Hi [sim:fault=status status=500]")
        _ = try client.state("retrying", of: "off")
        client.cancel("off")
        #expect(try client.complete("off").status == "cancelled")
        client.message("silent", "Hi [sim:fault=silent]")
        _ = try client.state("waiting", of: "silent")
        client.cancel("silent")
        #expect(try client.complete("silent").status == "cancelled")
        client.message(
            "bg", "deltas=1000 rate=50 [sim:fault=cut after=10]", options: Self.background)
        for _ in 0..<30 { _ = try client.next { $0["type"] as? String == "delta" } }
        client.cancel("bg")
        #expect(try client.complete("bg").status == "cancelled")
        #expect(world.metric("gateway_upstream_background_cancels_total") == 1)
        world.expectNothingLeft()
    }

    @Test("a background response goes on in the next process")
    func restart() throws {
        let upstream = try SimulatorThread()
        defer { upstream.stop() }
        let keys = "resume: {token_keys: [\"k:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE\"]}"
        let first = try FaultyWorld(primary: upstream.url, more: keys)
        let client = try ChatClient(port: first.port)
        let before = client.token
        client.message("bg", "deltas=160 rate=40", options: Self.background)
        _ = try client.next { $0["type"] as? String == "delta" }
        #expect(client.token != before, "a token that names what runs")
        first.stop()
        let second = try FaultyWorld(primary: upstream.url, more: keys)
        defer { second.stop() }
        let again = try ChatClient(port: second.port, resume: client.token)
        let end = try again.complete("bg")
        #expect(end.status == "completed", "\(again.story)")
        #expect(again.text(of: "bg").hasPrefix(client.text(of: "bg")))
        #expect(again.text(of: "bg").count > client.text(of: "bg").count)
        second.expectNothingLeft()
    }

    @Test("thousands of faulty responses leave nothing behind")
    func leaks() throws {
        let count =
            ProcessInfo.processInfo.environment["MILLRACE_FAULTY_RESPONSES"].flatMap { Int($0) }
            ?? 1_000
        let upstream = try SimulatorThread()
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url, more: "replay: {retention_s: 0}", shards: 1)
        defer { world.stop() }
        let faults = [
            "status status=500", "cut after=2", "cut after=6", "cut after=1", "error after=0",
            "truncated-json after=3", "status status=401", "no-terminal", "error-only after=4",
            "refuse", "close", "reset after=0", "reset after=6", "drop after=2", "drop after=7",
            "http-garbage",
        ]
        var early = 0.0
        var sent = 0
        var ends = 0
        while sent < count {
            let client = try ChatClient(port: world.port)
            let batch = min(20, count - sent)
            for index in 0..<batch {
                let fault = faults[(sent + index) % faults.count]
                client.message("m\(index)", "Hi [sim:fault=\(fault) key=k\(sent + index)]")
            }
            for index in 0..<batch {
                let end = try client.complete("m\(index)")
                #expect(end.status == "failed")
                ends += 1
            }
            sent += batch
            if sent <= count / 4 { early = world.metric("process_resident_memory_bytes") }
        }
        #expect(ends == count)
        world.expectNothingLeft()
        // The process is this test's own only when it is run alone, with its number of responses; of many,
        // 4 KB each would show.
        if count >= 10_000 {
            let late = world.metric("process_resident_memory_bytes")
            #expect(late - early < Double(count) * 3072, "\(Int(early)) grew to \(Int(late))")
        }
    }

    @Test("one upstream is a black hole: streams at the other keep their pace")
    func blackHole() throws {
        let healthy = try SimulatorThread()
        defer { healthy.stop() }
        let hole = try SimulatorThread(fault: "silent")
        defer { hole.stop() }
        let world = try FaultyWorld(
            primary: hole.url, upstream: ["response_header_timeout_ms: 3000"],
            fallback: "{urls: {other: \"\(healthy.url)\"}, order: [other]}",
            breaker: "{minimum_calls: 5, open_ms: 60000, open_max_ms: 60000}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        for index in 0..<20 { client.message("m\(index)", "Hi") }
        for index in 0..<20 { #expect(try client.complete("m\(index)").status == "completed") }
        #expect(world.metric("gateway_upstream_breaker_state{upstream=\"primary\"}") == 2)
        let times = try (0..<5).map { index in
            let start = ContinuousClock.now
            let end = try client.ask("after\(index)", "Hi")
            #expect(end.status == "completed")
            return ContinuousClock.now - start
        }
        // A part of what waiting for the hole would take; a busy machine makes some of them late.
        #expect(try #require(times.min()) < .seconds(1), "nobody waits for the hole")
        world.expectNothingLeft()
    }

    @Test("all places at one upstream are lost in a black hole: streams elsewhere keep their pace")
    func pace() throws {
        let healthy = try SimulatorThread()
        defer { healthy.stop() }
        let hole = try ScriptedUpstream { _ in .silence }
        defer { hole.stop() }
        let alone = try FaultyWorld(primary: healthy.url)
        defer { alone.stop() }
        let beside = try FaultyWorld(
            primary: hole.url,
            upstream: ["concurrency: 40"],
            fallback: "{urls: {other: \"\(healthy.url)\"}, order: [other]}")
        defer { beside.stop() }
        let usual = try Self.medianGap(ChatClient(port: alone.port))
        let lost = try ChatClient(port: beside.port)
        for index in 0..<40 { lost.message("lost\(index)", "Hi") }
        hole.waitForRequests(40)
        let client = try ChatClient(port: beside.port)
        let gap = try Self.medianGap(client)
        #expect(gap < usual * 3 + .milliseconds(5), "\(gap) instead of \(usual)")
        #expect(beside.metric("gateway_upstream_in_flight{upstream=\"primary\"}") == 40)
        lost.send(#"{"type":"cancel"}"#)
        for index in 0..<40 {
            let end = try lost.complete("lost\(index)")
            #expect(end.status == "cancelled")
        }
        alone.expectNothingLeft()
        beside.expectNothingLeft()
    }

    /// The median time between two deltas of a stream paced at 5 ms; a busy machine moves the mean.
    private static func medianGap(_ client: ChatClient) throws -> Duration {
        client.message("s", "deltas=300 rate=200", options: #"{"model":"sim-paced"}"#)
        var gaps: [Duration] = []
        var last: ContinuousClock.Instant?
        while true {
            let frame = try client.next { ["delta", "complete"].contains($0["type"] as? String) }
            if frame["type"] as? String == "complete" {
                #expect(frame.status == "completed")
                break
            }
            let now = ContinuousClock.now
            if let last { gaps.append(now - last) }
            last = now
        }
        return gaps.sorted()[gaps.count / 2]
    }
}
