/// The length and a hash of a whole text as upstream wrote it, to recognise its repetition.
///
/// The closing events of an item carry its whole text up to four times; what was compared unit by unit
/// once is recognised eight bytes at a time after that.
struct WholeTextMark: Equatable, Sendable {
    private var byteCount = 0
    private var hash: UInt64 = 0

    /// Marks the raw string contents at `range`.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        byteCount = range.count
        hash = 0xCBF2_9CE4_8422_2325
        var index = range.lowerBound
        while range.upperBound - index >= 8 {
            add(ByteScan.word(bytes, index))
            index += 8
        }
        while index < range.upperBound {
            add(UInt64(bytes[index]))
            index += 1
        }
    }

    @inline(__always)
    private mutating func add(_ word: UInt64) {
        hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 32
    }
}

/// The length and a hash of a text that is not kept, to recognise it as the beginning of another.
///
/// Counts UTF-16 units of the decoded text, so that it does not matter how upstream escaped it and
/// whether a surrogate pair was split between two deltas.
struct TextFingerprint: Equatable, Sendable {
    private(set) var units = 0
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Adds the raw contents of a JSON string at `range`.
    @inline(__always)
    mutating func feed(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        var index = range.lowerBound
        while range.upperBound - index >= 8 {
            if addPlain(ByteScan.word(bytes, index)) {
                index += 8
            } else {
                step(bytes, &index, end: range.upperBound)
            }
        }
        addRest(bytes, index..<range.upperBound)
    }

    /// Adds what is left at the end of a text, fewer than eight bytes.
    @inline(__always)
    private mutating func addRest(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let count = range.count
        if count > 0, range.upperBound >= 8 {
            // The last eight bytes without those that are counted already: a unit of zero in front adds nothing.
            let word = ByteScan.word(bytes, range.upperBound - 8) & (~0 << UInt64(64 - 8 * count))
            if addPlain(word, count: count) { return }
        }
        var index = range.lowerBound
        while index < range.upperBound { step(bytes, &index, end: range.upperBound) }
    }

    /// Where in `range` the text goes on that `self` began, if it did begin it.
    ///
    /// `read` is the fingerprint of what stands before `range`; afterwards it includes what was
    /// looked at. `nil` means that more or other text was seen before, so far.
    func continuation(
        of bytes: Span<UInt8>, _ range: Range<Int>, read: inout TextFingerprint
    ) -> Range<Int>? {
        var index = range.lowerBound
        while index < range.upperBound, read.units < units {
            if range.upperBound - index >= 8, units - read.units >= 8,
                read.addPlain(ByteScan.word(bytes, index))
            {
                index += 8
                continue
            }
            read.step(bytes, &index, end: range.upperBound)
        }
        guard read == self else { return nil }
        return index..<range.upperBound
    }

    @inline(__always)
    private mutating func step(_ bytes: Span<UInt8>, _ index: inout Int, end: Int) {
        let byte = bytes[index]
        if byte < 0x80, byte != UInt8(ascii: "\\") {
            index += 1
            add(UInt16(byte))
        } else {
            rareStep(bytes, &index, end: end)
        }
    }

    @inline(never)
    private mutating func rareStep(_ bytes: Span<UInt8>, _ index: inout Int, end: Int) {
        let byte = bytes[index]
        if byte == UInt8(ascii: "\\") {
            add(JSONText.escapedUnit(bytes, &index, end: end))
            return
        }
        let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
        guard index + length <= end else {
            index = end
            return add(0xFFFD)
        }
        var scalar = UInt32(byte) & (length == 4 ? 0x07 : length == 3 ? 0x0F : 0x1F)
        for offset in 1..<length { scalar = scalar << 6 | UInt32(bytes[index + offset] & 0x3F) }
        index += length
        if scalar < 0x10000 {
            add(UInt16(truncatingIfNeeded: scalar))
        } else {
            let rest = scalar - 0x10000
            add(UInt16(truncatingIfNeeded: 0xD800 | rest >> 10))
            add(UInt16(truncatingIfNeeded: 0xDC00 | rest & 0x3FF))
        }
    }

    /// Adds `count` bytes at once, the last ones of a word, when all are plain ASCII; false when they are not.
    ///
    /// Those before them are zero.
    ///
    /// A polynomial: its eight products do not wait for each other, as the steps of a chained hash would.
    @inline(__always)
    private mutating func addPlain(_ word: UInt64, count: Int = 8) -> Bool {
        let escapes = ByteScan.matches(word, UInt8(ascii: "\\"))
        guard escapes | (word & ByteScan.highBits) == 0 else { return false }
        units += count
        let first =
            (word & 0xFF) &* Self.powers[7] &+ (word >> 8 & 0xFF) &* Self.powers[6]
            &+ (word >> 16 & 0xFF) &* Self.powers[5] &+ (word >> 24 & 0xFF) &* Self.powers[4]
        let second =
            (word >> 32 & 0xFF) &* Self.powers[3] &+ (word >> 40 & 0xFF) &* Self.powers[2]
            &+ (word >> 48 & 0xFF) &* Self.powers[1] &+ (word >> 56)
        hash = hash &* Self.powers[count] &+ first &+ second
        return true
    }

    @inline(__always)
    private mutating func add(_ unit: UInt16) {
        units += 1
        hash = hash &* Self.powers[1] &+ UInt64(unit)
    }

    /// The polynomial's base to the power of 0…8, modulo 2⁶⁴.
    private static let powers: [9 of UInt64] = {
        let base: UInt64 = 0x9E37_79B9_7F4A_7C15
        let square = base &* base
        let fourth = square &* square
        return [
            1, base, square, square &* base, fourth, fourth &* base, fourth &* square,
            fourth &* square &* base, fourth &* fourth,
        ]
    }()
}
