import GatewayCore

/// The table of error codes in docs/protocol.md, section 7, from the types that hold the codes.
enum ErrorReference {
    /// The rows of the table, with its head.
    static func render() -> String {
        var text = "| code | retryable | where, and what it means |\n| --- | --- | --- |\n"
        for code in GatewayErrorCode.allCases {
            text += row(code.rawValue, code.isRetryable ? "yes" : "no", code.meaning)
        }
        // That one is told as `overloaded`, which is in the table already.
        for code in UpstreamFailure.Code.allCases where code != .noRoom {
            text += row(
                ResponseError.code(of: code), code.retryability, "`complete.error`: " + code.meaning
            )
        }
        for expiry in UpstreamDeadlines.Expiry.allCases {
            text += row(expiry.code, "yes", "`complete.error`: " + expiry.message)
        }
        for code in UpstreamErrorCode.allCases {
            text += row(code.rawValue, code.retryability, "`complete.error`: " + code.meaning)
        }
        return text
    }

    private static func row(_ code: String, _ retryable: String, _ meaning: String) -> String {
        "| `\(code)` | \(retryable) | \(meaning) |\n"
    }
}

extension UpstreamFailure.Code {
    /// Whether the same message may succeed when it is sent again, in a word or two.
    fileprivate var retryability: String {
        switch self {
        case .dnsFailed, .dnsTimeout, .connectRefused, .connectFailed, .connectTimeout, .tlsTimeout,
            .proxyFailed, .reset, .truncated, .noRoom:
            "yes"
        case .tlsFailed: "unless the certificate is at fault"
        case .httpStatus: "408, 409, 429 and 5xx, but no empty account"
        case .wrongContentType, .tooLarge: "no"
        case .protocolError, .internalError: "as `retryable` says"
        }
    }

    fileprivate var meaning: String {
        switch self {
        case .dnsFailed: "upstream's host name has no address"
        case .dnsTimeout: "no name server answered within `upstream.connect_timeout_ms`"
        case .connectRefused: "nobody listens at upstream's host and port"
        case .connectFailed: "upstream's host cannot be reached"
        case .connectTimeout: "no connection within `upstream.connect_timeout_ms`"
        case .tlsFailed: "the TLS handshake failed, or the certificate is not to be trusted"
        case .tlsTimeout: "no TLS within `upstream.tls_timeout_ms`"
        case .proxyFailed: "the proxy (`upstream.proxy`) refused or is not there"
        case .httpStatus:
            "upstream refused the request; `upstream_status` and `upstream_code` say how"
        case .wrongContentType: "upstream answered with something else than an event stream"
        case .reset: "upstream reset or closed the connection"
        case .truncated: "the stream ended without saying how the response ended"
        case .tooLarge: "the head or the error body of upstream's answer exceeds a limit"
        case .protocolError:
            "upstream sent what is not HTTP, not an event stream or not JSON, or lines or events above `upstream.line_bytes` or `upstream.event_bytes`"
        case .noRoom: "the gateway has no descriptor left"
        case .internalError: "the request could not be set up"
        }
    }
}

extension UpstreamErrorCode {
    fileprivate var retryability: String {
        switch self {
        case .busy, .queueTimeout, .unavailable, .responseLost: "yes"
        case .failed: "as upstream's code says"
        }
    }

    fileprivate var meaning: String {
        switch self {
        case .busy: "`upstream.concurrency` is reached, and so is `upstream.queue`"
        case .queueTimeout: "no place at an upstream within `upstream.queue_timeout_ms`"
        case .unavailable:
            "no upstream is usable: their last requests have failed, or they ask for a pause longer than `upstream.queue_timeout_ms`; `retry_after_ms` says when one is tried again"
        case .responseLost: "upstream does not have the background response any more"
        case .failed:
            "upstream ended the response with an error of its own; `upstream_code` names it"
        }
    }
}
