import Foundation
import Testing

/// How long, how often and for whom a failed attempt is made again, over real sockets.
@Suite("Retries over sockets", .serialized, .timeLimit(.minutes(10)))
struct RetryTests {
    @Test(
        "upstream's wish is kept to, in each of its forms",
        arguments: [
            ("retry_after_ms=1500", 1_500), ("retry_after=20", 20_000),
            ("retry_after_date=40", 40_000), ("retry_after=60", 60_000),
        ])
    func retryAfter(_ wish: String, _ milliseconds: Int) throws {
        try FaultyWorld.run { _, client in
            client.message("m", "Hi [sim:fault=status status=503 \(wish)]")
            let told = try client.state("retrying", of: "m")["retry_in_ms"] as? Int ?? 0
            // A date knows whole seconds only; a tenth, at most half a second, is added at random.
            let leeway = wish.contains("date") ? 1_001 : 1
            #expect((milliseconds - leeway...milliseconds + 500).contains(told), "\(told)")
            client.cancel("m")
            #expect(try client.complete("m").status == "cancelled")
        }
    }

    @Test("a longer wish is not waited for: the client is told")
    func longWish() throws {
        try FaultyWorld.run(upstream: ["retry_after_max_ms: 60000"]) { _, client in
            let end = try client.ask("m", "Hi [sim:fault=status status=429 retry_after=61]")
            #expect(end.status == "failed" && end.isRetryable, "\(client.story)")
            let error = end["error"] as? [String: Any]
            #expect((59_000...61_000).contains(error?["retry_after_ms"] as? Int ?? 0))
            #expect(!client.states.contains { $0["state"] as? String == "retrying" })
        }
    }

    @Test("attempts of one response are bounded", arguments: [1, 2, 3, 4])
    func attempts(times: Int) throws {
        try FaultyWorld.run(upstream: ["attempts: 3"]) { world, client in
            let end = try client.ask("m", "Hi [sim:fault=status status=500 times=\(times)]")
            #expect(end.status == (times < 3 ? "completed" : "failed"), "\(client.story)")
            #expect(world.metric("gateway_upstream_attempts_total") == Double(min(times, 2) + 1))
        }
    }

    @Test("an attempt that there is no room for is not counted as sent")
    func noRoom() throws {
        try FaultyWorld.run(upstream: ["connections: 1"]) { world, client in
            client.message("first", "Hi [sim:fault=silent]")
            _ = try client.state("waiting", of: "first")
            let refused = try client.ask("second", "Hi")
            #expect(refused.status == "failed" && refused.isRetryable, "\(client.story)")
            #expect(world.metric("gateway_upstream_attempts_total") == 1)
            client.cancel("first")
            #expect(try client.complete("first").status == "cancelled")
        }
    }

    @Test("retries of the process are bounded: who comes after the budget fails at once")
    func budget() throws {
        try FaultyWorld.run(upstream: ["attempts: 2", "retry_budget_percent: 0"]) {
            world, client in
            for index in 0..<1_000 {
                let end = try client.ask("m\(index)", "Hi [sim:fault=status status=500]")
                #expect(end.status == "failed")
                if world.metric("gateway_upstream_retries_denied_total") > 0 { break }
            }
            #expect(world.metric("gateway_upstream_retries_denied_total") == 1)
            // A reserve of ten, and one more a second.
            let retries = world.metric("gateway_upstream_retries_total{reason=\"server_error\"}")
            #expect(retries >= 10)
            #expect(world.metric("gateway_upstream_attempts_total") > retries)
        }
    }

    @Test("one line in the log tells the whole story of a response")
    func story() throws {
        let broken = try SimulatorThread(fault: "status status=500")
        defer { broken.stop() }
        let healthy = try SimulatorThread()
        defer { healthy.stop() }
        let world = try FaultyWorld(
            primary: broken.url,
            fallback: "{urls: {second: \"\(healthy.url)\"}, order: [second]}", keepsLog: true)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        #expect(try client.ask("m", "Hi").status == "completed", "\(client.story)")
        world.expectNothingLeft()
        let lines = world.logged("response ended")
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        #expect(line["gateway.upstream.story"] as? String == "primary:server_error second:ok")
        #expect(line["gateway.upstream.attempts"] as? Int == 2)
        #expect(line["gateway.upstream.name"] as? String == "second")
        #expect(line["gateway.response.outcome"] as? String == "completed")
        let ids = line["gateway.upstream.request_ids"] as? String ?? ""
        #expect(ids.split(separator: " ").count == 2 && ids.hasPrefix("req_"), "\(ids)")
        for phase in ["connect", "header"] {
            #expect(line["gateway.upstream.\(phase)_ms"] as? Int != nil, "\(phase)")
            #expect(world.metric("gateway_upstream_\(phase)_seconds_count") == 2, "\(phase)")
        }
        #expect(world.logged("upstream request failed").count == 1)
    }
}
