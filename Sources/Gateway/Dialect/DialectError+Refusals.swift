import GatewayCore
import Upstream
import WebSocketServer

/// Why the gateway itself refuses a request of the OpenAI dialect, in the service's own words where it has some.
extension DialectError {
    static let unauthorized = DialectError(
        401, "invalid_api_key", "Incorrect API key provided, or none: send a key of auth.keys.")
    static let overloaded = DialectError(
        503, "server_is_overloaded", "no room for another response (limits.sessions)",
        type: "service_unavailable_error", retryAfter: 5)

    static let memoryFull = DialectError(
        503, "server_is_overloaded", "the logs of all sessions are full (replay.process_bytes)",
        type: "service_unavailable_error", retryAfter: 5)
    static let noUpstream = DialectError(
        503, UpstreamErrorCode.unavailable.rawValue, "no upstream serves this request now",
        type: "service_unavailable_error", retryAfter: 5)
    /// Upstream has asked for a pause, of which so much is left.
    static func noUpstream(for pause: Duration) -> DialectError {
        DialectError(
            503, UpstreamErrorCode.unavailable.rawValue, "upstream has asked for a pause",
            type: "service_unavailable_error",
            retryAfter: Int((pause.milliseconds + 999) / 1000))
    }
    static let upstreamFull = DialectError(
        503, "server_is_overloaded", "no room at the upstream (upstream.concurrency)",
        type: "service_unavailable_error", retryAfter: 1)
    static let transfersFull = DialectError(
        503, "server_is_overloaded",
        "no room for another upstream transfer (upstream.connections)",
        type: "service_unavailable_error", retryAfter: 1)

    /// Why a client's request could not even be handed over.
    init(_ error: UpstreamError) {
        switch error {
        case .invalid(let reason): self.init(400, "invalid_value", reason)
        case .tooManyTransfers: self = .transfersFull
        case .shutDown: self = .draining
        case .libraryFailed, .loopFailed: self.init(ResponseError(error))
        }
    }

    static let methodNotAllowed = DialectError(
        405, "method_not_allowed", "Not allowed to do that at this URL.")
    static let notMultipart = DialectError(
        415, "unsupported_media_type", "A file comes as multipart/form-data.")
    static let unreadable = DialectError(
        400, nil, "We could not parse the JSON body of your request.")
    static let compressed = DialectError(
        415, "unsupported_media_type", "A body comes as it is, without a content-encoding.")

    /// The service's answer for a response that it does not have; `name` is raw JSON.
    static func noResponse(_ name: String) -> DialectError {
        DialectError(404, nil, "Response with id \(name.prefix(200)) not found.")
    }

    /// The same where a request goes on from it.
    static func noPrevious(_ name: [UInt8]) -> DialectError {
        DialectError(
            400, "previous_response_not_found",
            "Previous response with id \(String(decoding: name.prefix(200), as: UTF8.self)) not found.",
            param: "previous_response_id")
    }

    /// Only the object of a response is left.
    static func eventsExpired(param: String?) -> DialectError {
        DialectError(
            400, "events_expired",
            "the events of this response are no longer kept (replay.retention_s)", param: param)
    }

    static let noSuchEvent = DialectError(
        400, "invalid_value", "starting_after is not the number of an event of this response",
        param: "starting_after")

    /// The service's answer to a question about a model that is not there.
    static func unknownModel(_ name: String) -> DialectError {
        DialectError(
            404, "model_not_found",
            "The model '\(name.prefix(200))' does not exist or you do not have access to it.",
            param: "model")
    }

    static func notFound(_ path: String) -> DialectError {
        DialectError(404, "unknown_url", "Invalid URL (\(path.prefix(200)))")
    }

    /// What turned a connection away.
    init(_ refusal: HTTPResponse) {
        let isAddress = refusal.status == 429
        self.init(
            refusal.status, isAddress ? "rate_limit_exceeded" : "server_is_overloaded",
            isAddress
                ? "too many connections from this address (server.connections_per_address)"
                : "no room for more connections (server.connections)",
            type: isAddress ? "requests" : "service_unavailable_error", retryAfter: 5)
    }

    /// The HTTP answer; one to an upgrade says its status inside too, as the service does.
    func response(isUpgrade: Bool = false) -> HTTPResponse {
        var body = document
        if isUpgrade {
            body.removeLast(2)
            body += Array(",\"status\":\(status)}\n".utf8)
        }
        return HTTPResponse(
            status: status,
            headers: headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
                + [("content-type", "application/json")], body: body)
    }
}
