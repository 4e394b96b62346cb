import Testing

@testable import GatewayCore

@Suite("Looking at many bytes at a time")
struct ByteScanTests {
    /// Lengths on both sides of every width that is looked at: 8, 16, 32, 64 and more than one of them.
    private static let lengths = Array(0...100) + [127, 128, 129, 200]

    private static let wanted: [UInt8] = [0x00, 0x0A, 0x0D, 0x1F, 0x22, 0x5C, 0x80, 0xC3, 0xFF]
    private static let plain: [UInt8] = [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x61, 0x7F]

    // The test library's macros take no spans.

    private static func lineEnd(_ text: [UInt8], _ start: Int) -> Int? {
        ByteScan.lineEnd(text.span, from: start)
    }

    private static func plainEnd(_ text: [UInt8], _ start: Int) -> Int {
        ByteScan.plainEnd(text.span, from: start)
    }

    private static func quoteOrBackslash(_ text: [UInt8], _ start: Int) -> Int {
        ByteScan.quoteOrBackslash(text.span, from: start)
    }

    private static func isSame(_ text: [UInt8], _ other: [UInt8], count: Int) -> Bool {
        ByteScan.isSame(text.span, 0, other.span, 3, count: count)
    }

    /// Texts of plain bytes with one byte or none that may be looked for, at every place.
    private func forEachText(_ body: ([UInt8]) -> Void) {
        for length in Self.lengths {
            let text = (0..<length).map { Self.plain[$0 % Self.plain.count] }
            body(text)
            for place in text.indices {
                var marked = text
                marked[place] = Self.wanted[(place + length) % Self.wanted.count]
                body(marked)
            }
        }
    }

    @Test("finds what a loop finds, from wherever it starts")
    func finds() {
        forEachText { text in
            for start in [0, 1, 7, text.count / 2, text.count] where start <= text.count {
                func first(_ isWanted: (UInt8) -> Bool) -> Int {
                    text[start...].firstIndex(where: isWanted) ?? text.count
                }
                let lineEnd = first { $0 == 0x0A || $0 == 0x0D }
                #expect(
                    Self.lineEnd(text, start)
                        == (lineEnd < text.count ? lineEnd : nil))
                #expect(
                    Self.plainEnd(text, start)
                        == first { $0 == 0x22 || $0 == 0x5C || $0 < 0x20 || $0 >= 0x80 })
                #expect(
                    Self.quoteOrBackslash(text, start)
                        == first { $0 == 0x22 || $0 == 0x5C })
            }
        }
    }

    @Test("every byte is told from every other")
    func everyByte() {
        for byte in UInt8.min ... .max {
            let text =
                Array(repeating: UInt8(ascii: "x"), count: 16) + [byte]
                + Array(repeating: UInt8(ascii: "x"), count: 16)
            #expect(
                Self.lineEnd(text, 8) == ([0x0A, 0x0D].contains(byte) ? 16 : nil))
            let isPlain = (0x20..<0x80).contains(byte) && byte != 0x22 && byte != 0x5C
            #expect(Self.plainEnd(text, 8) == (isPlain ? text.count : 16))
            let isMark = byte == 0x22 || byte == 0x5C
            #expect(Self.quoteOrBackslash(text, 8) == (isMark ? 16 : text.count))
        }
    }

    @Test("is the same only when every byte is")
    func same() {
        for length in Self.lengths {
            let text = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
            let shifted = [0xEE, 0xEE, 0xEE] + text + [0xEE]
            #expect(Self.isSame(text, shifted, count: length))
            #expect(!Self.isSame(text, shifted, count: length + 1))
            for place in text.indices {
                var other = shifted
                other[place + 3] ^= 0x10
                #expect(!Self.isSame(text, other, count: length))
            }
        }
    }
}
