/// Limits and sizes of one worker.
package struct UpstreamOptions: Sendable {
    /// Transfers at a time; one more is refused at once, never queued.
    package var maximumTransfers = 4_096
    /// Connections that are kept, those in use included; above it the longest idle one is closed.
    package var maximumConnections = 4_096
    /// Finished libcurl handles that are kept for the next transfers, about 5 KiB each.
    package var maximumIdleHandles = 64
    /// What one read takes from a socket at most, and what each running transfer holds for it.
    ///
    /// libcurl reads again while bytes wait, so a small one costs little: decision 0051. It takes no less than 1 KiB.
    package var receiveBufferBytes = 1_024
    /// The same for a server whose last answer brought more than that at a time: decisions 0058, 0070.
    package var fastReceiveBufferBytes = 16 * 1_024
    /// The same where transfers may share an HTTP/2 connection, one of them paused.
    package var sharedReceiveBufferBytes = 16 * 1_024
    /// All header lines of one exchange, interim responses included.
    package var maximumHeadBytes = 32 * 1_024
    /// What is kept of the body of a response that is not 2xx; the rest is not read.
    package var maximumErrorBodyBytes = 64 * 1_024
    /// What is kept of a body that is not an event stream.
    package var maximumDocumentBytes = 16 * 1_024 * 1_024
    /// How long the body of a response that is not 2xx may take; then what came is all.
    package var errorBodyTimeout: Duration = .seconds(5)
    /// A connection that was idle for longer is not used again.
    package var idleConnectionLifetime: Duration = .seconds(110)
    /// The `user-agent` header.
    package var userAgent = "millrace"

    /// The defaults.
    package init() {}
}
