/// Writes client frames: whole, final and masked (RFC 6455, section 5.3).
package enum FrameEncoder {
    /// Appends one frame to `output`, its payload masked with the four bytes of `mask`.
    package static func append(
        _ opcode: Opcode, _ payload: some Collection<UInt8>, mask: UInt32,
        to output: inout [UInt8]
    ) {
        let count = payload.count
        output.append(0x80 | opcode.rawValue)
        switch count {
        case ..<126:
            output.append(0x80 | UInt8(count))
        case ..<65_536:
            output.append(0x80 | 126)
            output.append(UInt8(count >> 8))
            output.append(UInt8(count & 0xFF))
        default:
            output.append(0x80 | 127)
            for shift in stride(from: 56, through: 0, by: -8) {
                output.append(UInt8(truncatingIfNeeded: count >> shift))
            }
        }
        for shift in stride(from: 24, through: 0, by: -8) {
            output.append(UInt8(truncatingIfNeeded: mask >> UInt32(shift)))
        }
        var position: UInt32 = 0
        for byte in payload {
            output.append(byte ^ UInt8(truncatingIfNeeded: mask >> (24 - 8 * (position & 3))))
            position &+= 1
        }
    }

    /// Appends a close frame with a code and no reason.
    package static func appendClose(code: UInt16, mask: UInt32, to output: inout [UInt8]) {
        let payload = [UInt8(code >> 8), UInt8(code & 0xFF)]
        append(.close, payload, mask: mask, to: &output)
    }
}
