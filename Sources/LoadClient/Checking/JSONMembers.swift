/// The members of one JSON object, found one after the other in one pass.
///
/// Nested values are skipped, strings left as written, escapes included: ranges of the line, never copies.
/// Refuses what is no JSON object; nesting is limited to 128.
package struct JSONMembers {
    /// A string field's bytes between its quotes, or a nested value's with its brackets.
    package struct Slice: Equatable {
        package var start: Int32 = -1
        package var end: Int32 = -1

        package var isPresent: Bool { start >= 0 }
        package var range: Range<Int> { isPresent ? Int(start)..<Int(end) : 0..<0 }
    }

    package enum Value {
        case string(Slice)
        /// `nil` for numbers that are no integer, and for `null`.
        case number(Int?)
        case boolean(Bool)
        case nested(Slice)
    }

    private var at = 0
    private var hasBegun = false
    /// Whether all of the line was one object; known once ``next(in:)`` has returned `nil`.
    package private(set) var isWhole = false

    package init() {}

    /// The next member of the object in `line`; `nil` at its end, or where it is broken.
    package mutating func next(in line: Span<UInt8>) -> (key: Slice, value: Value)? {
        at = Self.skipSpace(line, at)
        guard at < line.count else { return nil }
        if hasBegun {
            if line[at] == UInt8(ascii: "}") { return end(line) }
            guard line[at] == UInt8(ascii: ",") else { return nil }
            at = Self.skipSpace(line, at + 1)
        } else {
            guard line[at] == UInt8(ascii: "{") else { return nil }
            hasBegun = true
            at = Self.skipSpace(line, at + 1)
            if at < line.count, line[at] == UInt8(ascii: "}") { return end(line) }
        }
        guard let key = Self.string(line, &at) else { return nil }
        at = Self.skipSpace(line, at)
        guard at < line.count, line[at] == UInt8(ascii: ":") else { return nil }
        at = Self.skipSpace(line, at + 1)
        guard let value = Self.value(line, &at) else { return nil }
        return (key, value)
    }

    private mutating func end(_ line: Span<UInt8>) -> (key: Slice, value: Value)? {
        isWhole = Self.skipSpace(line, at + 1) == line.count
        at = line.count
        return nil
    }

    private static func skipSpace(_ line: Span<UInt8>, _ start: Int) -> Int {
        var at = start
        while at < line.count, line[at] <= 0x20 {
            guard line[at] == 0x20 || (0x09...0x0D).contains(line[at]) else { return at }
            at += 1
        }
        return at
    }

    /// The string that begins at `at`, without its quotes.
    private static func string(_ line: Span<UInt8>, _ at: inout Int) -> Slice? {
        guard at < line.count, line[at] == UInt8(ascii: "\"") else { return nil }
        let start = at + 1
        var end = start
        while end < line.count {
            switch line[end] {
            case UInt8(ascii: "\""):
                at = end + 1
                return Slice(start: Int32(truncatingIfNeeded: start), end: Int32(end))
            case UInt8(ascii: "\\"): end += 2
            case ..<0x20: return nil
            default: end += 1
            }
        }
        return nil
    }

    private static func value(_ line: Span<UInt8>, _ at: inout Int) -> Value? {
        guard at < line.count else { return nil }
        switch line[at] {
        case UInt8(ascii: "\""):
            guard let slice = string(line, &at) else { return nil }
            return .string(slice)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let start = at
            guard skipNested(line, &at) else { return nil }
            return .nested(Slice(start: Int32(start), end: Int32(at)))
        case UInt8(ascii: "t") where literal(line, &at, "true"): return .boolean(true)
        case UInt8(ascii: "f") where literal(line, &at, "false"): return .boolean(false)
        case UInt8(ascii: "n") where literal(line, &at, "null"): return .number(nil)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number(line, &at)
        default: return nil
        }
    }

    private static func literal(
        _ line: Span<UInt8>, _ at: inout Int, _ word: StaticString
    ) -> Bool {
        let slice = Slice(
            start: Int32(at), end: Int32(min(at + word.utf8CodeUnitCount, line.count)))
        guard equal(line, slice, word) else { return false }
        at += word.utf8CodeUnitCount
        return true
    }

    /// An integer of at most 18 digits; any other number is skipped and stands for none.
    private static func number(_ line: Span<UInt8>, _ at: inout Int) -> Value {
        var value = 0
        var digits = 0
        var isInteger = true
        scan: while at < line.count {
            switch line[at] {
            case let digit where digit &- 0x30 < 10:
                if digits < 18 { value = value * 10 + Int(digit - 0x30) }
                digits += 1
            case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"),
                UInt8(ascii: "E"):
                isInteger = false
            default: break scan
            }
            at += 1
        }
        return .number(isInteger && digits <= 18 ? value : nil)
    }

    private static func skipNested(_ line: Span<UInt8>, _ at: inout Int) -> Bool {
        var depth = 0
        while at < line.count {
            switch line[at] {
            case UInt8(ascii: "\""):
                guard string(line, &at) != nil else { return false }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                guard depth <= 128 else { return false }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
            default: break
            }
            at += 1
            if depth == 0 { return true }
        }
        return false
    }

    /// Whether the bytes of `slice` are those of `word`.
    package static func equal(_ line: Span<UInt8>, _ slice: Slice, _ word: StaticString) -> Bool {
        guard slice.isPresent, Int(slice.end - slice.start) == word.utf8CodeUnitCount else {
            return false
        }
        let start = Int(slice.start)
        return word.withUTF8Buffer { bytes in
            for offset in 0..<bytes.count where line[start + offset] != bytes[offset] {
                return false
            }
            return true
        }
    }
}

extension Span<UInt8> {
    /// A copy of what `slice` covers.
    func bytes(_ slice: JSONMembers.Slice) -> [UInt8] {
        extracting(slice.range).withUnsafeBufferPointer { Array($0) }
    }

    /// Whether `slice` covers just these bytes; one that is not there covers none.
    func has(_ bytes: [UInt8], at slice: JSONMembers.Slice) -> Bool {
        let range = slice.range
        guard bytes.count == range.count else { return false }
        for offset in 0..<range.count where bytes[offset] != self[range.lowerBound + offset] {
            return false
        }
        return true
    }

    /// The same as text, escapes as written.
    func string(_ slice: JSONMembers.Slice) -> String {
        String(decoding: bytes(slice), as: UTF8.self)
    }
}
