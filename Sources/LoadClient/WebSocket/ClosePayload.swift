/// What a server's close frame says.
///
/// Source: RFC 6455, sections 5.5.1 and 7.4.
package struct ClosePayload: Equatable {
    package enum Failure: Error, Equatable, CustomStringConvertible {
        case oneByte
        case code(UInt16)
        case reason

        package var description: String {
            switch self {
            case .oneByte: "a close frame of one byte, which is no code"
            case .code(let code): "a close frame with code \(code), which nobody may send"
            case .reason: "a close frame whose reason is not UTF-8"
            }
        }
    }

    /// 1005 where the frame names none.
    package let code: UInt16
    package let reason: String

    package init(_ payload: Span<UInt8>) throws(Failure) {
        guard payload.count > 0 else {
            code = 1_005
            reason = ""
            return
        }
        guard payload.count > 1 else { throw .oneByte }
        code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        switch code {
        case 1_000...1_003, 1_007...1_014, 3_000...4_999: break
        default: throw .code(code)
        }
        guard let text = try? UTF8Span(validating: payload.extracting(2...)) else { throw .reason }
        reason = String(copying: text)
    }
}
