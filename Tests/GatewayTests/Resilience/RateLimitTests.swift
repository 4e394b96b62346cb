import Foundation
import Simulator
import Testing

/// Requests that are slowed down before upstream refuses any, over real sockets.
@Suite("Rate limits over sockets", .serialized, .timeLimit(.minutes(10)))
struct RateLimitTests {
    private static let limit = "gateway_upstream_ratelimit_limit_requests{upstream=\"primary\"}"
    private static let remaining =
        "gateway_upstream_ratelimit_remaining_requests{upstream=\"primary\"}"

    private static func statuses(_ simulator: SimulatorThread) -> [String: Int] {
        simulator.statistics["statuses"] as? [String: Int] ?? [:]
    }

    @Test("one after the other: spaced below a twentieth, nothing is refused, clients are told")
    func spaced() throws {
        let simulator = try SimulatorThread(requestLimit: RequestLimit(count: 40, seconds: 20))
        defer { simulator.stop() }
        // One refusal would be the end.
        let world = try FaultyWorld(
            primary: simulator.url, upstream: ["attempts: 1"],
            more: "conversation: {state: none}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        var asked = 0
        var queued: [ChatClient.Frame] = []
        // More than the limit, in less time than it takes to be there again.
        while queued.count < 4, asked < 1_000 {
            let end = try client.ask("m\(asked)", "Hi")
            #expect(end.status == "completed", "\(client.story)")
            queued = client.states.filter { $0["state"] as? String == "queued" }
            asked += 1
        }
        #expect(asked > 40 && queued.count == 4)
        #expect(queued.allSatisfy { ($0["until_ms"] as? Int ?? 0) > 0 })
        #expect(Self.statuses(simulator)["429"] == nil)
        #expect(world.metric(Self.limit) == 40)
        #expect((0..<5).contains(world.metric(Self.remaining)))
        world.expectNothingLeft()
    }

    @Test("all at once, once the limit is known: nothing is refused")
    func burst() throws {
        // One more request every half second: no machine is so busy that two go out with one's wait.
        let simulator = try SimulatorThread(requestLimit: RequestLimit(count: 40, seconds: 20))
        defer { simulator.stop() }
        let world = try FaultyWorld(
            primary: simulator.url, upstream: ["attempts: 1"],
            more: "conversation: {state: none}", shards: 2)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        #expect(try client.ask("first", "Hi").status == "completed")
        for index in 0..<50 { client.message("m\(index)", "Hi") }
        for index in 0..<50 {
            let end = try client.complete("m\(index)")
            #expect(end.status == "completed", "\(client.story)")
        }
        #expect(Self.statuses(simulator)["429"] == nil)
        world.expectNothingLeft()
    }

    @Test("a cancel ends one that is spaced, and a fallback serves instead of waiting")
    func others() throws {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"
            + "x-ratelimit-limit-requests: 100\r\nx-ratelimit-remaining-requests: 0\r\n"
            + "x-ratelimit-reset-requests: 1h\r\n\r\n"
        let spent = ScriptedUpstream.Answer(
            bytes: Array(head.utf8) + ScriptedUpstream.stream())
        let upstream = try ScriptedUpstream { _ in spent }
        defer { upstream.stop() }
        let other = try ScriptedUpstream { _ in .hello }
        defer { other.stop() }
        let alone = try FaultyWorld(primary: upstream.url)
        defer { alone.stop() }
        let client = try ChatClient(port: alone.port)
        #expect(try client.ask("first", "Hi").status == "completed")
        client.message("waits", "Hi")
        _ = try client.state("queued", of: "waits")
        client.cancel("waits")
        #expect(try client.complete("waits").status == "cancelled")
        alone.expectNothingLeft()
        #expect(upstream.requests.count == 1)
        let world = try FaultyWorld(
            primary: upstream.url,
            fallback: "{urls: {second: \"\(other.url)\"}, order: [second]}",
            more: "conversation: {state: none}")
        defer { world.stop() }
        let guest = try ChatClient(port: world.port)
        for id in ["a", "b"] { #expect(try guest.ask(id, "Hi").status == "completed") }
        #expect(upstream.requests.count == 2 && other.requests.count == 1)
        #expect(!guest.states.contains { $0["state"] as? String == "queued" })
        world.expectNothingLeft()
    }
}
