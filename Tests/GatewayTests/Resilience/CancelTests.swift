import Foundation
import Synchronization
import Testing

/// A cancel ends a response at once, whatever the gateway is doing for it, over real sockets.
@Suite("Cancel everywhere", .serialized, .timeLimit(.minutes(10)))
struct CancelTests {
    private static let background = #"{"background":true}"#
    private static let partial = ScriptedUpstream.stream(events: 3)

    private static func expectCancelled(
        _ client: ChatClient, _ id: String, _ world: FaultyWorld
    ) throws {
        let start = ContinuousClock.now
        client.cancel(id)
        let end = try client.complete(id)
        #expect(end.status == "cancelled", "\(client.story)")
        #expect(end["reason"] as? String == "client")
        #expect(end["upstream_closed_us"] as? Int != nil)
        #expect(ContinuousClock.now - start < .seconds(20), "no deadline is waited for")
        world.expectNothingLeft()
    }

    @Test("connecting: upstream takes the connection, and TLS is not answered")
    func connecting() throws {
        let upstream = try ScriptedUpstream { _ in .silence }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: "https://127.0.0.1:\(upstream.port)/v1",
            upstream: ["tls_timeout_ms: 60000"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("m", "Hi")
        world.wait(for: "gateway_upstream_transfers", toBe: 1)
        #expect(!client.states.contains { $0["state"] as? String == "waiting" })
        try Self.expectCancelled(client, "m", world)
        upstream.waitForClosed()
    }

    @Test("waiting, and in the text: the connection is closed")
    func running() throws {
        for answer in [ScriptedUpstream.Answer.silence, .ok(Self.partial).held()] {
            let upstream = try ScriptedUpstream { _ in answer }
            defer { upstream.stop() }
            let world = try FaultyWorld(
                primary: upstream.url)
            defer { world.stop() }
            let client = try ChatClient(port: world.port)
            client.message("m", "Hi")
            upstream.waitForRequests(1)
            if !answer.bytes.isEmpty { try client.expect("delta") }
            try Self.expectCancelled(client, "m", world)
            upstream.waitForClosed()
        }
    }

    @Test("queued and backing off: nothing more is asked for")
    func waiting() throws {
        let upstream = try ScriptedUpstream { request in
            request.object["input"] as? String == "fail" ? .status(503) : .ok(Self.partial).held()
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url,
            upstream: [
                "concurrency: 1", "queue: 5", "queue_timeout_ms: 60000", "retry_delay_ms: 60000",
                "retry_delay_max_ms: 60000",
            ])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("off", "fail")
        _ = try client.state("retrying", of: "off")
        try Self.expectCancelled(client, "off", world)
        client.message("run", "Hi")
        try client.expect("delta")
        client.message("queued", "Hi")
        _ = try client.state("queued", of: "queued")
        client.cancel("queued")
        #expect(try client.complete("queued").status == "cancelled")
        world.wait(for: "gateway_upstream_queue", toBe: 0)
        try Self.expectCancelled(client, "run", world)
        #expect(upstream.requests.count == 2)
    }

    @Test("half-open: a probe that is cancelled leaves the next one its chance")
    func halfOpen() throws {
        let isWell = Mutex(false)
        let upstream = try ScriptedUpstream { _ in
            isWell.withLock { $0 } ? .silence : .status(503)
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url,
            upstream: ["attempts: 1"],
            breaker: "{minimum_calls: 1, probes: 1, open_ms: 10, open_max_ms: 10}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        #expect(try client.ask("broken", "Hi").status == "failed")
        isWell.withLock { $0 = true }
        for round in 0..<2 {
            var id = ""
            for index in 0..<10_000 {
                id = "try\(round)-\(index)"
                client.message(id, "Hi")
                let news = try client.next { frame in
                    frame["message"] as? String == id
                        && (frame["type"] as? String == "complete"
                            || frame["state"] as? String == "waiting")
                }
                if news["state"] != nil { break }
            }
            #expect(world.metric("gateway_upstream_breaker_state{upstream=\"primary\"}") == 1)
            try Self.expectCancelled(client, id, world)
        }
    }

    @Test("what is logged of a cancelled response tells of its attempts")
    func story() throws {
        let upstream = try ScriptedUpstream { _ in .ok(Self.partial).held() }
        defer { upstream.stop() }
        let other = try ScriptedUpstream { _ in .status(503) }
        defer { other.stop() }
        let world = try FaultyWorld(
            primary: other.url, upstream: ["attempts: 2"],
            fallback: "{urls: {second: \"\(upstream.url)\"}, order: [second]}",
            more: "conversation: {state: none}", keepsLog: true)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("m", "Hi")
        _ = try client.next { $0["type"] as? String == "delta" }
        try Self.expectCancelled(client, "m", world)
        let line = try #require(world.logged("response ended").last)
        #expect(line["gateway.response.outcome"] as? String == "cancelled")
        #expect(line["gateway.upstream.name"] as? String == "second")
        #expect(line["gateway.upstream.attempts"] as? Int == 2)
        #expect(line["gateway.upstream.story"] as? String == "primary:server_error")
    }

    @Test("paused because nobody reads")
    func paused() throws {
        let simulator = try SimulatorThread()
        defer { simulator.stop() }
        let world = try FaultyWorld(
            primary: simulator.url,
            more: "replay: {high_watermark_bytes: 65536, low_watermark_bytes: 16384}")
        defer { world.stop() }
        // It asks, and reads nothing.
        let reader = try ChatClient(port: world.port, receiveBuffer: 4096)
        reader.message(
            "m", "deltas=100000 bytes=400 rate=0", options: #"{"model":"sim-paced"}"#)
        let deadline = ContinuousClock.now + .seconds(60)
        while world.metric("gateway_upstream_paused_total") < 1 {
            guard ContinuousClock.now < deadline else {
                Issue.record("upstream was never paused")
                break
            }
        }
        reader.cancel("m")
        let end = try reader.complete("m")
        #expect(end.status == "cancelled", "\(reader.story)")
        world.expectNothingLeft()
    }

    @Test("a background response that is being reattached to is cancelled by POST")
    func resuming() throws {
        let upstream = try ScriptedUpstream { request in
            switch (request.method, request.path) {
            case ("POST", "/v1/responses"): .ok(Self.partial)
            case ("POST", _): .ok(Array("{}".utf8), type: "application/json")
            default: .silence
            }
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url, upstream: ["cancel_timeout_ms: 600000"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("m", "Hi", options: Self.background)
        upstream.waitForRequests(2)
        try Self.expectCancelled(client, "m", world)
        upstream.waitForRequests(3)
        #expect(upstream.requests.last?.path == "/v1/responses/resp_1/cancel")
        upstream.waitForClosed()
    }

    @Test(
        "a background response whose id is not known yet is read on for it, then cancelled by POST")
    func unnamed() throws {
        let upstream = try ScriptedUpstream { request in
            switch request.path {
            // No event yet: the id comes with the first.
            case "/v1/responses": ScriptedUpstream.Answer.ok([]).held()
            default: .ok(Array("{}".utf8), type: "application/json")
            }
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("m", "Hi", options: Self.background)
        upstream.waitForRequests(1)
        _ = try client.state("waiting", of: "m")
        client.cancel("m")
        #expect(try client.complete("m").status == "cancelled")
        // Its connection is still there: closing it would leave the response running, and billed.
        #expect(world.metric("gateway_upstream_transfers") == 1)
        upstream.send(ScriptedUpstream.stream(events: 1))
        upstream.waitForRequests(2)
        #expect(upstream.requests.last?.path == "/v1/responses/resp_1/cancel")
        upstream.waitForClosed()
        world.expectNothingLeft()
    }

    @Test("when upstream never tells the id, the connection is closed in the end")
    func neverNamed() throws {
        let upstream = try ScriptedUpstream { _ in ScriptedUpstream.Answer.ok([]).held() }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url,
            upstream: [
                "cancel_timeout_ms: 100"
            ])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("m", "Hi", options: Self.background)
        upstream.waitForRequests(1)
        _ = try client.state("waiting", of: "m")
        try Self.expectCancelled(client, "m", world)
        upstream.waitForClosed()
        #expect(upstream.requests.count == 1)
    }
}
