/// The settings that shape a fault, read so that nothing is passed over in silence.
struct FaultSettings {
    /// Every setting that a fault may have; docs/simulator.md lists the same ones.
    static let names: Set<String> = [
        "fault", "after", "after_bytes", "times", "key", "p", "ms", "count", "size", "status",
        "location", "code", "type", "shape", "retry_after", "retry_after_ms", "retry_after_date",
        "should_retry",
    ]
    /// Settings of the answer, which may stand in the same marker.
    private static let others: Set<String> = [
        "rate", "jitter", "ttft", "retain_ms", "replay", "deltas", "bytes", "reason", "error_event",
    ]

    private let directives: Directives

    /// Refuses words and settings that mean nothing, beside an answer's own where `besideAnswer`.
    init(_ directives: Directives, besideAnswer: Bool = true) throws(APIError) {
        self.directives = directives
        for word in directives.words where !besideAnswer || Scenario(rawValue: word) == nil {
            throw Self.refusal("Unknown word '\(word)' beside a fault.")
        }
        let known = besideAnswer ? Self.names.union(Self.others) : Self.names
        for name in directives.settings.keys.sorted() where !known.contains(name) {
            throw Self.refusal("Unknown setting '\(name)=' of a fault.")
        }
    }

    subscript(name: String) -> String? { directives[name] }

    func integer(
        _ name: String, _ range: ClosedRange<Int> = 0...Int.max
    ) throws(APIError) -> Int? {
        guard let text = directives[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            let upper = range.upperBound == .max ? "" : " to \(range.upperBound)"
            throw Self.refusal(
                "Invalid '\(name)=\(text)' of a fault: expected a whole number from "
                    + "\(range.lowerBound)\(upper).")
        }
        return number
    }

    /// A part of all, from 0 to 1.
    func part(_ name: String) throws(APIError) -> Double? {
        guard let text = directives[name] else { return nil }
        guard let number = Double(text), 0...1 ~= number else {
            throw Self.refusal(
                "Invalid '\(name)=\(text)' of a fault: expected a number from 0 to 1.")
        }
        return number
    }

    func shape() throws(APIError) -> APIError.Shape? {
        guard let text = directives["shape"] else { return nil }
        guard let shape = APIError.Shape(rawValue: text) else {
            let names = APIError.Shape.allCases.map(\.rawValue).joined(separator: ", ")
            throw Self.refusal("Invalid 'shape=\(text)' of a fault; there are: \(names).")
        }
        return shape
    }

    static func refusal(_ message: String) -> APIError {
        .invalid(message, param: "input", code: "unknown_fault")
    }
}
