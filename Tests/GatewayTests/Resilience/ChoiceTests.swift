import Foundation
import Synchronization
import Testing

/// Which upstream serves: model names, weights, load, and probes after an outage, over real sockets.
@Suite("Choice of the upstream over sockets", .serialized, .timeLimit(.minutes(10)))
struct ChoiceTests {
    private static func model(_ request: ScriptedUpstream.Request?) -> String {
        request?.object["model"] as? String ?? "none"
    }

    @Test("each upstream gets the model by the name that it has there")
    func models() throws {
        let first = try ScriptedUpstream { _ in .status(503) }
        defer { first.stop() }
        let second = try ScriptedUpstream { _ in .hello }
        defer { second.stop() }
        let world = try FaultyWorld(
            primary: first.url,
            fallback:
                "{urls: {second: \"\(second.url)\"}, order: [second], models: {\"second/gpt-a\": local-a, \"second/*\": local-any, \"primary/gpt-b\": own-b}}",
            more: "conversation: {state: none}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        for (asked, atFirst, atSecond) in [
            ("gpt-a", "gpt-a", "local-a"), ("gpt-b", "own-b", "local-any"),
            ("gpt-c", "gpt-c", "local-any"),
        ] {
            let end = try client.ask(asked, "Hi", options: #"{"model":"\#(asked)"}"#)
            #expect(end.status == "completed", "\(client.story)")
            #expect(Self.model(first.requests.last) == atFirst)
            #expect(Self.model(second.requests.last) == atSecond)
        }
        world.expectNothingLeft()
    }

    @Test("of two equals the one with less in flight for its weight is taken")
    func leastInFlight() throws {
        let answers: @Sendable (ScriptedUpstream.Request) -> ScriptedUpstream.Answer = { _ in
            .ok(ScriptedUpstream.stream(events: 3)).held()
        }
        let first = try ScriptedUpstream(answers)
        defer { first.stop() }
        let second = try ScriptedUpstream(answers)
        defer { second.stop() }
        for (weights, share) in [("{}", 20), ("{primary: 3}", 30)] {
            let world = try FaultyWorld(
                primary: first.url,
                fallback:
                    "{urls: {second: \"\(second.url)\"}, equals: [second], weights: \(weights)}",
                more: "conversation: {state: none}")
            defer { world.stop() }
            let client = try ChatClient(port: world.port)
            for index in 0..<40 {
                client.message("m\(index)", "Hi")
                // One after the other, so that each choice sees the load of those before it.
                try client.expect("delta")
            }
            world.wait(
                for: "gateway_upstream_in_flight{upstream=\"primary\"}", toBe: Double(share))
            world.wait(
                for: "gateway_upstream_in_flight{upstream=\"second\"}", toBe: Double(40 - share))
            client.send(#"{"type":"cancel"}"#)
            for index in 0..<40 {
                let end = try client.complete("m\(index)")
                #expect(end.status == "cancelled")
            }
            world.expectNothingLeft()
        }
    }

    @Test("half-open: one probe at a time; it succeeds and closes the breaker")
    func probe() throws {
        let mode = Mutex("broken")
        let upstream = try ScriptedUpstream { _ in
            switch mode.withLock({ $0 }) {
            case "broken": .status(503)
            case "held": .silence
            default: .hello
            }
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url,
            upstream: ["attempts: 1"],
            breaker: "{minimum_calls: 3, probes: 1, open_ms: 50, open_max_ms: 50}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        for index in 0..<3 {
            let end = try client.ask("broken\(index)", "Hi")
            #expect(end.code == "upstream_http_status")
        }
        let state = "gateway_upstream_breaker_state{upstream=\"primary\"}"
        #expect(world.metric(state) == 2)
        // Once it lets one through, that one is held, and everybody else is turned away.
        mode.withLock { $0 = "held" }
        let probe = try Self.letThrough(client, upstream)
        #expect(world.metric(state) == 1)
        let before = upstream.requests.count
        for index in 0..<5 {
            let end = try client.ask("away\(index)", "Hi")
            #expect(end.code == "upstream_unavailable" && end.isRetryable)
        }
        #expect(upstream.requests.count == before, "one probe only")
        client.cancel(probe)
        #expect(try client.complete(probe).status == "cancelled")
        // A cancelled probe says nothing: the next one does.
        #expect(world.metric(state) == 1)
        mode.withLock { $0 = "well" }
        let end = try client.ask("probe", "Hi")
        #expect(end.status == "completed", "\(client.story)")
        #expect(world.metric(state) == 0)
        world.expectNothingLeft()
    }

    @Test("half-open: a probe whose answer has begun keeps nobody away, however long that takes")
    func longProbe() throws {
        let mode = Mutex("broken")
        let upstream = try ScriptedUpstream { _ in
            switch mode.withLock({ $0 }) {
            case "broken": .status(503)
            case "held": .ok(ScriptedUpstream.stream(events: 1)).held()
            default: .hello
            }
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url, upstream: ["attempts: 1"],
            breaker: "{minimum_calls: 3, probes: 2, open_ms: 50, open_max_ms: 50}",
            more: "conversation: {state: none}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        for index in 0..<3 { _ = try client.ask("broken\(index)", "Hi") }
        mode.withLock { $0 = "held" }
        let probe = try Self.letThrough(client, upstream)
        mode.withLock { $0 = "well" }
        // Until the first event has come on its way.
        for index in 0..<10_000 {
            let end = try client.ask("other\(index)", "Hi")
            if end.status == "completed" { break }
            #expect(end.code == "upstream_unavailable")
        }
        #expect(world.metric("gateway_upstream_breaker_state{upstream=\"primary\"}") == 0)
        client.cancel(probe)
        #expect(try client.complete(probe).status == "cancelled")
        world.expectNothingLeft()
    }

    @Test("half-open: a probe that fails opens the breaker again")
    func failingProbe() throws {
        let upstream = try ScriptedUpstream { _ in .status(503) }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url, upstream: ["attempts: 1"],
            breaker: "{minimum_calls: 3, probes: 1, open_ms: 50, open_max_ms: 60000}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        for index in 0..<3 { _ = try client.ask("broken\(index)", "Hi") }
        let openings = "gateway_upstream_breaker_openings_total{upstream=\"primary\"}"
        #expect(world.metric(openings) == 1)
        _ = try Self.letThrough(client, upstream)
        world.wait(for: openings, toBe: 2)
        #expect(world.metric("gateway_upstream_breaker_state{upstream=\"primary\"}") == 2)
        world.expectNothingLeft()
    }

    /// Sends messages until one reaches upstream; its id.
    private static func letThrough(
        _ client: ChatClient, _ upstream: ScriptedUpstream
    ) throws -> String {
        let before = upstream.requests.count
        for index in 0..<10_000 {
            client.message("try\(index)", "Hi")
            // `waiting` says that upstream has the request.
            let news = try client.next { frame in
                frame["message"] as? String == "try\(index)"
                    && (frame["type"] as? String == "complete"
                        || frame["state"] as? String == "waiting")
            }
            if news["state"] != nil {
                upstream.waitForRequests(before + 1)
                return "try\(index)"
            }
            #expect(news.code == "upstream_unavailable")
        }
        throw TestSocket.Failure(description: "nothing was let through")
    }
}
