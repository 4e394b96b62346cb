/// Why a response failed, as the client is told.
package struct ResponseError: Equatable, Sendable {
    /// A code of docs/protocol.md, section 7.
    package var code: String
    package var message: String
    package var isRetryable: Bool
    /// Upstream's HTTP status.
    package var upstreamStatus: Int?
    /// Upstream's own code.
    package var upstreamCode: String?
    /// Upstream's name for the request.
    package var requestID: String?
    /// When it may be worth another try.
    package var retryAfter: Duration?
    /// What upstream answered instead of a stream.
    package var answer: UpstreamAnswer?

    /// States an error.
    package init(
        code: String, message: String, isRetryable: Bool, upstreamStatus: Int? = nil,
        upstreamCode: String? = nil, requestID: String? = nil, retryAfter: Duration? = nil
    ) {
        self.code = code
        self.message = message
        self.isRetryable = isRetryable
        self.upstreamStatus = upstreamStatus
        self.upstreamCode = upstreamCode
        self.requestID = requestID
        self.retryAfter = retryAfter
    }
}

/// Why a response was cancelled; the `reason` of its `complete`.
package enum CancelReason: String, Equatable, Sendable {
    /// A client said so.
    case client
    /// Nobody came back within the resume window.
    case abandoned
    /// The gateway shuts down.
    case draining
    /// Upstream says it was cancelled there.
    case upstream
}
