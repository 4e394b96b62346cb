/// What libwebsockets is given to read in place of a request's head: as much as it needs to know, in a form that it
/// reads as it stands (docs/decisions/0073).
enum LibraryHead {
    /// More than any body in chunks has: the library is not to find its end.
    private static let endlessBytes = 1 << 62

    static func bytes(for head: ReceivedHead, subprotocol: String) -> [UInt8] {
        let text: String
        switch head.request.framing {
        case _ where head.refusal != nil: text = request
        case .none where head.request.isUpgrade:
            text = handshake(head.request, subprotocol: subprotocol)
        case .none: text = request
        case .length(let count): text = request(bodyBytes: count)
        case .chunks: text = request(bodyBytes: endlessBytes)
        }
        return Array(text.utf8)
    }

    private static let request = "GET / HTTP/1.1\r\n\r\n"

    private static func request(bodyBytes: Int) -> String {
        "POST / HTTP/1.1\r\nContent-Length: \(bodyBytes)\r\n\r\n"
    }

    private static func handshake(_ request: HTTPRequest, subprotocol: String) -> String {
        var head = "GET / HTTP/1.1\r\nHost: _\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += "Sec-WebSocket-Version: 13\r\n"
        head += "Sec-WebSocket-Key: \(request.headers["sec-websocket-key"] ?? "")\r\n"
        if request.headers["sec-websocket-protocol"] != nil {
            head += "Sec-WebSocket-Protocol: \(subprotocol)\r\n"
        }
        return head + "\r\n"
    }
}
