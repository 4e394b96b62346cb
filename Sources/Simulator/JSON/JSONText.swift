/// Writing JSON into a growing buffer; nothing here allocates beyond that buffer's growth.
extension [UInt8] {
    /// Appends `text` as it is.
    mutating func put(_ text: String) { append(contentsOf: text.utf8) }

    /// Appends the decimal digits of `value`.
    mutating func put(_ value: Int) {
        if value < 0 {
            append(UInt8(ascii: "-"))
        }
        put(value.magnitude)
    }

    /// Appends the decimal digits of `value`.
    mutating func put(_ value: UInt) {
        let start = count
        var rest = value
        repeat {
            append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }

    /// Appends `text` as a JSON string with its quotes.
    mutating func putQuoted(_ text: String) {
        append(UInt8(ascii: "\""))
        putEscaped(text)
        append(UInt8(ascii: "\""))
    }

    /// Appends `text` as the inside of a JSON string: escaped where JSON demands it, raw UTF-8 elsewhere.
    mutating func putEscaped(_ text: String) {
        for byte in text.utf8 { putEscaped(byte) }
    }

    private mutating func putEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case 0x0A: put("\\n")
        case 0x0D: put("\\r")
        case 0x09: put("\\t")
        case 0x08: put("\\b")
        case 0x0C: put("\\f")
        case 0..<0x20:
            put("\\u00")
            append(Self.hexadecimal[Int(byte >> 4)])
            append(Self.hexadecimal[Int(byte & 15)])
        default: append(byte)
        }
    }

    /// Appends `value` as compact JSON.
    mutating func put(_ value: JSONValue) {
        switch value {
        case .null: put("null")
        case .bool(let flag): put(flag ? "true" : "false")
        case .number(let text): put(text)
        case .string(let text): putQuoted(text)
        case .array(let values):
            append(UInt8(ascii: "["))
            for (index, element) in values.enumerated() {
                if index > 0 { append(UInt8(ascii: ",")) }
                put(element)
            }
            append(UInt8(ascii: "]"))
        case .object(let members):
            append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { append(UInt8(ascii: ",")) }
                putQuoted(member.key)
                append(UInt8(ascii: ":"))
                put(member.value)
            }
            append(UInt8(ascii: "}"))
        }
    }

    private static var hexadecimal: [UInt8] { Array("0123456789abcdef".utf8) }

    /// The bytes as text, for messages and tests; invalid UTF-8 is repaired.
    package var text: String { String(decoding: self, as: UTF8.self) }
}
