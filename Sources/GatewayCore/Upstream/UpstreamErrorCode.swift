/// What else a client is told of upstream: beside `UpstreamFailure.Code`, for a request that fails, and
/// `UpstreamDeadlines.Expiry`, for one that takes too long.
package enum UpstreamErrorCode: String, CaseIterable, Sendable {
    /// All places are taken, and so are those in the queue.
    case busy = "upstream_busy"
    /// No place came free in time.
    case queueTimeout = "upstream_queue_timeout"
    /// No upstream may be asked now.
    case unavailable = "upstream_unavailable"
    /// A background response is not there any more.
    case responseLost = "upstream_response_lost"
    /// Upstream ended the response with an error of its own.
    case failed = "upstream_failed"
}
