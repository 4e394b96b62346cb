import LoadClient
import Testing

/// The load client against a real gateway and simulator: each checks the other.
@Suite("A whole load run in each protocol", .serialized, .timeLimit(.minutes(10)))
struct LoadClientTests {
    private static let limits = """
        limits: {frames_per_s: 10000, frames_burst: 10000}
        """

    private func run(_ spoken: WireProtocol, _ settings: [String]) throws -> RunReport {
        var result: RunReport?
        try GatewayFixture.run(Self.limits) { gateway in
            var scenario = Scenario()
            let fixed = [
                "protocol=\(spoken.rawValue)", "url=ws://127.0.0.1:\(gateway.port)", "ramp_s=0",
                "sessions=6", "duration_s=60", "messages.per_session=3", "messages.spread_ms=0",
                "request.input=deltas=40 rate=400 bytes=8", "request.expect_deltas=40",
            ]
            try scenario.apply((fixed + settings).compactMap { ScenarioEntry(assignment: $0) })
            try scenario.validate()
            result = try LoadRun(scenario, RunSettings()).run()
        }
        return try #require(result)
    }

    @Test("every answer is whole", arguments: WireProtocol.allCases)
    func whole(spoken: WireProtocol) throws {
        let report = try run(spoken, ["thresholds=totals.errors == 0"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("totals.responses") == 18)
        #expect(report.metric("totals.deltas") == 720)
        #expect(report.metric("totals.timestamps") == 720)
        #expect(report.metric("latency.first_text_added.count") == 18)
        let added = report.metric("latency.first_text_added.max_us") ?? 0
        let whole = report.metric("latency.first_text.max_us") ?? 0
        #expect(added > 0 && added < whole + 1, "added is a part of the whole")
    }

    @Test("lanes carry several answers at once", arguments: WireProtocol.allCases)
    func lanes(spoken: WireProtocol) throws {
        let report = try run(spoken, ["messages.in_flight=4", "messages.per_session=8"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("totals.responses") == 48)
    }

    @Test(
        "what is dropped and resumed is neither lost nor repeated", arguments: WireProtocol.allCases
    )
    func drops(spoken: WireProtocol) throws {
        let report = try run(
            spoken,
            ["drop.share=1", "drop.at_deltas=[1, 20, 39]", "drop.away_ms=[0, 60]", "readers=2"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("totals.responses") == 18)
        #expect(report.metric("totals.drops") ?? 0 >= 50)
        #expect(report.metric("latency.catch_up.count") ?? 0 > 0)
    }

    @Test(
        "a cancel ends an answer, and says when upstream was closed",
        arguments: WireProtocol.allCases)
    func cancels(spoken: WireProtocol) throws {
        let report = try run(
            spoken,
            [
                "cancel.share=1", "cancel.at_deltas=3", "thresholds=totals.errors == 0",
                "request.input=deltas=4000 rate=400 bytes=8", "request.expect_deltas=0",
            ])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.tallies.first { $0.name == "status.cancelled" }?.count == 18)
        #expect(report.metric("latency.cancel.count") == 18)
        #expect(report.metric("latency.upstream_closed.count") ?? 0 >= 17)
    }

    @Test("storms lose nothing", arguments: WireProtocol.allCases)
    func storms(spoken: WireProtocol) throws {
        let report = try run(
            spoken, ["storm.every_s=0.07", "storm.share=0.6", "storm.away_ms=[0, 20]"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("totals.drops") ?? 0 > 3)
    }

    @Test(
        "an answer that upstream breaks off is an error, and no violation",
        arguments: WireProtocol.allCases)
    func cut(spoken: WireProtocol) throws {
        let report = try run(
            spoken,
            [
                "request.input=[sim:fault=cut after=9] deltas=40 rate=400",
                "request.expect_deltas=0", "thresholds=totals.errors == 18",
            ])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.tallies.first { $0.name == "status.failed" }?.count == 18)
        #expect(report.metric("totals.errors") == 18)
    }
}
