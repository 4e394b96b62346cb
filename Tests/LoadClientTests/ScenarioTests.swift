import Foundation
import LoadClient
import Testing

@Suite("Scenarios")
struct ScenarioTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static var files: [String] {
        let folder = root.appending(path: "load/scenarios").path
        return (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? []
    }

    @Test("every scenario of the repository is valid", arguments: files)
    func valid(file: String) throws {
        let path = Self.root.appending(path: "load/scenarios/\(file)").path
        let bytes = try FileAccess.read(path, maximumBytes: ScenarioFile.maximumBytes)
        var scenario = Scenario()
        try scenario.apply(ScenarioFile.entries(bytes))
        try scenario.validate()
        #expect(scenario.name + ".yaml" == file)
        #expect(!scenario.description.isEmpty)
        #expect(!scenario.thresholds.isEmpty)
    }

    @Test("the manual lists every key and every latency")
    func documented() throws {
        let manual = try String(
            contentsOf: Self.root.appending(path: "docs/load-testing.md"), encoding: .utf8)
        for key in ScenarioKey.all { #expect(manual.contains("`\(key.name)`"), "\(key.name)") }
        for metric in ReportMetric.all {
            #expect(manual.contains("| `\(metric.name)` | \(metric.help) |"), "\(metric.name)")
        }
        for latency in Measurements.Latency.allCases {
            #expect(manual.contains("`\(latency.rawValue)`"), "\(latency)")
        }
        for rule in Violation.Rule.allCases {
            #expect(manual.contains("`\(rule.rawValue)`"), "\(rule)")
        }
    }

    @Test("YAML becomes dotted keys, and flags go over them")
    func yaml() throws {
        let text = """
            name: x
            sessions: 3
            messages:
              think_ms: [10, 20]
            drop: {share: 0.5, at_deltas: [30, 1], how: close}
            thresholds:
              - totals.errors == 0
            """
        var scenario = Scenario()
        try scenario.apply(ScenarioFile.entries(Array(text.utf8)))
        try scenario.apply([#require(ScenarioEntry(assignment: "drop.at_deltas=[7, 2]"))])
        #expect(scenario.sessions == 3)
        #expect(scenario.messages.thinkMilliseconds == .init(lowest: 10, highest: 20))
        #expect(scenario.drop.atDeltas == [2, 7])
        #expect(scenario.drop.how == .close)
        #expect(scenario.thresholds.map(\.description) == ["totals.errors == 0"])
    }

    @Test(
        "what makes no sense is refused with its place",
        arguments: [
            ("a: 1", "line 1: a: no such key"),
            ("x: 1\nsessions: many", "line 1: x: no such key"),
            ("sessions: 0", "line 1: sessions: '0' is not an integer from 1 to 200000"),
            ("drop:\n  how: gently", "line 2: drop.how: 'gently' is not close or reset"),
            (
                "share: 1",
                "line 1: share: no such key; did you mean messages.share, drop.share, storm.share, cancel.share, slow.share?"
            ),
            ("sessions: 1\nsessions: 2", "line 2: sessions: stands there twice"),
            ("drop: {share: 0.5}", "drop.at_deltas: names no point"),
            ("url: http://x", "url: 'http://x' does not begin with ws:// or wss://"),
            ("request: {options: '[]'}", "request.options: no JSON object"),
            (
                "thresholds: ['latency.deliver.p99_us <= 5']",
                "thresholds: no report has a metric 'latency.deliver.p99_us' (--list-metrics)"
            ),
            ("protocol: grpc", "line 1: protocol: 'grpc' is not millrace.v1 or openai"),
            (
                "protocol: openai\nrequest: {options: '{\"metadata\": {}}'}",
                "request.options: metadata says which message a response answers (protocol: openai)"
            ),
        ])
    func refused(text: String, reason: String) {
        let error = #expect(throws: ScenarioError.self) {
            var scenario = Scenario()
            try scenario.apply(ScenarioFile.entries(Array(text.utf8)))
            try scenario.validate()
        }
        #expect(error?.description == reason)
    }

    @Test("an open loop never waits for an answer")
    func openLoop() {
        var scenario = Scenario()
        scenario.sessions = 4
        scenario.messages.perSecond = 2
        var schedule = ArrivalSchedule(scenario)
        #expect(
            (0..<4).map { schedule.first(session: $0, start: 0) / 1_000_000 } == [
                0, 500, 1_000, 1_500,
            ])
        #expect(schedule.next(due: 500_000_000, completed: 9_000_000_000) == 2_500_000_000)
        // Each session has one every two seconds.
        #expect(schedule.waiting(since: 500_000_000, until: 9_000_000_000) == 5)
        #expect(schedule.waiting(since: 9_000_000_000, until: 9_000_000_000) == 1)
        #expect(schedule.waiting(since: 9_500_000_000, until: 9_000_000_000) == 0)
    }

    @Test("Poisson arrivals keep the rate")
    func poisson() {
        var scenario = Scenario()
        scenario.messages.perSecond = 10
        scenario.messages.arrival = .poisson
        var schedule = ArrivalSchedule(scenario)
        var at: UInt64 = 0
        for _ in 0..<10_000 { at = schedule.next(due: at, completed: 0) }
        let mean = Double(at) / 10_000 / 1e9
        #expect(abs(mean - 1) < 0.05, "10 sessions at 10/s: one each second, not \(mean)")
    }

    @Test("a person thinks after the answer")
    func closedLoop() {
        var scenario = Scenario()
        scenario.messages.thinkMilliseconds = .init(lowest: 100, highest: 200)
        var schedule = ArrivalSchedule(scenario)
        for _ in 0..<100 {
            let next = schedule.next(due: 0, completed: 1_000_000_000)
            #expect((1_100_000_000...1_200_000_000).contains(next))
        }
    }

    @Test(
        "thresholds",
        arguments: [
            ("a <= 5", 5.0, true), ("a < 5", 5, false), ("a >= 2", 1, false), ("a == 0", 0, true),
        ])
    func threshold(text: String, value: Double, holds: Bool) throws {
        let threshold = try #require(Threshold(parsing: text))
        #expect(threshold.holds(for: value) == holds)
        #expect(!threshold.holds(for: nil), "what was not measured did not pass")
    }

    @Test(
        "a threshold is a metric, a comparison and a number",
        arguments: ["a <= nan", "a <= inf", "a ~ 1", "a <=", "a <= 1 2"])
    func notAThreshold(text: String) { #expect(Threshold(parsing: text) == nil) }
}
