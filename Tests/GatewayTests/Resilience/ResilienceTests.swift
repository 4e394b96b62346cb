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

    @Test("the breaker answers in milliseconds, shows itself, and lets a probe through")
    func breaker() throws {
        let upstream = try SimulatorThread()
        let url = upstream.url
        upstream.stop()  // Nobody listens there any more.
        let world = try FaultyWorld(
            primary: url, breaker: "{unreachable: 3, open_ms: 60000, open_max_ms: 60000}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let first = try client.ask("a", "Hi")
        #expect(first.status == "failed" && first.code == "upstream_connect_refused")
        let start = ContinuousClock.now
        let second = try client.ask("b", "Hi")
        #expect(second.code == "upstream_unavailable" && second.isRetryable)
        #expect(ContinuousClock.now - start < .milliseconds(200))
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
            upstream: ["concurrency: 1", "queue: 2", "queue_timeout_ms: 400"], shards: 2)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("run", "deltas=1000 rate=20", options: #"{"model":"sim-paced"}"#)
        _ = try client.next { $0["type"] as? String == "delta" }
        client.message("waits", "Hi")
        #expect((try client.state("queued", of: "waits")["until_ms"] as? Int ?? 0) > 300)
        client.message("cancelled", "Hi")
        _ = try client.state("queued", of: "cancelled")
        let full = try client.ask("full", "Hi")
        #expect(full.code == "upstream_busy")
        client.cancel("cancelled")
        #expect(try client.complete("cancelled").status == "cancelled")
        #expect(try client.complete("waits").code == "upstream_queue_timeout")
        let other = try ChatClient(port: world.port)
        other.message("next", "Hi")
        _ = try other.state("queued", of: "next")
        client.cancel("run")
        #expect(try client.complete("run").status == "cancelled")
        #expect(try other.complete("next").status == "completed")
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
                "response_header_timeout_ms: 60000",
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
        client.message("bg", "deltas=40 rate=40", options: Self.background)
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
        let late = world.metric("process_resident_memory_bytes")
        // The test's own transcripts grow too; a leak of a request each would be far more.
        #expect(late - early < 64e6, "\(Int(early)) grew to \(Int(late))")
    }

    @Test("one upstream is a black hole: streams at the other keep their pace")
    func blackHole() throws {
        let healthy = try SimulatorThread()
        defer { healthy.stop() }
        let hole = try SimulatorThread(fault: "silent")
        defer { hole.stop() }
        let world = try FaultyWorld(
            primary: hole.url, upstream: ["response_header_timeout_ms: 500"],
            fallback: "{urls: {other: \"\(healthy.url)\"}, order: [other]}",
            breaker: "{minimum_calls: 5, open_ms: 60000, open_max_ms: 60000}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        for index in 0..<20 { client.message("m\(index)", "Hi") }
        for index in 0..<20 { #expect(try client.complete("m\(index)").status == "completed") }
        #expect(world.metric("gateway_upstream_breaker_state{upstream=\"primary\"}") == 2)
        let start = ContinuousClock.now
        #expect(try client.ask("after", "Hi").status == "completed")
        #expect(ContinuousClock.now - start < .milliseconds(400), "nobody waits for the hole")
        world.expectNothingLeft()
    }
}
