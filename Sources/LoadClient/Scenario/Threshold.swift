/// A bound on one metric of the report: `latency.delivery.p99_us <= 5000`.
package struct Threshold: Equatable, Sendable, CustomStringConvertible {
    package enum Comparison: String, Sendable, CaseIterable {
        case atMost = "<="
        case atLeast = ">="
        case equal = "=="
        case below = "<"
        case above = ">"
    }

    package let metric: String
    package let comparison: Comparison
    package let bound: Double

    static let noErrors = Threshold(metric: "totals.errors", comparison: .equal, bound: 0)

    private init(metric: String, comparison: Comparison, bound: Double) {
        self.metric = metric
        self.comparison = comparison
        self.bound = bound
    }

    /// Reads `METRIC OPERATOR NUMBER`, separated by spaces.
    package init?(parsing text: String) {
        let words = text.split(separator: " ")
        guard words.count == 3, let comparison = Comparison(rawValue: String(words[1])),
            let bound = Double(words[2]), bound.isFinite
        else { return nil }
        metric = String(words[0])
        self.comparison = comparison
        self.bound = bound
    }

    /// Whether `value` is within the bound; a metric that was not measured never is.
    package func holds(for value: Double?) -> Bool {
        guard let value else { return false }
        return switch comparison {
        case .atMost: value <= bound
        case .atLeast: value >= bound
        case .equal: value == bound
        case .below: value < bound
        case .above: value > bound
        }
    }

    package var description: String {
        "\(metric) \(comparison.rawValue) \(Decimal.text(bound))"
    }
}
