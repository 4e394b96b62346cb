/// What varies between log lines with the same body: names known at compile time, typed values.
///
/// Never put a prompt, an answer, a token or a header with credentials in here. Values whose name
/// ends like a credential's (`authorization`, `api_key`, `token`, `secret` …) are replaced.
package struct LogAttributes: Sendable, ExpressibleByDictionaryLiteral {
    /// One value; literals become one by themselves.
    package enum Value: Sendable, Equatable {
        case text(String)
        case integer(Int)
        case number(Double)
        case flag(Bool)
    }

    private(set) var entries: [(name: StaticString, value: Value)]

    package init(dictionaryLiteral elements: (StaticString, Value)...) {
        entries = elements.map { ($0.0, $0.1) }
    }

    /// Adds an attribute; `nil` adds nothing.
    package mutating func set(_ name: StaticString, _ value: Value?) {
        if let value { entries.append((name, value)) }
    }

    /// These attributes followed by `others`.
    package func adding(_ others: LogAttributes) -> LogAttributes {
        var result = self
        result.entries += others.entries
        return result
    }

    /// True for names whose value must not be written.
    static func isCredential(_ name: StaticString) -> Bool {
        let name = name.description.lowercased()
        let endings = [
            "authorization", "api_key", "apikey", "api-key", "token", "secret", "password",
            "cookie", "credential", "credentials",
        ]
        return endings.contains { name.hasSuffix($0) }
    }
}

extension LogAttributes.Value: ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(booleanLiteral value: Bool) { self = .flag(value) }
}
