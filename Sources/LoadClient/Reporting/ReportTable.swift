/// The report as text, for a terminal or a log.
package enum ReportTable {
    package static func render(_ report: RunReport) -> String {
        var lines: [String] = []
        let scenario = report.scenario
        lines.append("\(scenario.name): \(scenario.wireProtocol.rawValue) at \(scenario.url)")
        lines.append(
            "  \(scenario.sessions) sessions × \(scenario.readers) readers, measured"
                + " \(Decimal.fixed(report.measuredSeconds, places: 1)) s, \(report.stop.rawValue)")
        lines += latencies(report)
        lines += totals(report)
        if !report.tallies.isEmpty {
            lines.append("")
            let tallies = report.tallies.map { "\($0.name) \(Decimal.grouped($0.count))" }
            lines.append("seen         " + tallies.joined(separator: ", "))
        }
        lines += verdicts(report)
        for note in report.notes { lines.append("note: \(note)") }
        lines += violations(report)
        lines.append("")
        lines.append(report.outcome.rawValue.uppercased())
        return lines.joined(separator: "\n") + "\n"
    }

    private static func latencies(_ report: RunReport) -> [String] {
        guard !report.latencies.isEmpty else { return [] }
        let header = ["latency", "count", "p50", "p90", "p99", "p99.9", "max", ""]
        let rows = report.latencies.map { latency in
            let histogram = latency.histogram
            let values = RunReport.Latency.shares.map { Double(histogram.percentile($0.share)) }
            let durations = (values + [Double(histogram.maximum)]).map {
                Decimal.duration(nanoseconds: $0)
            }
            return [latency.kind.rawValue, Decimal.grouped(Int(histogram.count))] + durations
                + [latency.kind.meaning]
        }
        return [""] + align([header] + rows)
    }

    private static func totals(_ report: RunReport) -> [String] {
        func value(_ name: String) -> Double { report.metric(name) ?? 0 }
        func count(_ name: String) -> String { Decimal.grouped(Int(value("totals.\(name)"))) }
        var lines = [
            "",
            "rate         \(Decimal.grouped(Int(value("rate.deltas_per_s")))) deltas/s,"
                + " \(Decimal.grouped(Int(value("rate.frames_per_s")))) frames/s"
                + " (\(Decimal.fixed(value("rate.deltas_per_frame"), places: 2)) deltas each),"
                + " \(Decimal.bytes(value("rate.bytes_per_s")))/s,"
                + " \(Decimal.fixed(value("rate.responses_per_s"), places: 1)) responses/s",
            "totals       \(count("messages")) messages, \(count("responses")) responses,"
                + " \(count("deltas")) deltas, \(count("events")) events",
            "connections  \(Decimal.grouped(Int(value("connections.peak")))) at most,"
                + " \(count("connects")) ready, \(count("reconnects")) of them resumed,"
                + " \(count("drops")) dropped by us, \(count("unexpected_closes")) by the server,"
                + " \(count("connect_failures")) failed",
            "faults       \(count("errors")) errors, \(count("violations")) violations",
            "client       \(Decimal.fixed(value("client.cpu_share") * 100, places: 1)) % of a core,"
                + " \(Decimal.fixed(value("client.cpu_peak_share") * 100, places: 0)) % at most"
                + perDelta(report, "client"),
        ]
        if let share = report.metric("server.cpu_share") {
            lines.append(
                "server       \(Decimal.fixed(share * 100, places: 1)) % of a core"
                    + perDelta(report, "server")
                    + ", \(Decimal.bytes(value("server.resident_bytes"))) resident,"
                    + " \(Decimal.bytes(value("server.resident_peak_bytes"))) at most")
        }
        return lines
    }

    private static func perDelta(_ report: RunReport, _ side: String) -> String {
        guard let value = report.metric("\(side).cpu_us_per_delta") else { return "" }
        return ", \(Decimal.fixed(value, places: 2)) µs a delta"
    }

    private static func verdicts(_ report: RunReport) -> [String] {
        guard !report.verdicts.isEmpty else { return [] }
        return [""]
            + report.verdicts.map { verdict in
                let value = verdict.value.map { Decimal.text($0) } ?? "not measured"
                return "\(verdict.holds ? "holds" : "FAILS")        \(verdict.threshold) (\(value))"
            }
    }

    private static func violations(_ report: RunReport) -> [String] {
        guard report.violationCount > 0 else { return [] }
        var lines = ["", "VIOLATIONS: \(report.violationCount)"]
        for record in report.violations {
            lines.append(
                "  session \(record.session), reader \(record.reader), at"
                    + " \(Decimal.fixed(record.seconds, places: 3)) s: \(record.violation)")
            lines += record.transcript.suffix(12).map { "    \(String($0.prefix(240)))" }
        }
        return lines
    }

    /// Columns as wide as their widest cell: the first and the last to the left.
    static func align(_ rows: [[String]]) -> [String] {
        let widths = (rows.first ?? []).indices.map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                let isLeft = column == 0 || column == row.count - 1
                line += (column > 0 ? "  " : "") + (isLeft ? cell + space : space + cell)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
