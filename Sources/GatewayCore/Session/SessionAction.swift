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

/// What operators want to know of a finished response.
package struct ResponseSummary: Equatable, Sendable {
    package var response: Int
    package var id: String
    package var outcome: ResponseOutcome
    package var reason: String?
    package var errorCode: String?
    package var acceptedAt: Instant
    package var firstEvent: Duration?
    package var firstText: Duration?
    package var total: Duration
    /// For a cancel: from the command to the closed transfer.
    package var cancelToClose: Duration?
    package var textBytes: Int
    package var usage: TokenUsage?
    package var model: String?
    package var upstreamID: String?
}

/// What a response cost, as upstream counts it; what it does not say is 0.
package struct TokenUsage: Equatable, Sendable {
    package var input = 0
    package var cachedInput = 0
    package var output = 0
    package var reasoning = 0

    /// Reads upstream's `usage` object (Responses API, object `response`).
    package init(parsing usage: [UInt8]) {
        let bytes = usage.span
        let object = JSONValue(kind: .object, range: 0..<usage.count)
        func count(_ name: String, of parent: JSONValue?) -> Int {
            guard let value = parent?.member(name, in: bytes)?.integer(in: bytes) else { return 0 }
            return Int(clamping: max(0, value))
        }
        guard usage.first == UInt8(ascii: "{") else { return }
        input = count("input_tokens", of: object)
        output = count("output_tokens", of: object)
        let inputDetails = object.member("input_tokens_details", in: bytes)
        let outputDetails = object.member("output_tokens_details", in: bytes)
        if inputDetails?.kind == .object { cachedInput = count("cached_tokens", of: inputDetails) }
        if outputDetails?.kind == .object {
            reasoning = count("reasoning_tokens", of: outputDetails)
        }
    }
}

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
