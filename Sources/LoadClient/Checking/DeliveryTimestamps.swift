/// Finds the simulator's timestamps in a delta's text: `⟦<nanoseconds>⟧`, one per upstream delta.
///
/// Both brackets are accepted as UTF-8 and as the escapes `\u27e6` and `\u27e7`.
package enum DeliveryTimestamps {
    /// Calls `found` with each timestamp in `text`, the raw inside of a JSON string.
    package static func forEach(in text: Span<UInt8>, found: (UInt64) -> Void) {
        var at = 0
        while at < text.count {
            switch text[at] {
            case 0xE2 where at + 2 < text.count && text[at + 1] == 0x9F && text[at + 2] == 0xA6:
                at += 3
            case UInt8(ascii: "\\"):
                guard isEscapedBracket(text, at) else {
                    at += 2
                    continue
                }
                at += 6
            default:
                at += 1
                continue
            }
            var value: UInt64 = 0
            var digits = 0
            while at < text.count, digits < 19, text[at] &- 0x30 < 10 {
                value = value * 10 + UInt64(text[at] - 0x30)
                digits += 1
                at += 1
            }
            let isClosed =
                at < text.count && (text[at] == 0xE2 || text[at] == UInt8(ascii: "\\"))
            if digits > 0, isClosed { found(value) }
        }
    }

    private static func isEscapedBracket(_ text: Span<UInt8>, _ at: Int) -> Bool {
        guard at + 6 <= text.count, text[at + 1] == UInt8(ascii: "u") else { return false }
        let digits = (2..<6).map { text[at + $0] | 0x20 }
        return digits == [0x32 | 0x20, 0x37 | 0x20, UInt8(ascii: "e"), 0x36 | 0x20]
    }
}
