/// Base64 with the URL-safe alphabet and without padding.
///
/// Decoding is strict: one text for one sequence of bytes, so a token has no second spelling.
/// Source: RFC 4648, section 5.
package enum Base64URL {
    /// The text of `bytes`, as ASCII.
    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        // Nothing added to an empty array would still write to the storage that all empty arrays share.
        guard !bytes.isEmpty else { return [] }
        var text: [UInt8] = []
        let input = bytes.span
        text.append(addingCapacity: (input.count * 4 + 2) / 3) { output in
            var index = 0
            while input.count - index >= 3 {
                let bits =
                    UInt32(input[index]) << 16 | UInt32(input[index + 1]) << 8
                    | UInt32(input[index + 2])
                output.append(letter(bits >> 18))
                output.append(letter(bits >> 12 & 63))
                output.append(letter(bits >> 6 & 63))
                output.append(letter(bits & 63))
                index += 3
            }
            switch input.count - index {
            case 1:
                output.append(letter(UInt32(input[index]) >> 2))
                output.append(letter(UInt32(input[index]) << 4 & 63))
            case 2:
                let bits = UInt32(input[index]) << 8 | UInt32(input[index + 1])
                output.append(letter(bits >> 10))
                output.append(letter(bits >> 4 & 63))
                output.append(letter(bits << 2 & 63))
            default: break
            }
        }
        return text
    }

    /// The bytes that `text` stands for.
    ///
    /// `nil` for a character outside the alphabet, for padding, for an impossible length and for
    /// unused bits that are not zero.
    package static func decode(_ text: [UInt8]) -> [UInt8]? { decode(text[...]) }

    /// Like `decode(_:)` for a part of a text.
    ///
    /// Not generic: unspecialised across modules that cost 8 of 10 microseconds per token.
    package static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3 + 2)
        var bits: UInt32 = 0
        var count = 0
        for character in text {
            guard let value = value(of: character) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        guard bits & (1 << UInt32(count) - 1) == 0 else { return nil }
        return bytes
    }

    private static func letter(_ value: UInt32) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: value)
        return switch value {
        case 0..<26: UInt8(ascii: "A") + value
        case 26..<52: UInt8(ascii: "a") + value - 26
        case 52..<62: UInt8(ascii: "0") + value - 52
        case 62: UInt8(ascii: "-")
        default: UInt8(ascii: "_")
        }
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
