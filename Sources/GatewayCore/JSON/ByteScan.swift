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

    /// Whether any of the 32 bytes of `window` is marked by `mark`, which marks bytes of a word.
    ///
    /// One check of bounds serves four words: it is a third of what a word costs.
    @inline(__always)
    private static func any(_ window: Span<UInt8>, _ mark: (UInt64) -> UInt64) -> Bool {
        let first = mark(word(window, 0)) | mark(word(window, 8))
        let second = mark(word(window, 16)) | mark(word(window, 24))
        return (first | second) & highBits != 0
    }

    /// The first index at or after `start` whose byte `mark` marks by its high bit, or the count.
    ///
    /// `mark` may mark a byte too many, but no byte before the first that `isWanted`.
    @inline(__always)
    private static func first(
        _ bytes: Span<UInt8>, from start: Int, mark: (UInt64) -> UInt64, isWanted: (UInt8) -> Bool
    ) -> Int {
        var index = start
        while bytes.count - index >= 32 {
            guard any(bytes.extracting(index..<(index + 32)), mark) else {
                index += 32
                continue
            }
            let end = index + 32
            while index < end {
                let found = mark(word(bytes, index)) & highBits
                if found != 0 {
                    let place = index + found.trailingZeroBitCount / 8
                    if isWanted(bytes[place]) { return place }
                    index = place + 1
                    break
                }
                index += 8
            }
        }
        while bytes.count - index >= 8 {
            let found = mark(word(bytes, index)) & highBits
            if found == 0 {
                index += 8
                continue
            }
            let place = index + found.trailingZeroBitCount / 8
            if isWanted(bytes[place]) { return place }
            index = place + 1
        }
        while index < bytes.count, !isWanted(bytes[index]) { index += 1 }
        return index
    }

    /// Marks the bytes of `word` that equal `byte`, by their high bits; other bits are meaningless.
    @inline(__always)
    private static func marks(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return (difference &- ones) & ~difference
    }

    /// The index of the first CR or LF at or after `start`, or `nil`.
    @inline(__always)
    static func lineEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        // One test for both: text holds hardly any other byte below 14.
        let end = first(bytes, from: start) {
            ($0 &- ones &* 0x0E) & ~$0
        } isWanted: {
            $0 == 0x0A || $0 == 0x0D
        }
        return end < bytes.count ? end : nil
    }

    /// The first index at or after `start` whose byte is not plain inside a JSON string: a quote,
    /// a backslash, a control character or a byte of a character beyond ASCII.
    @inline(__always)
    static func plainEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
        first(bytes, from: start) {
            marks($0, 0x22) | marks($0, 0x5C) | (($0 &- ones &* 0x20) & ~$0) | $0
        } isWanted: {
            $0 == 0x22 || $0 == 0x5C || $0 < 0x20 || $0 >= 0x80
        }
    }

    /// The first index at or after `start` that holds a quote or a backslash, or the count.
    @inline(__always)
    static func quoteOrBackslash(_ bytes: Span<UInt8>, from start: Int) -> Int {
        first(bytes, from: start) {
            marks($0, 0x22) | marks($0, 0x5C)
        } isWanted: {
            $0 == 0x22 || $0 == 0x5C
        }
    }

    /// Whether `count` bytes of two buffers are the same; false where one has not that many.
    @inline(__always)
    static func isSame(
        _ left: Span<UInt8>, _ leftStart: Int, _ right: Span<UInt8>, _ rightStart: Int, count: Int
    ) -> Bool {
        guard count <= left.count - leftStart, count <= right.count - rightStart else {
            return false
        }
        let left = left.extracting(leftStart..<(leftStart + count))
        let right = right.extracting(rightStart..<(rightStart + count))
        var index = 0
        while count - index >= 32 {
            let one = left.extracting(index..<(index + 32))
            let other = right.extracting(index..<(index + 32))
            let first = (word(one, 0) ^ word(other, 0)) | (word(one, 8) ^ word(other, 8))
            let second = (word(one, 16) ^ word(other, 16)) | (word(one, 24) ^ word(other, 24))
            guard first | second == 0 else { return false }
            index += 32
        }
        while count - index >= 8 {
            guard word(left, index) == word(right, index) else { return false }
            index += 8
        }
        while index < count {
            guard left[index] == right[index] else { return false }
            index += 1
        }
        return true
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
