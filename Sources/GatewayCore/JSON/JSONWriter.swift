/// Writing JSON by appending to a buffer that the caller reuses.
///
/// A caller writes its own braces, commas and colons as literals: `append("{\"type\":\"delta\"")`.
extension [UInt8] {
    /// Appends raw bytes as they are.
    @inline(__always)
    package mutating func append(_ raw: Span<UInt8>) {
        // Nothing added to an empty array would still write to the storage that all empty arrays of all
        // threads share (ThreadSanitizer, Swift 6.3).
        guard !raw.isEmpty else { return }
        // One block is copied; a loop over the span takes four instructions a byte. The pointer stays within
        // the call, and the span's bytes outlive it.
        unsafe raw.withUnsafeBufferPointer { bytes in unsafe append(contentsOf: bytes) }
    }

    /// Appends the raw bytes at `range` of `raw` as they are.
    @inline(__always)
    package mutating func append(_ raw: Span<UInt8>, _ range: Range<Int>) {
        append(raw.extracting(range))
    }

    /// Appends the UTF-8 bytes of `literal` as they are: punctuation, keys, constant values.
    @inline(__always)
    package mutating func append(literal: String) {
        append(literal.utf8.span)
    }

    /// Appends an integer in decimal, without allocating.
    package mutating func append(decimal number: some FixedWidthInteger) {
        append(addingCapacity: DecimalDigits.most) { $0.append(decimal: number) }
    }

    /// Appends `text` as a JSON string, with its quotes.
    package mutating func append(jsonString text: String) {
        append(jsonString: text.utf8.span)
    }

    /// Appends UTF-8 text as a JSON string, with its quotes.
    ///
    /// Escapes only what RFC 8259 demands: the quote, the backslash and control characters.
    package mutating func append(jsonString text: Span<UInt8>) {
        append(UInt8(ascii: "\""))
        var index = 0
        while index < text.count {
            let end = Self.unescapedEnd(text, from: index)
            append(text.extracting(index..<end))
            guard end < text.count else { break }
            appendEscape(text[end])
            index = end + 1
        }
        append(UInt8(ascii: "\""))
    }

    /// Appends `"name":`, after a comma unless an object or array begins right before it.
    package mutating func append(jsonKey name: String) {
        if let last, last != UInt8(ascii: "{"), last != UInt8(ascii: "[") {
            append(UInt8(ascii: ","))
        }
        append(jsonString: name)
        append(UInt8(ascii: ":"))
    }

    private static func unescapedEnd(_ text: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < text.count {
            index = ByteScan.plainEnd(text, from: index)
            guard index < text.count, text[index] >= 0x80 else { return index }
            index += 1
        }
        return index
    }

    private mutating func appendEscape(_ byte: UInt8) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: append(UInt8(ascii: "b"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0C: append(UInt8(ascii: "f"))
        case 0x0D: append(UInt8(ascii: "r"))
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
        default:
            append(literal: "u00")
            append(UInt8(ascii: "0") + byte >> 4)
            let low = byte & 0x0F
            append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        }
    }

    /// Appends the UTF-8 bytes of a Unicode scalar value.
    mutating func appendScalar(_ value: UInt32) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | (value >> shift & 0x3F)) }
        switch value {
        case 0..<0x80:
            append(UInt8(value))
        case 0x80..<0x800:
            append(UInt8(0xC0 | value >> 6))
            append(tail(0))
        case 0x800..<0x10000:
            append(UInt8(0xE0 | value >> 12))
            append(tail(6))
            append(tail(0))
        default:
            append(UInt8(0xF0 | (value >> 18 & 0x07)))
            append(tail(12))
            append(tail(6))
            append(tail(0))
        }
    }
}

/// Writing into room that was made for several pieces at once: one look at an array's capacity for all of them.
extension OutputSpan<UInt8> {
    /// Appends raw bytes as they are; there must be room for them.
    @inline(__always)
    mutating func append(bytes raw: Span<UInt8>) {
        precondition(raw.count <= freeCapacity, "room was made for less")
        // One block is copied, as in `[UInt8].append`; neither pointer leaves its call.
        unsafe withUnsafeMutableBufferPointer { room, count in
            unsafe raw.withUnsafeBufferPointer { bytes in
                let rest = unsafe UnsafeMutableBufferPointer(rebasing: room[count...])
                _ = unsafe rest.initialize(fromContentsOf: bytes)
            }
            count += raw.count
        }
    }

    /// Appends an integer in decimal; there must be room for `DecimalDigits.most` bytes.
    @inline(__always)
    mutating func append(decimal number: some FixedWidthInteger) {
        if number < 0 { append(UInt8(ascii: "-")) }
        let digits = DecimalDigits(UInt64(truncatingIfNeeded: number.magnitude))
        append(bytes: digits.bytes.span.extracting(digits.start..<DecimalDigits.most))
    }
}

/// The digits of a number, at the end of `bytes`.
struct DecimalDigits {
    /// What a number takes at most, with its sign: `UInt64.max` has 20 digits, `Int64.min` 19.
    static var most: Int { 20 }

    private(set) var bytes: [20 of UInt8] = .init(repeating: 0)
    private(set) var start = DecimalDigits.most

    @inline(__always)
    init(_ number: UInt64) {
        var rest = number
        repeat {
            start -= 1
            bytes[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
    }
}
