/// An earlier report, to compare with.
package struct Baseline {
    package enum Failure: Error, Equatable {
        case notAReport
    }

    package let scenario: String
    private let metrics: [(name: String, value: Double)]

    package init(json: [UInt8]) throws(Failure) {
        guard let document = JSONValue(parsing: json.span),
            document["schema"]?.string == ReportJSON.schema,
            case .object(let members)? = document["metrics"]
        else { throw .notAReport }
        scenario = document["scenario"]?.string ?? ""
        metrics = members.compactMap { member in
            member.value.number.map { (member.key, $0) }
        }
    }

    /// Rows of `metric, before, now, ratio` for what both have.
    package func compare(with report: RunReport) -> String {
        var rows = [["metric", "before", "now", "ratio"]]
        for metric in report.metrics where Self.isComparable(metric.name) {
            guard let before = metrics.first(where: { $0.name == metric.name })?.value else {
                continue
            }
            guard before != 0 || metric.value != 0 else { continue }
            let ratio = before == 0 ? "new" : Decimal.fixed(metric.value / before, places: 2)
            rows.append([
                metric.name, Decimal.text(before), Decimal.text(metric.value), "× \(ratio)",
            ])
        }
        var lines = ["", "compared with \(scenario.isEmpty ? "the baseline" : scenario):"]
        if scenario != report.scenario.name { lines.append("(another scenario)") }
        lines += ReportTable.align(rows)
        return lines.joined(separator: "\n") + "\n"
    }

    /// Counts of a run that ends by the clock say little; rates, shares and durations do.
    private static func isComparable(_ name: String) -> Bool {
        if name.hasPrefix("latency.") {
            return !name.hasSuffix(".count") && !name.hasSuffix(".min_us")
        }
        return !name.hasPrefix("totals.") || name == "totals.errors" || name == "totals.violations"
    }
}
