/// What a key takes, with its range and unit.
package enum ConfigurationKind: Sendable {
    case bool
    case integer(ClosedRange<Int>)
    /// An integer, or the word `auto`, whose value is `.text("auto")`.
    case automaticInteger(ClosedRange<Int>)
    /// A whole number of seconds; the key ends in `_s`.
    case seconds(ClosedRange<Int>)
    /// A whole number of milliseconds; the key ends in `_ms`.
    case milliseconds(ClosedRange<Int>)
    /// A number of bytes; the key ends in `bytes`.
    case bytes(ClosedRange<Int>)
    case choice([String])
    case text(TextRule)
    case list(TextRule, maximumCount: Int)
    case map(name: TextRule, value: TextRule, maximumCount: Int)

    /// The unit of the number, where there is one.
    package var unit: String? {
        switch self {
        case .seconds: "seconds"
        case .milliseconds: "milliseconds"
        case .bytes: "bytes"
        case .bool, .integer, .automaticInteger, .choice, .text, .list, .map: nil
        }
    }

    /// For error messages and documentation: "expected …".
    package var expectation: String {
        switch self {
        case .bool: "true or false"
        case .integer(let range): "an integer from \(range.lowerBound) to \(range.upperBound)"
        case .automaticInteger(let range):
            "auto, or an integer from \(range.lowerBound) to \(range.upperBound)"
        case .seconds(let range):
            "a whole number of seconds from \(range.lowerBound) to \(range.upperBound)"
        case .milliseconds(let range):
            "a whole number of milliseconds from \(range.lowerBound) to \(range.upperBound)"
        case .bytes(let range):
            "a number of bytes from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let words): "one of \(words.joined(separator: ", "))"
        case .text(let rule): rule.expectation
        case .list(let rule, let count): "a list of at most \(count), each \(rule.expectation)"
        case .map(let name, let value, let count):
            "a mapping of at most \(count), each \(name.expectation) to \(value.expectation)"
        }
    }

    /// The value that `text` stands for; `nil` when it is not what the kind expects.
    ///
    /// Lists and maps are not made from text here, see `ConfigurationKey.value(of:)`.
    func value(of text: String) -> ConfigurationValue? {
        switch self {
        case .bool: text == "true" ? .bool(true) : text == "false" ? .bool(false) : nil
        case .automaticInteger where text == "auto": .text("auto")
        case .integer(let range), .automaticInteger(let range), .seconds(let range),
            .milliseconds(let range), .bytes(let range):
            Self.decimal(text).flatMap { range.contains($0) ? .integer($0) : nil }
        case .choice(let words): words.contains(text) ? .text(text) : nil
        case .text(let rule): rule.accepts(text) ? .text(text) : nil
        case .list, .map: nil
        }
    }

    private static func decimal(_ text: String) -> Int? {
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }
}
