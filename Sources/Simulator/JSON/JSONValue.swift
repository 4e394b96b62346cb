/// A JSON value that keeps the order of its keys and the spelling of its numbers.
///
/// The simulator echoes what a request said, so `1.0` must stay `1.0`.
package enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// The number as it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// One key of an object with its value.
    package struct Member: Equatable, Sendable {
        package let key: String
        package let value: JSONValue

        package init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    package static func integer(_ value: Int) -> JSONValue { .number(String(value)) }

    /// The last value of `key`, as most parsers understand a repeated key; `nil` where there is none.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    package var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    package var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    package var integer: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text)
    }

    package var double: Double? {
        guard case .number(let text) = self else { return nil }
        return Double(text)
    }

    package var array: [JSONValue]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    package var members: [Member]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    package var isNull: Bool { self == .null }

    /// The value as compact JSON text.
    package var bytes: [UInt8] {
        var out: [UInt8] = []
        out.put(self)
        return out
    }
}
