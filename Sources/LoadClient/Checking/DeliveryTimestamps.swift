/// Finds the simulator's timestamps in a delta's text: `⟦<nanoseconds>⟧`, one per upstream delta.
///
/// The first of a response is `⟦<written>;<request received>⟧`. Both brackets are accepted as UTF-8 and as the
/// escapes `\u27e6` and `\u27e7`.
package enum DeliveryTimestamps {
    package struct Stamp: Equatable {
        /// When upstream wrote the delta.
        package let written: UInt64
        /// When it had received the request.
        package let received: UInt64?
    }

    /// Calls `found` with each timestamp in `text`, the raw inside of a JSON string.
    package static func forEach(in text: Span<UInt8>, found: (Stamp) -> Void) {
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
            let written = number(text, &at)
            var received: UInt64?
            if at < text.count, text[at] == UInt8(ascii: ";") {
                at += 1
                received = number(text, &at)
            }
            let isClosed =
                at < text.count && (text[at] == 0xE2 || text[at] == UInt8(ascii: "\\"))
            if let written, isClosed { found(Stamp(written: written, received: received)) }
        }
    }

    private static func number(_ text: Span<UInt8>, _ at: inout Int) -> UInt64? {
        let start = at
        var value: UInt64 = 0
        while at < text.count, at - start < 19, text[at] &- 0x30 < 10 {
            value = value * 10 + UInt64(text[at] - 0x30)
            at += 1
        }
        return at > start ? value : nil
    }

    private static func isEscapedBracket(_ text: Span<UInt8>, _ at: Int) -> Bool {
        guard at + 6 <= text.count, text[at + 1] == UInt8(ascii: "u") else { return false }
        let digits = (2..<6).map { text[at + $0] | 0x20 }
        return digits == [0x32 | 0x20, 0x37 | 0x20, UInt8(ascii: "e"), 0x36 | 0x20]
    }
}
