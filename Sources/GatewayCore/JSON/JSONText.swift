/// What the raw contents of a JSON string mean.
enum JSONText {
    /// Whether the raw contents at `range` hold an escape.
    static func hasEscapes(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == UInt8(ascii: "\\") { return true }
            index += 1
        }
        return false
    }

    static func decode(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(range.count)
        var decoder = JSONTextDecoder()
        decoder.feed(bytes.extracting(range), into: &output)
        decoder.finish(into: &output)
        return output
    }

    static func equals(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: String) -> Bool {
        // An escape makes a string at most six times as long (`\u0041` for `A`).
        guard range.count <= text.utf8.count * 6 else { return false }
        return decode(bytes, range).elementsEqual(text.utf8)
    }

    /// The UTF-16 unit of the escape at `index`, which stands on a backslash; steps over it.
    ///
    /// Never reads beyond `end`: a cut or malformed escape counts as U+FFFD.
    @inline(__always)
    static func escapedUnit(_ bytes: Span<UInt8>, _ index: inout Int, end: Int) -> UInt16 {
        guard index + 1 < end else {
            index = end
            return 0xFFFD
        }
        let letter = bytes[index + 1]
        switch letter {
        case UInt8(ascii: "u"):
            guard index + 6 <= end else {
                index = end
                return 0xFFFD
            }
            var unit: UInt16 = 0
            for digit in (index + 2)..<(index + 6) {
                unit = unit << 4 | (JSONScan.hexDigit(bytes[digit]) ?? 0)
            }
            index += 6
            return unit
        case UInt8(ascii: "b"):
            index += 2
            return 0x08
        case UInt8(ascii: "f"):
            index += 2
            return 0x0C
        case UInt8(ascii: "n"):
            index += 2
            return 0x0A
        case UInt8(ascii: "r"):
            index += 2
            return 0x0D
        case UInt8(ascii: "t"):
            index += 2
            return 0x09
        default:
            index += 2
            return UInt16(letter)
        }
    }
}

/// Decodes one text that arrives as raw slices of JSON strings, into UTF-8.
///
/// The slices are joined as UTF-16 text, so that a surrogate pair may be split between two of them
/// (`\ud83d` then `\ude00`). A lone surrogate counts as U+FFFD. A slice never cuts an escape or a
/// UTF-8 character: it is the whole contents of a validated string.
package struct JSONTextDecoder: Equatable, Sendable {
    private var pendingHighSurrogate: UInt16 = 0

    /// Makes a decoder at the start of a text.
    package init() {}

    /// Appends what `raw`, the contents of a JSON string without quotes, adds to the text.
    package mutating func feed(_ raw: Span<UInt8>, into output: inout [UInt8]) {
        var index = 0
        while index < raw.count {
            if raw[index] == UInt8(ascii: "\\") {
                append(JSONText.escapedUnit(raw, &index, end: raw.count), into: &output)
            } else {
                finish(into: &output)
                let end = Self.backslash(raw, from: index)
                output.append(raw.extracting(index..<end))
                index = end
            }
        }
    }

    /// Ends the text: a high surrogate that waits for its other half becomes U+FFFD.
    package mutating func finish(into output: inout [UInt8]) {
        guard pendingHighSurrogate != 0 else { return }
        pendingHighSurrogate = 0
        output.appendScalar(0xFFFD)
    }

    private mutating func append(_ unit: UInt16, into output: inout [UInt8]) {
        switch unit {
        case 0xD800...0xDBFF:
            finish(into: &output)
            pendingHighSurrogate = unit
        case 0xDC00...0xDFFF where pendingHighSurrogate != 0:
            let high = UInt32(pendingHighSurrogate & 0x3FF) << 10
            pendingHighSurrogate = 0
            output.appendScalar(0x10000 + (high | UInt32(unit & 0x3FF)))
        case 0xDC00...0xDFFF:
            output.appendScalar(0xFFFD)
        default:
            finish(into: &output)
            output.appendScalar(UInt32(unit))
        }
    }

    private static func backslash(_ raw: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while raw.count - index >= 8 {
            let found = ByteScan.matches(ByteScan.word(raw, index), UInt8(ascii: "\\"))
            if found != 0 { return index + found.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < raw.count, raw[index] != UInt8(ascii: "\\") { index += 1 }
        return index
    }
}
