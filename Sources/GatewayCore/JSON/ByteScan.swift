/// Looks at eight bytes at a time through bounds-checked loads.
///
/// The optimiser turns `word` into one load, so that strings are skipped at about 10 bytes a
/// nanosecond without a pointer.
enum ByteScan {
    static let ones: UInt64 = 0x0101_0101_0101_0101
    static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// The eight bytes from `index`, the first in the lowest bits.
    @inline(__always)
    static func word(_ bytes: Span<UInt8>, _ index: Int) -> UInt64 {
        let part = bytes.extracting(index..<(index + 8))
        return UInt64(part[0]) | UInt64(part[1]) << 8 | UInt64(part[2]) << 16
            | UInt64(part[3]) << 24 | UInt64(part[4]) << 32 | UInt64(part[5]) << 40
            | UInt64(part[6]) << 48 | UInt64(part[7]) << 56
    }

    /// Sets the high bit of each byte of `word` that equals `byte`; exact up to the first match.
    @inline(__always)
    static func matches(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return (difference &- ones) & ~difference & highBits
    }

    /// The index of the first CR or LF at or after `start`, or `nil`.
    @inline(__always)
    static func lineEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while bytes.count - index >= 8 {
            let word = word(bytes, index)
            let found = matches(word, 0x0A) | matches(word, 0x0D)
            if found != 0 { return index + found.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < bytes.count {
            if bytes[index] == 0x0A || bytes[index] == 0x0D { return index }
            index += 1
        }
        return nil
    }

    /// The first index at or after `start` whose byte is not plain inside a JSON string: a quote,
    /// a backslash, a control character or a byte of a character beyond ASCII.
    @inline(__always)
    static func plainEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while bytes.count - index >= 8 {
            let word = word(bytes, index)
            let control = (word &- ones &* 0x20) & ~word & highBits
            let found =
                matches(word, 0x22) | matches(word, 0x5C) | control | (word & highBits)
            if found != 0 { return index + found.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0x22 || byte == 0x5C || byte < 0x20 || byte >= 0x80 { return index }
            index += 1
        }
        return index
    }

    /// The first index at or after `start` that holds a quote or a backslash, or the count.
    @inline(__always)
    static func quoteOrBackslash(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while bytes.count - index >= 8 {
            let word = word(bytes, index)
            let found = matches(word, 0x22) | matches(word, 0x5C)
            if found != 0 { return index + found.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < bytes.count, bytes[index] != 0x22, bytes[index] != 0x5C { index += 1 }
        return index
    }

    /// Whether the bytes at `range` are those of `text`.
    @inline(__always)
    static func equal(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: String) -> Bool {
        let other = text.utf8.span
        guard range.count == other.count, range.upperBound <= bytes.count else { return false }
        var index = 0
        while other.count - index >= 8 {
            guard word(bytes, range.lowerBound + index) == word(other, index) else { return false }
            index += 8
        }
        while index < other.count {
            guard bytes[range.lowerBound + index] == other[index] else { return false }
            index += 1
        }
        return true
    }

    /// The number of bytes of the UTF-8 character at `index`, or `nil` when it is not one.
    ///
    /// Source: RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF.
    @inline(__always)
    static func characterLength(_ bytes: Span<UInt8>, _ index: Int) -> Int? {
        let first = bytes[index]
        let rest = bytes.count - index
        switch first {
        case 0x00...0x7F:
            return 1
        case 0xC2...0xDF:
            guard rest >= 2, bytes[index + 1] & 0xC0 == 0x80 else { return nil }
            return 2
        case 0xE0...0xEF:
            guard rest >= 3 else { return nil }
            let second = bytes[index + 1]
            let low: UInt8 = first == 0xE0 ? 0xA0 : 0x80
            let high: UInt8 = first == 0xED ? 0x9F : 0xBF
            guard second >= low, second <= high, bytes[index + 2] & 0xC0 == 0x80 else { return nil }
            return 3
        case 0xF0...0xF4:
            guard rest >= 4 else { return nil }
            let second = bytes[index + 1]
            let low: UInt8 = first == 0xF0 ? 0x90 : 0x80
            let high: UInt8 = first == 0xF4 ? 0x8F : 0xBF
            guard second >= low, second <= high, bytes[index + 2] & 0xC0 == 0x80,
                bytes[index + 3] & 0xC0 == 0x80
            else { return nil }
            return 4
        default:
            return nil
        }
    }
}
