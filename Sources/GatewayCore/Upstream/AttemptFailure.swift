/// Why one attempt at a response ended without an answer, and what may be done about it.
package struct AttemptFailure: Error, Equatable, Sendable {
    /// What went wrong, in the few words that policies and metrics tell apart.
    package enum Reason: String, CaseIterable, Sendable {
        /// Nobody answered: name, TCP, proxy.
        case unreachable
        /// The connection could not be secured.
        case tls
        /// A deadline passed before or inside the answer.
        case timeout
        /// 408 or 409.
        case conflict
        /// 429, or its twin inside a stream.
        case rateLimited = "rate_limited"
        /// 5xx, or its twin inside a stream.
        case serverError = "server_error"
        /// The stream ended or broke before its terminal event.
        case cut
        /// Bytes that are not what the API sends.
        case invalid
        /// The key or the account: 401, 403, an empty purse.
        case refused
        /// Upstream does not stream.
        case notStreaming = "not_streaming"
        /// The request itself, or the gateway.
        case rejected
    }

    /// True when the answer stopped without upstream's saying so.
    var isBreak: Bool {
        switch reason {
        case .cut, .timeout, .invalid: true
        case .unreachable, .tls, .conflict, .rateLimited, .serverError, .refused, .notStreaming,
            .rejected:
            false
        }
    }

    /// True when upstream does not have the response that the request goes on from; another may have it.
    package var isPreviousMissing: Bool { error.upstreamCode == "previous_response_not_found" }

    /// Where the same request may succeed.
    package enum Verdict: Equatable, Sendable {
        /// At the same upstream too, later.
        case again
        /// At another upstream only.
        case elsewhere
        /// Nowhere.
        case final
    }

    package var reason: Reason
    package var verdict: Verdict
    /// What the client is told when nothing else succeeds.
    package var error: ResponseError {
        get { told.error }
        set { told = Told(newValue, told.retryAfter) }
    }
    /// How long upstream asks us to wait.
    package var retryAfter: Duration? { told.retryAfter }

    private var told: Told

    /// In a box: each run has room for four failures, and nearly none of them comes.
    private final class Told: Equatable, Sendable {
        let error: ResponseError
        let retryAfter: Duration?

        init(_ error: ResponseError, _ retryAfter: Duration?) {
            self.error = error
            self.retryAfter = retryAfter
        }

        static func == (left: Told, right: Told) -> Bool {
            left.error == right.error && left.retryAfter == right.retryAfter
        }
    }

    /// States a failure.
    package init(
        _ reason: Reason, _ verdict: Verdict, _ error: ResponseError, retryAfter: Duration? = nil
    ) {
        self.reason = reason
        self.verdict = verdict
        told = Told(error, retryAfter)
    }
}

extension AttemptFailure {
    /// A failure to reach upstream, or its refusal.
    package init(_ failure: UpstreamFailure) {
        let reason = Self.reason(failure)
        let verdict: Verdict =
            switch reason {
            case .refused: .elsewhere
            case .tls, .invalid, .unreachable: failure.isRetryable ? .again : .elsewhere
            case .timeout, .conflict, .rateLimited, .serverError, .cut, .notStreaming, .rejected:
                failure.isRetryable ? .again : .final
            }
        self.init(reason, verdict, ResponseError(failure), retryAfter: failure.retryAfter)
    }

    private static func reason(_ failure: UpstreamFailure) -> Reason {
        switch failure.code {
        case .dnsFailed, .connectRefused, .connectFailed, .proxyFailed, .dnsTimeout,
            .connectTimeout:
            .unreachable
        case .tlsFailed, .tlsTimeout: .tls
        case .reset, .truncated: .cut
        case .wrongContentType, .tooLarge, .protocolError: .invalid
        case .noRoom, .internalError: .rejected
        case .httpStatus: reason(status: failure.status ?? 0, error: failure.upstreamError)
        }
    }

    private static func reason(status: Int, error: UpstreamErrorBody?) -> Reason {
        if error?.isQuotaExhausted == true { return .refused }
        return switch status {
        case 401, 402, 403: .refused
        case 400 where error?.param == "stream": .notStreaming
        case 408, 409: .conflict
        case 429: .rateLimited
        case 500...: .serverError
        default: .rejected
        }
    }

    /// An error that came inside a `200`: by its code, like the HTTP answer it could have been.
    package init(
        inStream error: ToldError?, requestID: String?, isTruncated: Bool
    ) {
        let (reason, verdict) = Self.judge(error?.code, isTruncated: isTruncated)
        let message =
            error?.message
            ?? (isTruncated
                ? "upstream ended the stream without saying how the response ended"
                : "upstream ended the response as failed")
        self.init(
            reason, verdict,
            ResponseError(
                code: isTruncated && error == nil
                    ? ResponseError.code(of: .truncated) : UpstreamErrorCode.failed.rawValue,
                message: message, isRetryable: verdict == .again,
                upstreamCode: error?.code, requestID: requestID))
    }

    private static func judge(_ code: String?, isTruncated: Bool) -> (Reason, Verdict) {
        switch code {
        case nil: return isTruncated ? (.cut, .again) : (.serverError, .again)
        case "insufficient_quota"?, "billing_hard_limit_reached"?: return (.refused, .elsewhere)
        case "rate_limit_exceeded"?, "rate_limit_error"?, "slow_down"?, "too_many_requests"?:
            return (.rateLimited, .again)
        case "server_error"?, "server_is_overloaded"?, "service_unavailable_error"?,
            "vector_store_timeout"?, "internal_error"?, "internal_server_error"?, "overloaded"?:
            return (.serverError, .again)
        case let code?:
            guard let status = Int(code), (400...599).contains(status) else {
                return (.rejected, .final)
            }
            let reason = reason(status: status, error: nil)
            return switch reason {
            case .conflict, .rateLimited, .serverError: (reason, .again)
            case .refused: (reason, .elsewhere)
            default: (.rejected, .final)
            }
        }
    }
}

extension ResponseError {
    /// The name under which a client learns of a failure to reach upstream or of its refusal.
    package static func code(of failure: UpstreamFailure.Code) -> String {
        // Upstream has no part in it.
        failure == .noRoom ? GatewayErrorCode.overloaded.rawValue : "upstream_" + failure.rawValue
    }

    /// What a client is told of a failure to reach upstream or of its refusal.
    package init(_ failure: UpstreamFailure) {
        // What concerns the gateway's key is the operator's business, and upstream quotes part of the key.
        let isCredential = failure.status == 401 || failure.status == 403
        self.init(
            code: Self.code(of: failure.code),
            message: isCredential
                ? "upstream refused the gateway's credentials (status \(failure.status ?? 401))"
                : failure.message,
            isRetryable: failure.isRetryable, upstreamStatus: failure.status,
            upstreamCode: failure.upstreamError.flatMap { $0.code ?? $0.type },
            requestID: failure.requestID, retryAfter: failure.retryAfter)
        answer = failure.answer
    }
}
