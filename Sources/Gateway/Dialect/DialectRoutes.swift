import Configuration
import GatewayCore
import Synchronization
import WebSocketServer

/// The HTTP requests of the OpenAI dialect: which are answered here, and which upstream answers.
struct DialectRoutes {
    let shard: ShardCore

    /// The parts of a path below `/v1` when it is one of the dialect's: all but that of the native protocol.
    private func parts(of request: HTTPRequest) -> [String]? {
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: false)
            .dropFirst().map(String.init)
        guard shard.context.configuration.dialect.isEnabled, parts.count >= 2, parts[0] == "v1",
            request.path != "/v1/chat"
        else { return nil }
        return Array(parts.dropFirst())
    }

    /// What is to be done with a body; uploads pass through, everything else is collected.
    ///
    /// Nobody without a key has more than a few bytes read.
    func bodyPolicy(of request: HTTPRequest) -> BodyPolicy {
        guard let parts = parts(of: request) else {
            return .refuse(HTTPRoutes.refusal(ofBodyOf: request))
        }
        if let refusal = refusal(of: request, parts) { return .refuse(refusal) }
        let isUpload = request.method == .post && parts == ["files"]
        return isUpload
            ? .stream(limitBytes: shard.context.configuration.dialect.fileBytes) : .collect
    }

    /// Takes a request of the dialect; false when its path is none.
    func respond(to exchange: HTTPExchange) -> Bool {
        let request = exchange.request
        guard let parts = parts(of: request) else { return false }
        if let refusal = refusal(of: request, parts) {
            exchange.respond(refusal)
            return true
        }
        let address = shard.context.admission.clientAddress(of: request)
        switch shard.context.admission.enter(address) {
        case .failure(let refusal):
            exchange.respond(DialectError(refusal.response).response())
        case .success(let place):
            let answering = DialectExchange(
                exchange, shard: shard,
                subject: shard.context.keys.subject(of: request) ?? AccessKeys.anonymous,
                place: place)
            shard.exchangeBegan(answering)
            route(answering, request, parts)
        }
        return true
    }

    /// Why a request is not taken, as far as its head tells.
    private func refusal(of request: HTTPRequest, _ parts: [String]) -> HTTPResponse? {
        guard shard.context.keys.subject(of: request) != nil else {
            return DialectError.unauthorized.response()
        }
        guard !shard.context.isDraining.load(ordering: .relaxed) else {
            return DialectError.draining.response()
        }
        let methods = parts.dropFirst().allSatisfy(Self.isOpaque) ? Self.methods(at: parts) : []
        guard !methods.isEmpty else { return DialectError.notFound(request.path).response() }
        guard methods.contains(request.method) else {
            var answer = DialectError.methodNotAllowed.response()
            answer.headers.append(("allow", methods.map(\.rawValue).joined(separator: ", ")))
            return answer
        }
        let type = request.headers["content-type"]?.lowercased() ?? ""
        if request.method == .post, parts == ["files"], !type.hasPrefix("multipart/form-data") {
            return DialectError.notMultipart.response()
        }
        let encoding = request.headers["content-encoding"]?.lowercased() ?? "identity"
        return encoding == "identity" ? nil : DialectError.compressed.response()
    }

    /// What can be done at a path; nothing when there is no such path.
    private static func methods(at parts: [String]) -> [HTTPMethod] {
        switch (parts[0], parts.count) {
        case ("responses", 1): [.post]
        case ("responses", 2) where isCollection(parts[1]): [.post]
        case ("responses", 2): [.get, .delete]
        case ("responses", 3) where parts[2] == "cancel": [.post]
        case ("responses", 3) where parts[2] == "input_items": [.get]
        case ("models", 1...4): [.get]  // Names of models may have slashes.
        case ("conversations", 1): [.post]
        case ("conversations", 2): [.get, .post, .delete]
        case ("conversations", 3) where parts[2] == "items": [.get, .post]
        case ("conversations", 4) where parts[2] == "items": [.get, .delete]
        case ("files", 1): [.get, .post]
        case ("files", 2): [.get, .delete]
        case ("files", 3) where parts[2] == "content": [.get]
        default: []
        }
    }

    private static func isCollection(_ name: String) -> Bool {
        name == "input_tokens" || name == "compact"
    }

    private func route(_ exchange: DialectExchange, _ request: HTTPRequest, _ parts: [String]) {
        switch (request.method, parts[0], parts.count) {
        case (.post, "responses", 1): exchange.create()
        case (.post, "responses", 2): exchange.passOnAfterPrevious()
        case (.get, "responses", 2): retrieve(exchange, request, parts[1])
        case (.delete, "responses", 2): exchange.ask(.delete, about: parts[1])
        case (.post, "responses", _): exchange.ask(.cancel, about: parts[1])
        case (_, "responses", _): exchange.passOn(about: parts[1])
        case (_, "models", _) where !shard.context.requests.models.isEmpty:
            answer(exchange, modelAt: parts.dropFirst())
        case (_, "models", _): exchange.passOn()
        // What is made at one upstream is there only.
        default: exchange.passOn(to: 0)
        }
    }

    /// Names the models that `options.models` lists.
    ///
    /// Upstream is not asked: it may know others, or these by other names (`fallback.models`).
    private func answer(_ exchange: DialectExchange, modelAt path: ArraySlice<String>) {
        let models = shard.context.requests.models
        guard !path.isEmpty else { return exchange.respond(200, [], models.listDocument) }
        let name = path.joined(separator: "/")
        guard let document = models.document(of: name) else {
            return exchange.take(.refused(.unknownModel(name)))
        }
        exchange.respond(200, [], document)
    }

    private func retrieve(_ exchange: DialectExchange, _ request: HTTPRequest, _ name: String) {
        guard request.queryValue("stream") == "true" else {
            return exchange.ask(.object, about: name)
        }
        let after = request.queryValue("starting_after")
        guard let number = after.map({ Int($0) }) ?? -1, number >= -1 else {
            return exchange.take(
                .refused(
                    DialectError(
                        400, "invalid_type", "starting_after is no integer",
                        param: "starting_after")))
        }
        exchange.ask(.events(after: number), about: name)
    }

    /// An id, whatever its maker calls one; nothing that would mean another path.
    private static func isOpaque(_ part: String) -> Bool {
        part != "." && part != ".." && (1...512).contains(part.utf8.count)
            && part.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
