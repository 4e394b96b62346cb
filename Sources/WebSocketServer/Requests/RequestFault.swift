/// Why a request is refused before anybody is asked about it: its head does not say one thing only.
///
/// Source of the rules: RFC 9112 (HTTP/1.1), RFC 9110 (HTTP semantics).
struct RequestFault: Error {
    let response: HTTPResponse

    private init(_ status: Int, _ code: String, _ message: String) {
        response = .error(status, code, message)
    }

    static func invalid(_ message: String) -> RequestFault {
        RequestFault(400, "invalid_request", message)
    }

    /// Something else than HTTP, by its first byte.
    static let noHTTP = invalid("this port speaks HTTP/1.1, without TLS")
    static let requestLine = invalid("a request begins with METHOD TARGET HTTP/1.1")
    static let chunks = invalid("the chunks of the body are broken")
    static let host = invalid("a request has one host")
    static let invalidPath = RequestFault(
        400, "invalid_path", "a path begins with / and has %XX for what is not plain ASCII")
    static let contentLength = RequestFault(
        400, "invalid_content_length", "content-length is one number")
    static let method = RequestFault(
        501, "unknown_method",
        "this server knows " + HTTPMethod.allCases.map(\.rawValue).joined(separator: ", "))
    static let version = RequestFault(
        505, "unsupported_http_version", "this server speaks HTTP/1.1")
    static let coding = RequestFault(
        501, "unsupported_transfer_coding", "a body comes in chunks or as it is")

    /// The request line, or the whole head, does not end within so many bytes.
    static func tooLong(isTarget: Bool, limit: Int) -> RequestFault {
        isTarget
            ? RequestFault(414, "target_too_long", "a head may have \(limit) bytes here")
            : RequestFault(431, "head_too_large", "a head may have \(limit) bytes here")
    }
}
