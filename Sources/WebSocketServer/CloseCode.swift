/// Why a WebSocket is closed: RFC 6455, section 7.4, and the codes of docs/protocol.md, section 6.
package struct CloseCode: Hashable, Sendable {
    /// The number on the wire.
    package let rawValue: UInt16

    /// Names a code.
    package init(_ rawValue: UInt16) { self.rawValue = rawValue }

    package static let normal = CloseCode(1000)
    package static let goingAway = CloseCode(1001)
    package static let protocolError = CloseCode(1002)
    package static let unsupportedData = CloseCode(1003)
    package static let noStatus = CloseCode(1005)
    package static let abnormal = CloseCode(1006)
    package static let invalidPayload = CloseCode(1007)
    package static let messageTooBig = CloseCode(1009)
    package static let internalError = CloseCode(1011)
    package static let serviceRestart = CloseCode(1012)
    package static let tryAgainLater = CloseCode(1013)
}
