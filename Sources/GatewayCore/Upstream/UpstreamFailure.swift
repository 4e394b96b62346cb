/// Why an exchange with an upstream did not end as asked; never holds a key, a prompt or an answer.
package struct UpstreamFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// A stable, documented name: policies switch on it, dashboards group by it.
    package enum Code: String, CaseIterable, Sendable {
        /// The host name has no address.
        case dnsFailed = "dns_failed"
        /// No name server answered within the connect timeout.
        case dnsTimeout = "dns_timeout"
        /// Nobody listens at host and port.
        case connectRefused = "connect_refused"
        /// The host cannot be reached: no route, network down.
        case connectFailed = "connect_failed"
        /// TCP was not established within the connect timeout.
        case connectTimeout = "connect_timeout"
        /// The handshake failed, or the certificate is not to be trusted.
        case tlsFailed = "tls_failed"
        /// TLS was not established within the connect timeout.
        case tlsTimeout = "tls_timeout"
        /// The configured proxy refused or is not there.
        case proxyFailed = "proxy_failed"
        /// Upstream answered with a status that is not 2xx.
        case httpStatus = "http_status"
        /// Upstream answered 2xx with something else than was asked for.
        case wrongContentType = "wrong_content_type"
        /// The connection or the HTTP/2 stream was reset, before the response or inside it.
        case reset = "reset"
        /// The body ended before its announced end.
        case truncated = "truncated"
        /// Head or document exceed our limits.
        case tooLarge = "too_large"
        /// What came is not HTTP, or is HTTP that we did not ask for.
        case protocolError = "protocol_error"
        /// This process may open no more descriptors, or start no more threads.
        case noRoom = "no_room"
        /// The transfer could not be set up: out of memory, or a mistake of ours.
        case internalError = "internal_error"
    }

    /// Who must change something so that it does not happen again.
    package enum Fault: String, Sendable { case client, upstream, gateway }

    package let code: Code
    package let fault: Fault
    /// Whether the same request may succeed when sent again; meaningful before the first event only.
    package let isRetryable: Bool
    /// What was tried, where, and what came of it: for logs, and for operators.
    package let message: String
    /// The HTTP status, when there was a response.
    package var status: Int?
    /// What upstream itself says about the error, when it says anything.
    package var upstreamError: UpstreamErrorBody?
    /// Upstream's name for the request.
    package var requestID: String?
    /// How long upstream asks us to wait.
    package var retryAfter: Duration?
    /// What upstream answered, for clients that want to hear it in its own words.
    package var answer: UpstreamAnswer?

    /// Makes a failure without a response.
    package init(_ code: Code, _ fault: Fault, isRetryable: Bool, _ message: String) {
        self.code = code
        self.fault = fault
        self.isRetryable = isRetryable
        self.message = message
    }

    package var description: String { "\(code.rawValue): \(message)" }
}

extension UpstreamFailure {
    /// What a response that is not 2xx means.
    ///
    /// `endpoint` is host and port. `unixSeconds` serves a `retry-after` date in a response that has no
    /// `date` of its own.
    package static func http(
        head: UpstreamResponseHead, body: [UInt8], endpoint: String, unixSeconds: Int64?
    ) -> UpstreamFailure {
        let error = UpstreamErrorBody(parsing: body, mediaType: head.mediaType)
        var message = "\(endpoint) answered \(head.status)"
        if (300..<400).contains(head.status) {
            message += ", a redirect, which is not followed because it would take the key elsewhere"
        }
        let name = error?.code ?? error?.type
        if let name { message += " (\(name))" }
        if let text = error?.message { message += ": \(text)" }
        var failure = UpstreamFailure(
            .httpStatus, fault(status: head.status, error: error),
            isRetryable: isRetryable(head: head, error: error), message)
        failure.status = head.status
        failure.upstreamError = error
        failure.requestID = head.requestID
        failure.retryAfter = head.retryAfter(unixSeconds: unixSeconds)
        failure.answer = UpstreamAnswer(head: head, body: body)
        return failure
    }

    /// A 2xx whose media type is not the one that was asked for.
    package static func wrongContentType(
        head: UpstreamResponseHead, expected: String, endpoint: String
    ) -> UpstreamFailure {
        let found = head.mediaType ?? "no content type"
        var failure = UpstreamFailure(
            .wrongContentType, .upstream, isRetryable: false,
            "\(endpoint) answered \(head.status) with \(found) instead of \(expected)")
        failure.status = head.status
        failure.requestID = head.requestID
        return failure
    }

    /// The rule of the official SDKs, except that an empty purse is final whatever the header says.
    private static func isRetryable(
        head: UpstreamResponseHead, error: UpstreamErrorBody?
    ) -> Bool {
        if error?.isQuotaExhausted == true { return false }
        if let shouldRetry = head.shouldRetry { return shouldRetry }
        switch head.status {
        case 408, 409, 429, 500...: return true
        default: return false
        }
    }

    private static func fault(status: Int, error: UpstreamErrorBody?) -> Fault {
        switch status {
        case 429: error?.isQuotaExhausted == true ? .gateway : .upstream
        // The key, the account, the base URL: the operator's to mend.
        case 300..<400, 401, 402, 403, 405, 407: .gateway
        case 404:
            switch error?.code {
            case "model_not_found"?, "previous_response_not_found"?: .client
            default: .gateway
            }
        case 408, 409, 425, 500...: .upstream
        case 400..<500: .client
        default: .upstream
        }
    }
}
