/// The report as one JSON document; `--compare` reads its `metrics`.
package enum ReportJSON {
    package static let schema = "millrace-load/1"

    package static func render(_ report: RunReport) -> String {
        let scenario = report.scenario
        let members = [
            ("schema", JSONText.quote(schema)),
            ("scenario", JSONText.quote(scenario.name)),
            ("description", JSONText.quote(scenario.description)),
            ("protocol", JSONText.quote(scenario.wireProtocol.rawValue)),
            ("url", JSONText.quote(scenario.url)),
            ("sessions", String(scenario.sessions)),
            ("readers", String(scenario.readers)),
            ("started_unix_s", String(report.startedWallSeconds)),
            ("measured_s", Decimal.text(report.measuredSeconds)),
            ("stopped", JSONText.quote(report.stop.rawValue)),
            ("outcome", JSONText.quote(report.outcome.rawValue)),
            ("passed", report.passed ? "true" : "false"),
            ("metrics", object(report.metrics.map { ($0.name, Decimal.text($0.value)) }, 2)),
            ("seen", object(report.tallies.map { ($0.name, String($0.count)) }, 2)),
            ("thresholds", array(report.verdicts.map(verdict))),
            ("violations", array(report.violations.map(violation))),
            ("notes", array(report.notes.map(JSONText.quote))),
            ("timeline_latency", JSONText.quote(scenario.followedLatency.rawValue)),
            ("timeline", array(report.samples.map(sample))),
        ]
        return object(members, 1) + "\n"
    }

    private static func verdict(_ verdict: RunReport.Verdict) -> String {
        flat([
            ("threshold", JSONText.quote(verdict.threshold.description)),
            ("value", verdict.value.map { Decimal.text($0) } ?? "null"),
            ("holds", verdict.holds ? "true" : "false"),
        ])
    }

    private static func violation(_ record: RunReport.ViolationRecord) -> String {
        flat([
            ("rule", JSONText.quote(record.violation.rule.rawValue)),
            ("detail", JSONText.quote(record.violation.detail)),
            ("session", String(record.session)), ("reader", String(record.reader)),
            ("at_s", Decimal.text(record.seconds)),
            ("transcript", "[\(record.transcript.map(JSONText.quote).joined(separator: ","))]"),
        ])
    }

    private static func sample(_ sample: Timeline.Sample) -> String {
        flat([
            ("t_s", Decimal.text(sample.time)), ("seconds", Decimal.text(sample.seconds)),
            ("deltas", String(sample.deltas)), ("bytes", String(sample.bytes)),
            ("connections", String(sample.connections)), ("active", String(sample.active)),
            ("p50_us", Decimal.text(Double(sample.median) / 1e3)),
            ("p99_us", Decimal.text(Double(sample.p99) / 1e3)),
            ("max_us", Decimal.text(Double(sample.maximum) / 1e3)),
            ("errors", String(sample.errors)),
            ("client_cpu_s", Decimal.text(sample.clientCPUSeconds)),
            ("server_cpu_s", Decimal.text(sample.serverCPUSeconds)),
            ("server_resident_bytes", String(sample.serverResidentBytes)),
        ])
    }

    private static func flat(_ members: [(String, String)]) -> String {
        "{" + members.map { "\(JSONText.quote($0)):\($1)" }.joined(separator: ",") + "}"
    }

    private static func object(_ members: [(String, String)], _ depth: Int) -> String {
        let indent = String(repeating: "  ", count: depth)
        let lines = members.map { "\(indent)\(JSONText.quote($0)): \($1)" }
        return "{\n" + lines.joined(separator: ",\n") + "\n" + indent.dropLast(2) + "}"
    }

    private static func array(_ values: [String]) -> String {
        guard !values.isEmpty else { return "[]" }
        return "[\n    " + values.joined(separator: ",\n    ") + "\n  ]"
    }
}
