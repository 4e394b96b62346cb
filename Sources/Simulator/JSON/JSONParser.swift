/// Reads one JSON text (RFC 8259) from bytes.
///
/// Refuses what OpenAI refuses: trailing bytes, invalid UTF-8, nesting deeper than `maximumDepth`.
package struct JSONParser {
    /// Where and why a text is not JSON.
    package struct Failure: Error, Equatable {
        package let offset: Int
        package let reason: String
    }

    package static let maximumDepth = 128

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The value that `bytes` spell.
    package static func parse(_ bytes: [UInt8]) throws(Failure) -> JSONValue {
        var parser = JSONParser(bytes)
        let value = try parser.value()
        parser.skipSpace()
        guard parser.position == bytes.count else {
            throw parser.failure("unexpected trailing data")
        }
        return value
    }

    private func failure(_ reason: String) -> Failure { Failure(offset: position, reason: reason) }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    private mutating func expect(_ literal: String, _ value: JSONValue) throws(Failure) -> JSONValue
    {
        guard bytes[position...].starts(with: literal.utf8) else {
            throw failure("unknown literal")
        }
        position += literal.utf8.count
        return value
    }

    private mutating func value() throws(Failure) -> JSONValue {
        skipSpace()
        guard let byte = current else { throw failure("unexpected end of data") }
        switch byte {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try expect("true", .bool(true))
        case UInt8(ascii: "f"): return try expect("false", .bool(false))
        case UInt8(ascii: "n"): return try expect("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure("unexpected character")
        }
    }

    private mutating func enter() throws(Failure) {
        depth += 1
        guard depth <= Self.maximumDepth else { throw failure("nested too deeply") }
        position += 1
        skipSpace()
    }

    private mutating func object() throws(Failure) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var members: [JSONValue.Member] = []
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw failure("expected a key") }
            let key = try string()
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw failure("expected ':'") }
            position += 1
            members.append(.init(key, try value()))
            if try ends(with: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array() throws(Failure) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var values: [JSONValue] = []
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(values)
        }
        while true {
            values.append(try value())
            if try ends(with: UInt8(ascii: "]")) { return .array(values) }
        }
    }

    /// Consumes a comma (`false`) or the closing `bracket` (`true`).
    private mutating func ends(with bracket: UInt8) throws(Failure) -> Bool {
        skipSpace()
        guard let byte = current, byte == bracket || byte == UInt8(ascii: ",") else {
            throw failure("expected ',' or a closing bracket")
        }
        position += 1
        return byte == bracket
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        let whole = digits()
        guard whole == 1 || (whole > 1 && bytes[position - whole] != UInt8(ascii: "0")) else {
            throw failure("malformed number")
        }
        if current == UInt8(ascii: ".") {
            position += 1
            guard digits() > 0 else { throw failure("malformed number") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            guard digits() > 0 else { throw failure("malformed number") }
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
            position += 1
        }
        return position - start
    }

    private mutating func string() throws(Failure) -> String {
        position += 1
        let start = position
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw failure("control character in a string") }
            position += 1
        }
        if current == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try text(bytes[start..<position])
        }
        return try escapedString(from: start)
    }

    private mutating func escapedString(from start: Int) throws(Failure) -> String {
        var decoded = Array(bytes[start..<position])
        while let byte = current {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return try text(decoded[...])
            case UInt8(ascii: "\\"): try escape(into: &decoded)
            case 0..<0x20: throw failure("control character in a string")
            default: decoded.append(byte)
            }
        }
        throw failure("unterminated string")
    }

    private func text(_ slice: ArraySlice<UInt8>) throws(Failure) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw failure("invalid UTF-8")
        }
        return text
    }

    private mutating func escape(into decoded: inout [UInt8]) throws(Failure) {
        guard let byte = current else { throw failure("unterminated string") }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(byte)
        case UInt8(ascii: "u"): try unicodeEscape(into: &decoded)
        default: throw failure("unknown escape")
        }
    }

    /// A lone surrogate becomes U+FFFD: Swift text cannot hold one.
    private mutating func unicodeEscape(into decoded: inout [UInt8]) throws(Failure) {
        let high = try codeUnit()
        var scalar = UInt32(high)
        if high >= 0xD800, high < 0xDC00, bytes[position...].starts(with: "\\u".utf8) {
            let mark = position
            position += 2
            let low = try codeUnit()
            if low >= 0xDC00, low < 0xE000 {
                scalar = 0x10000 + (UInt32(high) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
            } else {
                position = mark
            }
        }
        decoded.append(contentsOf: String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8)
    }

    private mutating func codeUnit() throws(Failure) -> UInt16 {
        guard position + 4 <= bytes.count,
            let unit = UInt16(
                String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw failure("malformed \\u escape") }
        position += 4
        return unit
    }
}
