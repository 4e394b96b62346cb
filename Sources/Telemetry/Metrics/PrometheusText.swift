extension MetricRegistry {
    /// The media type of `renderPrometheus()`.
    package static let prometheusContentType = "text/plain; version=0.0.4; charset=utf-8"

    /// All metrics in the Prometheus text format 0.0.4; on any thread.
    package func renderPrometheus() -> String {
        var text = ""
        text.reserveCapacity(16_384)
        for family in snapshot { text += PrometheusText.lines(of: family) }
        return text
    }

    /// A table of all metrics, for the documentation.
    package func renderMetricsReference() -> String {
        var text = "| name | type | label | meaning |\n| --- | --- | --- | --- |\n"
        for definition in definitions {
            let label =
                definition.label.map { label in
                    "`\(label.name)`: " + label.values.map { "`\($0)`" }.joined(separator: ", ")
                } ?? ""
            text += "| `\(definition.name)` | \(definition.kind.rawValue) | \(label) | "
            text += "\(definition.help) |\n"
        }
        return text
    }
}

/// The lines of one family.
private enum PrometheusText {
    static func lines(of family: MetricRegistry.Family) -> String {
        let name = family.definition.name
        var samples = ""
        switch family.definition.kind {
        case .counter where family.source == nil:
            for (index, counters) in family.counters.enumerated() {
                let sum = counters.reduce(UInt64(0)) { $0 &+ $1.value }
                samples += "\(name)\(labels(family.definition, index)) \(sum)\n"
            }
        case .gauge where family.source == nil:
            samples = "\(name) \(family.gauges.reduce(0) { $0 &+ $1.value })\n"
        case .counter, .gauge:
            let count = family.definition.label?.values.count ?? 1
            for (index, value) in (family.source?() ?? []).prefix(count).enumerated() {
                guard let value else { continue }
                samples += "\(name)\(labels(family.definition, index)) \(number(value))\n"
            }
            guard !samples.isEmpty else { return "" }
        case .histogram:
            samples = histogramSamples(family)
        }
        return "# HELP \(name) \(escapedHelp(family.definition.help))\n"
            + "# TYPE \(name) \(family.definition.kind.rawValue)\n" + samples
    }

    private static func histogramSamples(_ family: MetricRegistry.Family) -> String {
        guard let bounds = family.buckets?.boundsNanoseconds else { return "" }
        var counts = [UInt64](repeating: 0, count: bounds.count + 1)
        var sum: UInt64 = 0
        for snapshot in family.histograms.map(\.snapshot) {
            for (index, count) in snapshot.counts.enumerated() { counts[index] &+= count }
            sum &+= snapshot.sumNanoseconds
        }
        let name = family.definition.name
        var text = ""
        var cumulative: UInt64 = 0
        for (index, count) in counts.enumerated() {
            cumulative &+= count
            let bound = index < bounds.count ? number(Double(bounds[index]) / 1e9) : "+Inf"
            text += "\(name)_bucket{le=\"\(bound)\"} \(cumulative)\n"
        }
        text += "\(name)_sum \(number(Double(sum) / 1e9))\n"
        return text + "\(name)_count \(cumulative)\n"
    }

    private static func labels(_ definition: MetricDefinition, _ index: Int) -> String {
        guard let label = definition.label else { return "" }
        return "{\(label.name)=\"\(escapedValue(label.values[index]))\"}"
    }

    /// Whole numbers without a fraction; never in a form that the format does not know.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), let whole = Int(exactly: value) { return "\(whole)" }
        return "\(value)"
    }

    private static func escapedHelp(_ text: String) -> String {
        text.reduce(into: "") {
            $0 += $1 == "\\" ? "\\\\" : $1 == "\n" ? "\\n" : String($1)
        }
    }

    private static func escapedValue(_ text: String) -> String {
        text.reduce(into: "") {
            $0 +=
                $1 == "\\" ? "\\\\" : $1 == "\n" ? "\\n" : $1 == "\"" ? "\\\"" : String($1)
        }
    }
}
