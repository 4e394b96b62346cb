internal import CLibcurl
internal import GatewayCore
internal import Glibc

/// What is known when libcurl gives up, and what that means: the table from its codes to our failures.
struct TransferDiagnosis {
    /// How far the exchange came.
    enum Phase {
        case resolving
        case connecting
        case securing
        case waiting
        case receiving
    }

    /// A `CURLcode`.
    var code: UInt32
    /// The `errno` behind it, or 0.
    var systemError: Int32
    /// libcurl's own words.
    var detail: String
    /// "host:port".
    var endpoint: String
    var phase: Phase
    var connectTimeout: Duration
    /// Of TLS alone, where that has one.
    var tlsTimeout: Duration?
    /// The connection goes to a proxy, which is asked for the rest of the way (`upstream.proxy`).
    var usesProxy = false

    var failure: UpstreamFailure {
        switch CURLcode(code) {
        case CURLE_OK:
            upstream(.protocolError, "\(endpoint) ended without a response")
        case CURLE_COULDNT_RESOLVE_HOST where detail.contains("thread failed to start"):
            noRoom("no thread or descriptor left to look up its name (server.open_files)")
        case CURLE_COULDNT_RESOLVE_HOST:
            shortage ?? upstream(.dnsFailed, "\(endpoint): the host name has no address\(reason)")
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY:
            shortage ?? proxyFailed
        case CURLE_RECV_ERROR where usesProxy && detail.contains("CONNECT"):
            // Its answer to that request was none, or a refusal.
            proxyFailed
        case CURLE_COULDNT_CONNECT where usesProxy:
            shortage ?? proxyFailed
        case CURLE_COULDNT_CONNECT:
            shortage ?? couldNotConnect
        case CURLE_OPERATION_TIMEDOUT:
            timedOut
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CERTPROBLEM:
            gateway(.tlsFailed, "TLS with \(endpoint): the certificate is not trusted\(reason)")
        case CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE, CURLE_SSL_CIPHER,
            CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED:
            gateway(.tlsFailed, "TLS with \(endpoint) cannot be set up\(reason)")
        case CURLE_SSL_CONNECT_ERROR:
            upstream(.tlsFailed, "TLS with \(endpoint): the handshake failed\(reason)")
        case CURLE_GOT_NOTHING:
            upstream(.reset, "\(endpoint) closed the connection without an answer")
        case CURLE_RECV_ERROR where detail.contains("chunked-encoding"):
            upstream(.protocolError, "\(endpoint) sent a malformed chunk\(reason)")
        case CURLE_RECV_ERROR where detail.contains("unexpected eof"), CURLE_PARTIAL_FILE:
            upstream(.truncated, "\(endpoint) ended \(subject) before its announced end\(reason)")
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_HTTP2_STREAM:
            upstream(.reset, "\(endpoint) reset the connection in \(subject)\(reason)")
        case CURLE_HTTP2, CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL,
            CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP_RETURNED_ERROR:
            upstream(.protocolError, "\(endpoint) does not speak HTTP as expected\(reason)")
        case CURLE_OUT_OF_MEMORY where phase == .waiting:
            // What libcurl says of a line above its own limit, which comes before any limit of ours is met.
            UpstreamFailure(
                .tooLarge, .upstream, isRetryable: false,
                "\(endpoint) sent a header line that libcurl does not take\(reason)")
        default:
            gateway(.internalError, "\(endpoint): libcurl error \(code)\(reason)")
        }
    }

    private var proxyFailed: UpstreamFailure {
        gateway(.proxyFailed, retry: true, "\(endpoint)\(way)\(reason)")
    }

    private var shortage: UpstreamFailure? {
        switch systemError {
        case EMFILE: noRoom("this process has no descriptor left (server.open_files)")
        case ENFILE: noRoom("this machine has no descriptor left (sysctl fs.file-max)")
        default: nil
        }
    }

    private var couldNotConnect: UpstreamFailure {
        if systemError == ECONNREFUSED {
            return upstream(.connectRefused, "connection to \(endpoint) refused: nobody listens")
        }
        if systemError == ETIMEDOUT {
            return upstream(.connectTimeout, "no connection to \(endpoint): the system gave up")
        }
        let why = systemError == 0 ? reason : ": \(String(cString: strerror(systemError)))"
        return upstream(.connectFailed, "no connection to \(endpoint)\(why)")
    }

    /// Only connecting has a timeout here; later deadlines are the caller's.
    var timedOut: UpstreamFailure {
        let timeout = phase == .securing ? tlsTimeout ?? connectTimeout : connectTimeout
        let limit = "within \(timeout)"
        return switch phase {
        case .resolving: upstream(.dnsTimeout, "\(endpoint): no address for the name \(limit)")
        case .connecting: upstream(.connectTimeout, "no connection to \(endpoint)\(way) \(limit)")
        case .securing: upstream(.tlsTimeout, "no TLS with \(endpoint)\(way) \(limit)")
        case .waiting, .receiving: upstream(.reset, "\(endpoint) timed out\(reason)")
        }
    }

    private var way: String { usesProxy ? " through the proxy" : "" }

    private var subject: String { phase == .receiving ? "the body" : "the head" }

    private var reason: String { detail.isEmpty ? "" : ": \(detail)" }

    private func upstream(_ code: UpstreamFailure.Code, _ message: String) -> UpstreamFailure {
        UpstreamFailure(code, .upstream, isRetryable: true, message)
    }

    private func noRoom(_ why: String) -> UpstreamFailure {
        gateway(.noRoom, retry: true, "no connection to \(endpoint): \(why)")
    }

    private func gateway(
        _ code: UpstreamFailure.Code, retry: Bool = false, _ message: String
    ) -> UpstreamFailure {
        UpstreamFailure(code, .gateway, isRetryable: retry, message)
    }
}
