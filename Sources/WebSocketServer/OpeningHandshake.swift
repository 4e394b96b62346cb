/// What a request for a WebSocket must have before anybody is asked whether it may be one.
///
/// The library would cut the connection without a word for some of it.
/// Source: RFC 6455, section 4.2.1, and 4.2.2 for the answers.
enum OpeningHandshake {
    /// Why the request cannot become a WebSocket; nil when it can.
    static func fault(of request: HTTPRequest, subprotocol: String) -> HTTPResponse? {
        let headers = request.headers
        guard request.method == .get else {
            return .error(
                405, "method_not_allowed", "a WebSocket begins with GET",
                headers: [("allow", "GET")])
        }
        guard request.takesChunks else {
            return .error(400, "invalid_handshake", "a WebSocket begins with HTTP/1.1")
        }
        guard headers.members(of: "connection").contains(where: { $0.lowercased() == "upgrade" })
        else {
            return .error(400, "invalid_handshake", "Connection must say Upgrade")
        }
        guard request.framing == .none else {
            return .error(400, "invalid_handshake", "a WebSocket begins without a body")
        }
        let offered = headers.members(of: "sec-websocket-protocol")
        if headers["sec-websocket-protocol"] != nil, !offered.contains(subprotocol) {
            return .error(400, "unsupported_subprotocol", "this server speaks \(subprotocol)")
        }
        guard headers["sec-websocket-version"] == "13" else {
            return .error(
                426, "unsupported_version", "this server speaks WebSocket version 13",
                headers: [("sec-websocket-version", "13")])
        }
        guard isKey(headers["sec-websocket-key"] ?? "") else {
            return .error(
                400, "invalid_handshake", "Sec-WebSocket-Key must be 16 bytes in base64")
        }
        return nil
    }

    private static func isKey(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.count == 24 && bytes.suffix(2).allSatisfy { $0 == UInt8(ascii: "=") }
            && bytes.prefix(22).allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                    true
                default: false
                }
            }
    }
}
