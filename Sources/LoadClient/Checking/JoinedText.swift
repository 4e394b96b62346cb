/// The text of one output item: the raw pieces of its deltas, joined before they are decoded.
///
/// An escape pair may be split between two deltas, so nothing is decoded until all is there.
package struct JoinedText {
    private var raw: [UInt8] = []

    package init() {}

    /// Bytes held, escapes counted as written.
    package var rawBytes: Int { raw.count }

    /// Adds a JSON string's inside as it stands on the wire.
    package mutating func append(_ piece: Span<UInt8>) {
        piece.withUnsafeBufferPointer { raw.append(contentsOf: $0) }
    }

    /// Whether `other` says the same, however it writes its escapes.
    package func says(_ other: JoinedText) -> Bool {
        guard !raw.span.isEqual(to: other.raw.span) else { return true }
        var (mine, theirs): ([UInt8], [UInt8]) = ([], [])
        decode(into: &mine)
        other.decode(into: &theirs)
        return mine == theirs
    }

    /// Appends the text as UTF-8; a lone surrogate becomes U+FFFD, as does a broken escape.
    package func decode(into output: inout [UInt8]) {
        var at = 0
        while at < raw.count {
            let run = raw[at...].firstIndex(of: UInt8(ascii: "\\")) ?? raw.count
            output.append(contentsOf: raw[at..<run])
            guard run < raw.count else { return }
            at = run + 1
            guard at < raw.count else { return Self.append(0xFFFD, to: &output) }
            let escape = raw[at]
            at += 1
            switch escape {
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "u"): Self.append(codePoint(&at), to: &output)
            default: output.append(escape)
            }
        }
    }

    /// The code point whose four digits begin at `at`, with its second half if it is a pair.
    private func codePoint(_ at: inout Int) -> UInt32 {
        guard let unit = hex(at) else { return 0xFFFD }
        at += 4
        switch unit {
        case 0xD800...0xDBFF:
            guard at + 1 < raw.count, raw[at] == UInt8(ascii: "\\"),
                raw[at + 1] == UInt8(ascii: "u"), let low = hex(at + 2),
                (0xDC00...0xDFFF).contains(low)
            else { return 0xFFFD }
            at += 6
            return 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
        case 0xDC00...0xDFFF: return 0xFFFD
        default: return unit
        }
    }

    private func hex(_ start: Int) -> UInt32? {
        guard start + 4 <= raw.count else { return nil }
        var value: UInt32 = 0
        for byte in raw[start..<(start + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private static func append(_ codePoint: UInt32, to output: inout [UInt8]) {
        let scalar = Unicode.Scalar(codePoint) ?? "\u{FFFD}"
        output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
}
