/// How a response ended: the `status` of its `complete`.
package enum ResponseOutcome: Int, MetricLabel {
    package static let labelName = "outcome"
    case completed
    case incomplete
    case failed
    case cancelled
}

/// What became of a client's `message`.
package enum MessageResult: Int, MetricLabel {
    package static let labelName = "result"
    /// A response was started.
    case accepted
    /// The id was known: the client was attached to its response.
    case attached
    /// The id was known with another input.
    case conflict
    /// Too many responses run, or the memory for their logs is full.
    case limited
    /// A model that is not offered. What is wrong in itself or comes too fast never gets as far as to count here.
    case refused
}

/// What became of a resume.
package enum ResumeOutcome: Int, MetricLabel {
    package static let labelName = "outcome"
    /// Every missed event followed.
    case recovered
    /// The token was no token.
    case malformed
    case wrongVersion
    case unknownKey
    case badSignature
    case expired
    /// The token belongs to somebody else.
    case wrongSubject
    /// The log has begun a new life.
    case wrongEpoch
    /// The session has ended.
    case sessionGone
    /// The position lies after the end of the log.
    case positionAhead
}

/// Who cancelled a response.
package enum CancelSource: Int, MetricLabel {
    package static let labelName = "source"
    /// A `cancel`.
    case client
    /// Nobody came back within the resume window.
    case abandoned
    /// The drain's deadline.
    case draining
    /// Upstream said so.
    case upstream
}

/// How a request to upstream ended.
package enum UpstreamResult: Int, MetricLabel {
    package static let labelName = "result"
    /// With a terminal event.
    case finished
    /// We closed it.
    case cancelled
    /// No connection, or none that could be secured.
    case connectFailed
    case tlsFailed
    /// A deadline passed.
    case timedOut
    /// 401 or 403.
    case unauthorized
    /// 429.
    case rateLimited
    /// Another 4xx.
    case clientError
    /// 5xx.
    case serverError
    /// The stream ended or broke before its terminal event.
    case cut
    /// Bytes that are not what the API sends, or above a limit.
    case invalid
}

/// Kinds of tokens in upstream's `usage`.
package enum TokenKind: Int, MetricLabel {
    package static let labelName = "kind"
    /// All input, cached input included.
    case input
    /// The part of the input that upstream had cached.
    case cachedInput
    /// All output, reasoning included.
    case output
    /// The part of the output that was reasoning.
    case reasoning
}
