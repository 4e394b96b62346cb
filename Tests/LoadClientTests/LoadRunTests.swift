import CommandLineOptions
import Glibc
import LoadClient
import Testing

@Suite("A whole run against a fake gateway", .serialized, .timeLimit(.minutes(10)))
struct LoadRunTests {
    private func run(
        _ gateway: FakeGateway, _ settings: [String], serverPID: Int32? = nil
    ) throws -> RunReport {
        defer { gateway.stop() }
        var scenario = Scenario()
        let entries = settings.compactMap { ScenarioEntry(assignment: $0) }
        try scenario.apply(
            [
                .init(key: "url", values: [gateway.url]), .init(key: "ramp_s", values: ["0"]),
                .init(key: "sessions", values: ["3"]), .init(key: "duration_s", values: ["20"]),
                .init(key: "messages.per_session", values: ["4"]),
                .init(key: "drain_s", values: ["1"]),
                .init(key: "messages.spread_ms", values: ["0"]),
            ] + entries)
        try scenario.validate()
        var runSettings = RunSettings()
        runSettings.serverPID = serverPID
        return try LoadRun(scenario, runSettings).run()
    }

    @Test("every message is answered and checked", arguments: [false, true])
    func whole(merging: Bool) throws {
        let report = try run(FakeGateway(merging: merging), ["request.expect_deltas=10"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("totals.responses") == 12)
        #expect(report.metric("totals.deltas") == 120)
        #expect(report.metric("totals.timestamps") == 120)
        #expect(report.metric("latency.first_text.count") == 12)
    }

    @Test("without timestamps the first text is followed over time", arguments: [false, true])
    func followed(timestamps: Bool) throws {
        let report = try run(FakeGateway(), ["request.timestamps=\(timestamps)"])
        let name = timestamps ? "delivery" : "first_text"
        #expect(report.samples.contains { $0.maximum > 0 })
        #expect(ReportJSON.render(report).contains(#""timeline_latency": "\#(name)""#))
        let page = ReportHTML.render(report)
        #expect(page.contains("Latency over time") && page.contains("\(name): "))
    }

    @Test("the page labels memory in whole steps")
    func memoryAxis() throws {
        let report = try run(FakeGateway(), [], serverPID: getpid())
        let page = ReportHTML.render(report)
        #expect(page.contains(#/">\d+ (KiB|MiB|GiB)</text>/#))
        #expect(!page.contains(#/">\d+\.\d+ (KiB|MiB|GiB)</text>/#))
        #expect(report.metrics.allSatisfy { ReportMetric.isKnown($0.name) })
    }

    @Test("a run whose responses fail has not passed, unless its thresholds say how many may")
    func failing() throws {
        let report = try run(FakeGateway(fault: .failed), [])
        #expect(report.metric("totals.errors") == 12)
        #expect(report.verdicts.map(\.threshold.description) == ["totals.errors == 0"])
        #expect(report.outcome == .failed)
        let bounded = try run(FakeGateway(fault: .failed), ["thresholds=totals.errors <= 12"])
        #expect(bounded.verdicts.map(\.threshold.description) == ["totals.errors <= 12"])
        #expect(bounded.passed, "\(ReportTable.render(bounded))")
    }

    @Test("a server process that is not there is refused, not left out of the report")
    func noProcess() throws {
        let gateway = FakeGateway()
        defer { gateway.stop() }
        var scenario = Scenario()
        try scenario.apply([.init(key: "url", values: [gateway.url])])
        var settings = RunSettings()
        settings.serverPID = .max
        #expect(throws: LoadError.self) { try LoadRun(scenario, settings) }
    }

    @Test("a threshold on the server's figures needs its process")
    func unmeasuredThreshold() throws {
        let gateway = FakeGateway()
        defer { gateway.stop() }
        var scenario = Scenario()
        try scenario.apply([
            .init(key: "url", values: [gateway.url]),
            .init(key: "thresholds", values: ["server.cpu_share <= 1"]),
        ])
        #expect(throws: LoadError.self) { try LoadRun(scenario, RunSettings()) }
    }

    @Test("drops resume without loss", arguments: ["close", "reset"])
    func drops(how: String) throws {
        let report = try run(
            FakeGateway(),
            ["drop.share=1", "drop.at_deltas=[2,7]", "drop.away_ms=3", "drop.how=\(how)"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("totals.responses") == 12)
        #expect(report.metric("totals.drops") == 24)
        #expect(report.metric("totals.reconnects") == 24)
        #expect(report.metric("latency.catch_up.count") ?? 0 > 0)
    }

    @Test("several readers see the same log")
    func fanOut() throws {
        let report = try run(FakeGateway(), ["readers=3"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("totals.connects") == 9)
        #expect(report.metric("totals.deltas") == 360)
    }

    @Test("cancelling by message measures until the complete")
    func cancel() throws {
        // More than come before a busy machine has sent the cancel.
        let report = try run(
            FakeGateway(deltas: 100_000), ["cancel.share=1", "cancel.at_deltas=3"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.tallies.first { $0.name == "status.cancelled" }?.count == 12)
        #expect(report.metric("latency.cancel.count") == 12)
    }

    @Test("cancelling by leaving goes on in a new session", arguments: ["close", "reset"])
    func leave(how: String) throws {
        let report = try run(
            FakeGateway(), ["cancel.share=1", "cancel.at_deltas=3", "cancel.how=\(how)"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("totals.left_behind") == 12)
        #expect(report.metric("totals.connects") == 15)
    }

    @Test("reconnect storms lose nothing")
    func storm() throws {
        let report = try run(
            FakeGateway(deltas: 60),
            ["storm.every_s=0.05", "storm.share=0.7", "storm.away_ms=[0,5]", "readers=2"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("totals.drops") ?? 0 > 3)
        #expect(report.metric("totals.responses") == 12)
    }

    @Test("slow readers are checked to their end")
    func slow() throws {
        let report = try run(
            FakeGateway(), ["slow.share=1", "slow.bytes_per_s=2000", "duration_s=1"])
        #expect(report.passed, "\(ReportTable.render(report))")
        #expect(report.metric("latency.delivery.count") == nil, "late by intention")
    }

    @Test(
        "each broken promise fails the run, with a transcript",
        arguments: [
            (FakeGateway.Fault.gap, Violation.Rule.gap), (.wrongHash, .textHash),
            (.secondComplete, .completedTwice), (.afterComplete, .afterComplete),
            (.binaryFrame, .frame), (.closeCode, .frame), (.neverComplete, .unfinished),
        ])
    func violated(fault: FakeGateway.Fault, rule: Violation.Rule) throws {
        let report = try run(
            FakeGateway(fault: fault),
            ["sessions=1", "limits.violations=1"]
                + (fault == .neverComplete ? ["limits.response_timeout_s=0.5"] : []))
        #expect(!report.passed)
        #expect(report.violations.first?.violation.rule == rule)
        #expect(report.violations.first?.transcript.contains { $0.hasPrefix("< ") } == true)
        #expect(ReportTable.render(report).contains("VIOLATIONS"))
        #expect(ReportHTML.render(report).contains("<details>"))
    }

    @Test("a promise broken before anybody was ready is a failure, not a gateway out of reach")
    func violatedBeforeReady() throws {
        let report = try run(
            FakeGateway(fault: .eventBeforeReady), ["sessions=1", "limits.violations=3"])
        #expect(report.violations.first?.violation.rule == .beforeReady)
        #expect(report.stop == .violations)
        #expect(report.outcome == .failed)
        #expect(LoadProgram.exitCode(report) == ExitCode.failure.rawValue)
    }

    @Test("a gateway that refuses is unavailable, and said so")
    func refused() throws {
        let report = try run(
            FakeGateway(refusing: 503), ["sessions=1", "limits.reconnects=1"])
        #expect(report.stop == .unavailable)
        #expect(report.tallies.contains { $0.name == "http.503" })
        #expect(!report.passed)
        #expect(LoadProgram.exitCode(report) == ExitCode.unavailable.rawValue)
    }

    @Test("what will not change is not tried again", arguments: [401, 404])
    func refusedForGood(status: Int) throws {
        let report = try run(FakeGateway(refusing: status), ["duration_s=60", "drain_s=60"])
        #expect(report.outcome == .unreached)
        #expect(report.metric("totals.connect_failures") == 3, "one attempt of each session")
        #expect(report.notes.contains { $0.contains("http.\(status)") })
    }

    @Test("a port that speaks no TLS is not tried again")
    func noTLS() throws {
        let gateway = FakeGateway()
        let report = try run(
            gateway, ["url=wss://127.0.0.1:\(gateway.port)", "duration_s=60", "drain_s=60"])
        #expect(report.outcome == .unreached)
        #expect(report.metric("totals.connect_failures") == 3, "one attempt of each session")
        #expect(report.tallies.contains { $0.name.hasPrefix("connect.TLS: ") })
    }

    @Test("where nobody listens, the first attempts are enough, and nothing is called unfinished")
    func nobodyListens() throws {
        let report = try run(
            FakeGateway(), ["url=ws://127.0.0.1:1", "duration_s=600", "drain_s=600"])
        #expect(report.outcome == .unreached)
        #expect(report.violationCount == 0)
        let attempts = Int(report.metric("totals.connect_failures") ?? 0)
        #expect((18...24).contains(attempts), "six of each session, and those of another second")
        #expect(report.notes.contains { $0.contains("Connection refused") })
        #expect(ReportTable.render(report).hasSuffix("UNREACHED\n"))
    }

    @Test("a session that never came in is no unfinished response")
    func notOpen() throws {
        let report = try run(
            FakeGateway(fault: .oneConnection), ["sessions=2", "duration_s=0.5", "drain_s=0.5"])
        #expect(report.violationCount == 0, "\(ReportTable.render(report))")
        #expect(report.tallies.first { $0.name == "end.not_open" }?.count == 1)
        #expect(report.notes.contains { $0.hasPrefix("Messages due and not sent when") })
        #expect((report.metric("totals.unsent") ?? 0) > 0)
        #expect(report.outcome == .failed, "by its errors")
    }

    @Test("the report is its own baseline")
    func baseline() throws {
        let report = try run(FakeGateway(), ["thresholds=totals.responses == 12"])
        let baseline = try Baseline(json: Array(ReportJSON.render(report).utf8))
        let table = baseline.compare(with: report)
        #expect(table.contains("latency.first_text.p50_us"))
        #expect(table.contains("× 1.00"))
        #expect(!ReportHTML.render(report).contains("<script"))
        #expect(report.verdicts.map(\.holds) == [true, true])
        #expect(throws: Baseline.Failure.notAReport) { try Baseline(json: Array("{}".utf8)) }
    }
}
