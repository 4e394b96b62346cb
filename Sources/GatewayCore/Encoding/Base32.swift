/// RFC 4648's base 32 in lower case, without padding: short names that survive every URL and log.
package enum Base32 {
    /// Encodes `bytes`, five bits a character.
    ///
    /// Not generic: unspecialised across modules that was most of a response's name.
    package static func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        output.reserveCapacity((bytes.count * 8 + 4) / 5)
        var buffer: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            buffer = (buffer << 8 | UInt32(byte)) & 0xFFFF
            bits += 8
            while bits >= 5 {
                bits -= 5
                output.append(letter(buffer >> bits & 31))
            }
        }
        if bits > 0 { output.append(letter(buffer << (5 - bits) & 31)) }
        return String(decoding: output, as: UTF8.self)
    }

    /// `a` to `z`, then `2` to `7`.
    private static func letter(_ value: UInt32) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: value)
        return value < 26 ? UInt8(ascii: "a") + value : UInt8(ascii: "2") + value - 26
    }
}
