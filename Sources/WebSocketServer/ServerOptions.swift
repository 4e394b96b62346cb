package import EventLoop

/// What a server reads from its configuration; the same for all shards.
package struct ServerOptions: Sendable {
    /// The WebSocket subprotocol that is spoken; a client that offers others only is refused.
    package var subprotocol = "millrace.v1"
    /// Bytes of one whole incoming message; one more closes with 1009.
    package var maximumMessageBytes = 8 << 20
    /// Bytes of a request's head; one more is answered with 414 or 431.
    package var maximumHeadBytes = 16 << 10
    /// Bytes of one request's body; one more is answered with 413.
    package var maximumBodyBytes = 16 << 20
    /// Bytes of all bodies that are being collected or were not taken yet; one more is answered with 503.
    package var maximumCollectedBytes = 256 << 20
    /// How long a body that is collected may take.
    package var bodyTimeout = Duration.seconds(300)
    /// Connections waiting to be accepted.
    package var backlog: Int32 = 1024
    /// Open sockets of this server, whatever they do; further ones are turned away at accept.
    package var maximumSockets = 100_000
    /// How long a peer may take to answer a close frame before its socket is cut.
    package var closeTimeout = Duration.seconds(3)
    /// Seconds that a request's head, a pause in its body, or a pause in the reading of a whole answer may take.
    package var requestTimeoutSeconds: UInt32 = 20
    /// Bytes that a peer may still send after an answer that ends its connection; within `requestTimeoutSeconds`.
    package var lingerBytes = 64 << 20
    /// Seconds that a connection is kept for another request.
    package var keepAliveSeconds: UInt32 = 75

    /// The defaults.
    package init() {}
}

/// Why a server could not start.
package enum ServerError: Error, CustomStringConvertible, Sendable {
    case listen(address: String, reason: String)
    case context
    case eventLoop(EventLoopError)

    package var description: String {
        switch self {
        case .listen(let address, let reason): "cannot listen on \(address): \(reason)"
        case .context: "libwebsockets could not create its context"
        case .eventLoop(let error): error.description
        }
    }
}
