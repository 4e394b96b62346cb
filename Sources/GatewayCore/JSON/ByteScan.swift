/// Looks at 16 or 64 bytes at a time through bounds-checked loads.
///
/// SSE2 is all that the compiler may count on, and enough: a block is compared in one instruction, so that
/// strings are skipped at less than an instruction a byte (decision 55).
enum ByteScan {
    static let ones: UInt64 = 0x0101_0101_0101_0101
    static let highBits: UInt64 = 0x8080_8080_8080_8080

    private typealias Block = SIMD16<UInt8>
    private typealias Marks = SIMDMask<SIMD16<Int8>>
    private static var width: Int { 16 }

    /// The eight bytes from `index`, the first in the lowest bits.
    @inline(__always)
    static func word(_ bytes: Span<UInt8>, _ index: Int) -> UInt64 {
        UInt64(littleEndian: load(bytes, index))
    }

    /// As many bytes from `index` as an `Integers` has.
    ///
    /// The load is checked against the span's bounds. "Unsafe" is that some types have bits without a meaning;
    /// integers and vectors of them have none.
    @inline(__always)
    private static func load<Integers: BitwiseCopyable>(
        _ bytes: Span<UInt8>, _ index: Int
    ) -> Integers {
        unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: Integers.self)
    }

    /// Sets the high bit of each byte of `word` that equals `byte`; exact up to the first match.
    @inline(__always)
    static func matches(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return (difference &- ones) & ~difference & highBits
    }

    /// The marks as they lie in memory: eight set bits a byte that is marked, and none for any other.
    @inline(__always)
    private static func words(_ marks: Marks) -> SIMD2<UInt64> {
        unsafe unsafeBitCast(marks, to: SIMD2<UInt64>.self)
    }

    /// A block of one byte: comparing with the byte itself goes through the block one by one (Swift 6.3).
    @inline(__always)
    private static func all(_ byte: UInt8) -> Block { Block(repeating: byte) }

    /// The first index at or after `start` whose byte `mark` marks and `isWanted` wants, or the count.
    @inline(__always)
    private static func first(
        _ bytes: Span<UInt8>, from start: Int, mark: (Block) -> Marks, isWanted: (UInt8) -> Bool
    ) -> Int {
        var index = start
        while bytes.count - index >= width {
            // What is not found soon is far: then four blocks share their checks.
            if index - start >= 2 * width, bytes.count - index >= 4 * width {
                let window = bytes.extracting(index..<(index + 4 * width))
                let near = mark(load(window, 0)) .| mark(load(window, width))
                let far = mark(load(window, 2 * width)) .| mark(load(window, 3 * width))
                let marks = words(near .| far)
                if marks[0] | marks[1] == 0 {
                    index += 4 * width
                    continue
                }
            }
            let marks = words(mark(load(bytes, index)))
            if marks[0] | marks[1] == 0 {
                index += width
            } else if marks[0] != 0 {
                return index + UInt64(littleEndian: marks[0]).trailingZeroBitCount / 8
            } else {
                return index + 8 + UInt64(littleEndian: marks[1]).trailingZeroBitCount / 8
            }
        }
        while index < bytes.count, !isWanted(bytes[index]) { index += 1 }
        return index
    }

    /// The index of the first CR or LF at or after `start`, or `nil`.
    @inline(__always)
    static func lineEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        let end = first(bytes, from: start) {
            ($0 .== all(0x0A)) .| ($0 .== all(0x0D))
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
            // Below 0x20 wraps around, so that one comparison is for both ends.
            ($0 .== all(0x22)) .| ($0 .== all(0x5C)) .| ($0 &- all(0x20) .>= all(0x60))
        } isWanted: {
            $0 == 0x22 || $0 == 0x5C || $0 < 0x20 || $0 >= 0x80
        }
    }

    /// The first index at or after `start` that holds a quote or a backslash, or the count.
    @inline(__always)
    static func quoteOrBackslash(_ bytes: Span<UInt8>, from start: Int) -> Int {
        first(bytes, from: start) {
            ($0 .== all(0x22)) .| ($0 .== all(0x5C))
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
        guard count >= width else { return isSameShort(left, right) }
        var index = 0
        // Four blocks share their checks.
        while count - index >= 4 * width {
            let one = left.extracting(index..<(index + 4 * width))
            let other = right.extracting(index..<(index + 4 * width))
            let near = difference(one, other, 0) | difference(one, other, width)
            let far = difference(one, other, 2 * width) | difference(one, other, 3 * width)
            guard isNothing(near | far) else { return false }
            index += 4 * width
        }
        while count - index >= width {
            guard isSameBlock(left, right, index) else { return false }
            index += width
        }
        // The last block overlaps the one before it.
        return index == count || isSameBlock(left, right, count - width)
    }

    @inline(__always)
    private static func isSameBlock(
        _ left: Span<UInt8>, _ right: Span<UInt8>, _ index: Int
    ) -> Bool {
        isNothing(difference(left, right, index))
    }

    /// The bits in which a block of two buffers differs.
    @inline(__always)
    private static func difference(
        _ left: Span<UInt8>, _ right: Span<UInt8>, _ index: Int
    ) -> SIMD2<UInt64> {
        let one: SIMD2<UInt64> = load(left, index)
        let other: SIMD2<UInt64> = load(right, index)
        return one ^ other
    }

    @inline(__always)
    private static func isNothing(_ bits: SIMD2<UInt64>) -> Bool { bits[0] | bits[1] == 0 }

    @inline(__always)
    private static func isSameShort(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        let count = left.count
        if count >= 8 {
            return word(left, 0) == word(right, 0)
                && word(left, count - 8) == word(right, count - 8)
        }
        for index in 0..<count where left[index] != right[index] { return false }
        return true
    }

    /// Whether the bytes at `range` are those of `text`.
    @inline(__always)
    static func equal(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: String) -> Bool {
        // Most names differ in length: no need to look into the text for those.
        guard range.count == text.utf8.count, range.upperBound <= bytes.count else { return false }
        let other = text.utf8.span
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
