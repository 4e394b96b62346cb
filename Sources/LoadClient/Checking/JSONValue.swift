/// A JSON document in memory, for what is rare: snapshots and baselines, never deltas.
///
/// Numbers are doubles; nesting is limited to 128, so that a peer cannot exhaust the stack.
package indirect enum JSONValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    package static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.boolean(let one), .boolean(let two)): one == two
        case (.number(let one), .number(let two)): one == two
        case (.string(let one), .string(let two)): one == two
        case (.array(let one), .array(let two)): one == two
        case (.object(let one), .object(let two)):
            one.count == two.count && zip(one, two).allSatisfy { $0.0 == $1.0 && $0.1 == $1.1 }
        default: false
        }
    }

    /// The member named `key`; `nil` for other values.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var number: Double? { if case .number(let value) = self { value } else { nil } }
    /// A whole number that an `Int` can hold.
    package var integer: Int? { number.flatMap { Int(exactly: $0) } }
    package var array: [JSONValue] { if case .array(let value) = self { value } else { [] } }

    /// The texts of an output item, if this is one.
    var outputTexts: [String] {
        (self["content"]?.array ?? []).compactMap { content in
            content["type"]?.string == "output_text" ? content["text"]?.string : nil
        }
    }

    /// Parses a whole document; `nil` when it is not JSON.
    ///
    /// Undecoded strings keep their escapes as written, half surrogate pairs included.
    package init?(parsing bytes: Span<UInt8>, decodingStrings: Bool = true) {
        var parser = JSONParser(decodingStrings: decodingStrings)
        guard let value = parser.document(bytes) else { return nil }
        self = value
    }
}

private struct JSONParser {
    private static let maximumDepth = 128
    private let decodingStrings: Bool
    private var at = 0

    init(decodingStrings: Bool) { self.decodingStrings = decodingStrings }

    mutating func document(_ bytes: Span<UInt8>) -> JSONValue? {
        guard let value = value(bytes, depth: 0) else { return nil }
        skipSpace(bytes)
        return at == bytes.count ? value : nil
    }

    private mutating func skipSpace(_ bytes: Span<UInt8>) {
        while at < bytes.count, " \n\r\t".utf8.contains(bytes[at]) { at += 1 }
    }

    private mutating func take(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
        skipSpace(bytes)
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    private mutating func value(_ bytes: Span<UInt8>, depth: Int) -> JSONValue? {
        skipSpace(bytes)
        guard at < bytes.count, depth < Self.maximumDepth else { return nil }
        switch bytes[at] {
        case UInt8(ascii: "{"): return object(bytes, depth: depth)
        case UInt8(ascii: "["): return array(bytes, depth: depth)
        case UInt8(ascii: "\""): return string(bytes).map { .string($0) }
        default: return scalar(bytes)
        }
    }

    private mutating func object(_ bytes: Span<UInt8>, depth: Int) -> JSONValue? {
        at += 1
        var members: [(key: String, value: JSONValue)] = []
        if take(UInt8(ascii: "}"), bytes) { return .object(members) }
        while true {
            skipSpace(bytes)
            guard let key = string(bytes), take(UInt8(ascii: ":"), bytes),
                let value = value(bytes, depth: depth + 1)
            else { return nil }
            members.append((key, value))
            if take(UInt8(ascii: "}"), bytes) { return .object(members) }
            guard take(UInt8(ascii: ","), bytes) else { return nil }
        }
    }

    private mutating func array(_ bytes: Span<UInt8>, depth: Int) -> JSONValue? {
        at += 1
        var values: [JSONValue] = []
        if take(UInt8(ascii: "]"), bytes) { return .array(values) }
        while true {
            guard let value = value(bytes, depth: depth + 1) else { return nil }
            values.append(value)
            if take(UInt8(ascii: "]"), bytes) { return .array(values) }
            guard take(UInt8(ascii: ","), bytes) else { return nil }
        }
    }

    private mutating func string(_ bytes: Span<UInt8>) -> String? {
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { return nil }
        let start = at + 1
        guard let end = Self.endOfString(bytes, from: start) else { return nil }
        let piece = bytes.extracting(start..<end)
        at = end + 1
        guard decodingStrings else {
            return piece.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        }
        var text = JoinedText()
        text.append(piece)
        var decoded: [UInt8] = []
        text.decode(into: &decoded)
        return String(decoding: decoded, as: UTF8.self)
    }

    /// Where the quote is that ends a string; the item of a response repeats all its text, so texts are long.
    private static func endOfString(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        guard let quote = bytes.extracting(start...).firstIndex(of: UInt8(ascii: "\"")) else {
            return nil
        }
        let text = bytes.extracting(start..<(start + quote))
        guard let escape = text.firstIndex(of: UInt8(ascii: "\\")) else { return start + quote }
        var end = start + escape
        while end < bytes.count, bytes[end] != UInt8(ascii: "\"") {
            end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        return end < bytes.count ? end : nil
    }

    private mutating func scalar(_ bytes: Span<UInt8>) -> JSONValue? {
        var word: [UInt8] = []
        while at < bytes.count, !",]} \n\r\t".utf8.contains(bytes[at]) {
            word.append(bytes[at])
            at += 1
        }
        switch String(decoding: word, as: UTF8.self) {
        case "null": return .null
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case let text: return Double(text).map { .number($0) }
        }
    }
}
