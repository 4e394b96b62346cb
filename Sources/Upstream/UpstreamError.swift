internal import CLibcurl

/// Why a worker or a transfer could not be made; what goes wrong later is an `UpstreamFailure`.
package enum UpstreamError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A libcurl call failed, with libcurl's own reason.
    case libraryFailed(call: String, reason: String)
    /// The loop refused a handle.
    case loopFailed(String)
    /// URL, path or header that cannot be sent; the text names which and why, without its value.
    case invalid(String)
    /// The worker has as many transfers as it may.
    case tooManyTransfers(limit: Int)
    /// The worker was shut down.
    case shutDown

    package var description: String {
        switch self {
        case .libraryFailed(let call, let reason): "\(call): \(reason)"
        case .loopFailed(let reason): reason
        case .invalid(let reason): reason
        case .tooManyTransfers(let limit): "\(limit) upstream transfers run already"
        case .shutDown: "the upstream worker is shut down"
        }
    }

    static func libcurl(_ call: String, _ code: CURLcode) -> UpstreamError {
        .libraryFailed(call: call, reason: String(cString: curl_easy_strerror(code)))
    }

    static func libcurl(_ call: String, share code: CURLSHcode) -> UpstreamError {
        .libraryFailed(call: call, reason: String(cString: curl_share_strerror(code)))
    }

    static func libcurl(_ call: String, multi code: CURLMcode) -> UpstreamError {
        .libraryFailed(call: call, reason: String(cString: curl_multi_strerror(code)))
    }
}
