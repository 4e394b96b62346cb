/// When each phase of a transfer ended, counted from its start; zero for what did not happen (yet).
package struct UpstreamTiming: Equatable, Sendable {
    /// The name was resolved.
    package var nameLookup: Duration = .zero
    /// TCP was established; zero on a connection that was used before.
    package var connect: Duration = .zero
    /// TLS was established; zero on a connection that was used before.
    package var appConnect: Duration = .zero
    /// The request was about to be sent.
    package var preTransfer: Duration = .zero
    /// The first byte of the response came.
    package var startTransfer: Duration = .zero
    /// The transfer ended, or so far.
    package var total: Duration = .zero
    /// No connection was opened for this transfer.
    package var isConnectionReused = false
    /// The exchange ran over HTTP/2.
    package var isHTTP2 = false
}
