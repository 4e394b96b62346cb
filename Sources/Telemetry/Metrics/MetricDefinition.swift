/// What is known about a metric before anything was counted.
package struct MetricDefinition: Sendable, Equatable {
    /// The types of the Prometheus text format.
    package enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    /// Prefix `gateway_` or `process_`, base unit last, counters end in `_total`.
    package let name: String
    /// What it counts, in one sentence.
    package let help: String
    /// Its type.
    package let kind: Kind
    /// The label and its closed set of values; `nil` without a label.
    package let label: Label?

    package struct Label: Sendable, Equatable {
        package let name: String
        package let values: [String]
    }

    /// Why the name is not a good one; `nil` when it is.
    var nameProblem: String? {
        let isPlain = name.utf8.allSatisfy { (0x61...0x7a).contains($0) || $0 == 0x5f }
        if !isPlain { return "has other characters than a-z and _" }
        if !name.hasPrefix("gateway_"), !name.hasPrefix("process_") { return "lacks the prefix" }
        if kind == .counter, !name.hasSuffix("_total") { return "lacks _total" }
        if kind != .counter, name.hasSuffix("_total") { return "has the ending of a counter" }
        if kind == .histogram, !name.hasSuffix("_seconds") { return "lacks the unit _seconds" }
        let otherUnits = ["_ms", "_us", "_milliseconds", "_kilobytes", "_kb", "_mb", "_percent"]
        if otherUnits.contains(where: { name.hasSuffix($0) || name.hasSuffix("\($0)_total") }) {
            return "has another unit than the base unit"
        }
        if let label, !label.name.utf8.allSatisfy({ (0x61...0x7a).contains($0) || $0 == 0x5f }) {
            return "has a label with other characters than a-z and _"
        }
        return nil
    }
}
