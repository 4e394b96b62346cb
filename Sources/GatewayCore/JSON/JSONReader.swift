/// What a JSON value is.
package enum JSONKind: Sendable {
    case object
    case array
    case string
    case number
    case `true`
    case `false`
    case null
}

/// One JSON value, as a place in a buffer that the caller holds.
package struct JSONValue: Equatable, Sendable {
    /// What the value is.
    package var kind: JSONKind
    /// Where the whole raw value stands, quotes and brackets included.
    package var range: Range<Int>

    /// Describes a value at `range`, which the caller has validated.
    package init(kind: JSONKind, range: Range<Int>) {
        self.kind = kind
        self.range = range
    }
}

/// One member of an object, as places in the buffer.
package struct JSONMember: Equatable, Sendable {
    /// Where the raw key stands, without its quotes.
    package var key: Range<Int>
    /// Whether the raw key holds a backslash, so that it must be decoded before comparing.
    package var keyHasEscapes: Bool
    /// The value.
    package var value: JSONValue
}

/// Why a buffer is not one JSON value, and where.
package struct JSONSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The rule that was broken.
    package enum Reason: Equatable, Sendable {
        case unexpectedEnd
        case unexpectedByte
        case trailingBytes
        case invalidNumber
        case invalidLiteral
        case invalidEscape
        case controlCharacterInString
        case invalidUTF8
        case tooDeep(maximumDepth: Int)
    }

    /// The rule that was broken.
    package var reason: Reason
    /// The index of the first byte that breaks it.
    package var offset: Int

    /// A sentence for a log: the rule and the offset, never the content.
    package var description: String {
        let rule =
            switch reason {
            case .unexpectedEnd: "ends too early"
            case .unexpectedByte: "has a byte that no rule allows there"
            case .trailingBytes: "goes on after its value"
            case .invalidNumber: "has a malformed number"
            case .invalidLiteral: "has a malformed literal"
            case .invalidEscape: "has a malformed escape"
            case .controlCharacterInString: "has a control character inside a string"
            case .invalidUTF8: "is not UTF-8"
            case .tooDeep(let maximumDepth): "is nested deeper than \(maximumDepth) levels"
            }
        return "JSON \(rule) at byte \(offset)"
    }
}

