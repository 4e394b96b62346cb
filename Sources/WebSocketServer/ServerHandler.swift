/// What a program does with the requests and sockets of its server; called on the loop's thread.
package protocol ServerHandler: AnyObject {
    /// Decides about a request for a WebSocket, before it is answered.
    func upgrade(_ request: HTTPRequest) -> UpgradeDecision

    /// Answers a request whose body (bounded by the options) has arrived, now or later.
    func respond(to exchange: HTTPExchange)

    /// What is to be done with the body that follows a request's head.
    func bodyPolicy(of request: HTTPRequest) -> BodyPolicy
}

extension ServerHandler {
    /// Every body is collected.
    package func bodyPolicy(of request: HTTPRequest) -> BodyPolicy { .collect }
}

/// What is done with the body of a request, once its head is there.
package enum BodyPolicy {
    /// The request is answered when its body is whole.
    case collect
    /// The body is handed over piece by piece: the request is answered as soon as its head is there, and
    /// who answers sets the exchange's `bodyReceiver`.
    case stream(limitBytes: Int)
    /// Nobody wants it: the request is answered now, and the connection ends.
    case refuse(HTTPResponse)
}

/// The answer to a request for a WebSocket.
package enum UpgradeDecision {
    /// Opens it; the handler hears of everything from then on.
    case accept(any WebSocketHandler)
    /// Answers with a plain HTTP response and closes.
    case refuse(HTTPResponse)
}

/// What one WebSocket's owner hears; called on the loop's thread.
package protocol WebSocketHandler: AnyObject {
    /// The handshake is done; the socket may be written to.
    func webSocketOpened(_ socket: WebSocket)

    /// A whole message has arrived; `message` is lent for this call only.
    func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool)

    /// Everything written is with the kernel again, after a send that was refused.
    func webSocketIsClear(_ socket: WebSocket)

    /// The socket is gone; nothing follows.
    func webSocketClosed(_ socket: WebSocket)

    /// Bytes of one message that this socket may receive; one more closes with 1009.
    var maximumMessageBytes: Int { get }

    /// Bytes of one frame of it; one more closes with 1009.
    var maximumFrameBytes: Int { get }
}

extension WebSocketHandler {
    /// As many as a message may have.
    package var maximumFrameBytes: Int { maximumMessageBytes }
}
