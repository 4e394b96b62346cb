/// How a response ended: what its `complete` says, and what the conversation and the shell go by.
struct ResponseConclusion {
    let outcome: ResponseOutcome
    /// Who cancelled it, or why it is incomplete.
    var reason: String?
    /// Why it failed.
    var error: ResponseError?
    /// What upstream counted, raw JSON.
    var usage: [UInt8]?
    /// When the cancel came that has closed its transfer.
    var cancelledSince: Instant?

    init(
        _ outcome: ResponseOutcome, reason: String? = nil, error: ResponseError? = nil,
        usage: [UInt8]? = nil, cancelledSince: Instant? = nil
    ) {
        self.outcome = outcome
        self.reason = reason
        self.error = error
        self.usage = usage
        self.cancelledSince = cancelledSince
    }
}

extension ResponseConclusion {
    /// What the end that upstream sent in `data` means.
    init(_ end: ResponseEnd, in data: Span<UInt8>) {
        var usage: [UInt8]?
        if let range = end.usage {
            var bytes: [UInt8] = []
            bytes.append(data, range)
            usage = bytes
        }
        switch end.status {
        case .completed:
            self.init(.completed, usage: usage)
        case .incomplete:
            let reason = end.reason.flatMap {
                JSONValue(kind: .string, range: $0).decoded(in: data)
            }
            self.init(
                .incomplete,
                reason: reason.map { String(decoding: $0, as: UTF8.self) } ?? "unknown",
                usage: usage)
        case .failed:
            let error = ResponseError(
                code: UpstreamErrorCode.failed.rawValue,
                message: end.error?.message ?? "upstream ended the response as failed",
                isRetryable: Self.isRetryable(end.error?.code), upstreamCode: end.error?.code)
            self.init(.failed, error: error, usage: usage)
        case .cancelled:
            self.init(.cancelled, reason: CancelReason.upstream.rawValue, usage: usage)
        }
    }

    /// Codes of a failed response after which the same message may succeed.
    private static func isRetryable(_ code: String?) -> Bool {
        switch code {
        case "server_error", "rate_limit_exceeded", "vector_store_timeout", "slow_down",
            "server_is_overloaded":
            true
        default: false
        }
    }
}
