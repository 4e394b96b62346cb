/// What a session wants done; its shell carries the actions out in order.
package enum SessionAction: Equatable, Sendable {
    /// Start the upstream request of a response.
    case openUpstream(response: Int, request: UpstreamRequestBody)
    /// Close the upstream transfer of a response now, then say so with `upstreamClosed`.
    case closeUpstream(response: Int)
    /// Hold the transfers of all running responses back, or let them go on.
    case pauseUpstream
    case resumeUpstream
    /// Send an unnumbered frame to one connection, or to all of the session's.
    case send(ConnectionID, frame: [UInt8])
    case broadcast(frame: [UInt8])
    /// A response has ended; for metrics, logs and a fresh token.
    case responseEnded(ResponseSummary)
    /// Upstream has named a response of the OpenAI dialect: it can be asked for by that name from now on.
    case responseNamed(response: Int, id: [UInt8])
    /// The session is over and can be forgotten.
    case expire
}
