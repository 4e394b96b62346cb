import GatewayCore
import Synchronization
import Upstream
import WebSocketServer

/// The HTTP requests of the OpenAI dialect: which are answered here, and which upstream answers.
struct DialectRoutes {
    let shard: ShardCore

    /// Takes a request of the dialect; false when its path is none.
    func respond(to exchange: HTTPExchange) -> Bool {
        let request = exchange.request
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: false)
            .dropFirst().map(String.init)
        guard parts.count >= 2, parts[0] == "v1",
            ["responses", "models", "conversations", "files"].contains(parts[1])
        else { return false }
        guard let subject = shard.context.keys.subject(of: request) else {
            exchange.respond(DialectError.unauthorized.response())
            return true
        }
        guard !shard.context.isDraining.load(ordering: .relaxed) else {
            exchange.respond(DialectError.draining.response())
            return true
        }
        guard parts.dropFirst(2).allSatisfy(Self.isPlain) else {
            exchange.respond(DialectError.notFound(request.path).response())
            return true
        }
        let address = shard.context.admission.clientAddress(of: request)
        switch shard.context.admission.enter(address) {
        case .failure(let refusal):
            exchange.respond(DialectError(refusal.response).response())
        case .success(let place):
            let answering = DialectExchange(
                exchange, shard: shard, subject: subject, place: place)
            shard.exchangeBegan(answering)
            route(answering, request, Array(parts.dropFirst(1)))
        }
        return true
    }

    private func route(_ exchange: DialectExchange, _ request: HTTPRequest, _ parts: [String]) {
        switch (request.method, parts[0], parts.count) {
        case (.post, "responses", 1): exchange.create()
        case (.post, "responses", 2) where parts[1] == "input_tokens" || parts[1] == "compact":
            exchange.passOn()
        case (.get, "responses", 2):
            guard request.queryValue("stream") == "true" else {
                return exchange.ask(.object, about: parts[1])
            }
            let after = request.queryValue("starting_after")
            let number = after.map { Int($0) ?? -2 } ?? -1
            guard number >= -1 else {
                return exchange.take(
                    .refused(
                        DialectError(
                            400, "invalid_type", "starting_after is no integer",
                            param: "starting_after")))
            }
            exchange.ask(.events(after: number), about: parts[1])
        case (.delete, "responses", 2): exchange.ask(.delete, about: parts[1])
        case (.post, "responses", 3) where parts[2] == "cancel":
            exchange.ask(.cancel, about: parts[1])
        case (.get, "responses", 3) where parts[2] == "input_items": exchange.passOn()
        case (.get, "models", 1...2): exchange.passOn()
        case (.get, "conversations", 2...4), (.post, "conversations", 1...3),
            (.delete, "conversations", 2), (.delete, "conversations", 4):
            exchange.passOn()
        case (.get, "files", 1...3), (.delete, "files", 2): exchange.passOn()
        case (.post, "files", 1):
            let type = request.headers["content-type"]?.lowercased() ?? ""
            guard type.hasPrefix("multipart/form-data") else {
                return exchange.take(
                    .refused(
                        DialectError(
                            415, "unsupported_media_type", "a file comes as multipart/form-data")))
            }
            exchange.passOn()
        default: exchange.take(.refused(.notFound(request.path)))
        }
    }

    /// Ids and the names of collections: nothing that would mean another path.
    static func isPlain(_ part: String) -> Bool {
        !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 512
            && part.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "-_.~:".utf8.contains(byte)
                }
            }
    }
}

extension DialectError {
    static let unauthorized = DialectError(
        401, "invalid_api_key", "Incorrect API key provided, or none: send a key of auth.keys.")
    static let draining = DialectError(
        503, "server_is_overloaded", "the gateway is shutting down",
        type: "service_unavailable_error", retryAfter: 1)
    static let overloaded = DialectError(
        503, "server_is_overloaded", "no room for another response (limits.sessions)",
        type: "service_unavailable_error", retryAfter: 5)

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