/// Validates JSON text and tells where its values stand; copies nothing.
///
/// Refuses what RFC 8259 refuses (also lone CR, comments, trailing commas, NaN), bytes that are not
/// UTF-8 (RFC 3629), and nesting deeper than `maximumDepth`. Lone surrogate escapes are lawful JSON
/// and pass. A byte order mark is refused.
package struct JSONReader: Sendable {
    /// The deepest nesting that any reader allows: values are read recursively.
    static let highestMaximumDepth = 512

    /// The deepest nesting of what upstream answers; what clients send has a limit of its own (`limits.json_depth`).
    package static let upstreamMaximumDepth = 128

    /// How many objects and arrays may stand inside each other.
    package let maximumDepth: Int

    /// Makes a reader; depths outside 1…512 are brought to the nearer bound.
    package init(maximumDepth: Int) {
        self.maximumDepth = min(max(maximumDepth, 1), Self.highestMaximumDepth)
    }

    /// Reads a buffer that is exactly one value, with whitespace around it allowed.
    package func read(_ bytes: Span<UInt8>) throws(JSONSyntaxError) -> JSONValue {
        var index = 0
        JSONScan.skipWhitespace(bytes, &index)
        let start = index
        let kind = try value(bytes, &index, level: 0)
        let end = index
        try expectEnd(bytes, &index)
        return JSONValue(kind: kind, range: start..<end)
    }

    /// Reads a buffer that is exactly one value, lending each member of the outermost object.
    ///
    /// Members come in order, duplicates included (the last one counts). An error may come after
    /// members were lent. When the value is no object, `member` is never called.
    @inline(__always)
    package func read(
        _ bytes: Span<UInt8>, member: (JSONMember) -> Void
    ) throws(JSONSyntaxError) -> JSONValue {
        var index = 0
        JSONScan.skipWhitespace(bytes, &index)
        guard index < bytes.count, bytes[index] == UInt8(ascii: "{") else {
            return try read(bytes)
        }
        let start = index
        try object(bytes, &index, level: 0, member: member)
        let end = index
        try expectEnd(bytes, &index)
        return JSONValue(kind: .object, range: start..<end)
    }

    private func expectEnd(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONSyntaxError) {
        JSONScan.skipWhitespace(bytes, &index)
        if index < bytes.count { throw JSONSyntaxError(reason: .trailingBytes, offset: index) }
    }

    private func value(
        _ bytes: Span<UInt8>, _ index: inout Int, level: Int
    ) throws(JSONSyntaxError) -> JSONKind {
        guard index < bytes.count else {
            throw JSONSyntaxError(reason: .unexpectedEnd, offset: index)
        }
        switch bytes[index] {
        case UInt8(ascii: "\""):
            _ = try JSONScan.string(bytes, &index)
            return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try JSONScan.number(bytes, &index)
            return .number
        case UInt8(ascii: "{"):
            try object(bytes, &index, level: level) { _ in }
            return .object
        case UInt8(ascii: "["):
            try array(bytes, &index, level: level)
            return .array
        case UInt8(ascii: "t"):
            try JSONScan.literal("true", bytes, &index)
            return .true
        case UInt8(ascii: "f"):
            try JSONScan.literal("false", bytes, &index)
            return .false
        case UInt8(ascii: "n"):
            try JSONScan.literal("null", bytes, &index)
            return .null
        default:
            throw JSONSyntaxError(reason: .unexpectedByte, offset: index)
        }
    }

    @inline(__always)
    private func object(
        _ bytes: Span<UInt8>, _ index: inout Int, level: Int, member: (JSONMember) -> Void
    ) throws(JSONSyntaxError) {
        try checkDepth(level, index)
        index += 1
        JSONScan.skipWhitespace(bytes, &index)
        if try JSONScan.take(UInt8(ascii: "}"), bytes, &index) { return }
        while true {
            guard index < bytes.count else {
                throw JSONSyntaxError(reason: .unexpectedEnd, offset: index)
            }
            guard bytes[index] == UInt8(ascii: "\"") else {
                throw JSONSyntaxError(reason: .unexpectedByte, offset: index)
            }
            let keyStart = index + 1
            let escapes = try JSONScan.string(bytes, &index)
            let key = keyStart..<(index - 1)
            JSONScan.skipWhitespace(bytes, &index)
            guard try JSONScan.take(UInt8(ascii: ":"), bytes, &index) else {
                throw JSONSyntaxError(reason: .unexpectedByte, offset: index)
            }
            JSONScan.skipWhitespace(bytes, &index)
            let start = index
            let kind = try value(bytes, &index, level: level + 1)
            member(
                JSONMember(
                    key: key, keyHasEscapes: escapes,
                    value: JSONValue(kind: kind, range: start..<index)))
            JSONScan.skipWhitespace(bytes, &index)
            if try JSONScan.take(UInt8(ascii: ","), bytes, &index) {
                JSONScan.skipWhitespace(bytes, &index)
                continue
            }
            if try JSONScan.take(UInt8(ascii: "}"), bytes, &index) { return }
            throw JSONSyntaxError(reason: .unexpectedByte, offset: index)
        }
    }

    private func array(
        _ bytes: Span<UInt8>, _ index: inout Int, level: Int
    ) throws(JSONSyntaxError) {
        try checkDepth(level, index)
        index += 1
        JSONScan.skipWhitespace(bytes, &index)
        if try JSONScan.take(UInt8(ascii: "]"), bytes, &index) { return }
        while true {
            _ = try value(bytes, &index, level: level + 1)
            JSONScan.skipWhitespace(bytes, &index)
            if try JSONScan.take(UInt8(ascii: ","), bytes, &index) {
                JSONScan.skipWhitespace(bytes, &index)
                continue
            }
            if try JSONScan.take(UInt8(ascii: "]"), bytes, &index) { return }
            throw JSONSyntaxError(reason: .unexpectedByte, offset: index)
        }
    }

    private func checkDepth(_ level: Int, _ index: Int) throws(JSONSyntaxError) {
        if level >= maximumDepth {
            throw JSONSyntaxError(reason: .tooDeep(maximumDepth: maximumDepth), offset: index)
        }
    }
}
