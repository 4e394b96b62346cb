package import EventLoop
internal import GatewayCore
internal import Glibc
package import WebSocketServer

/// All state of one simulator; belongs to its loop's thread.
package final class SimulatorCore: ServerHandler {
    package let loop: EventLoop
    package let options: SimulatorOptions
    package let seed: UInt64
    let replays: ReplayLibrary?
    let fault: Directives?
    var statistics = Statistics()
    var store = ResponseStore()
    var conversations = ResponseStore(maximumEntries: 1000)
    var ledger = FaultLedger()
    var requestLimit: RequestLimit?
    /// Background responses that are stored, by id.
    var drivers: [String: BackgroundDriver] = [:]
    private var requestIndex: UInt64 = 0
    /// What keeps the observers of open exchanges alive.
    private var held: [ObjectIdentifier: any HTTPExchangeObserver] = [:]

    package init(loop: EventLoop, options: SimulatorOptions) throws(ReplayLibrary.Failure) {
        self.loop = loop
        self.options = options
        seed = options.seed ?? UInt64.random(in: 0..<1 << 53)
        replays = try options.replay.map { path throws(ReplayLibrary.Failure) in
            try ReplayLibrary(path: path)
        }
        requestLimit = options.requestLimit
        fault = options.fault.map { Directives(fault: $0) }
    }

    /// CLOCK_MONOTONIC in nanoseconds.
    var monotonic: UInt64 { UInt64(loop.now.nanoseconds) }

    var moment: Moment { Moment(monotonic: monotonic, unixSeconds: time(nil)) }

    /// A generator of its own for the next request.
    func nextRandom() -> SeededRandom {
        requestIndex += 1
        return SeededRandom(seed: seed, index: requestIndex)
    }

    func hold(_ observer: any HTTPExchangeObserver) { held[ObjectIdentifier(observer)] = observer }

    func release(_ observer: any HTTPExchangeObserver) { held[ObjectIdentifier(observer)] = nil }

    // MARK: requests

    package func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        .refuse(.error(501, "not_implemented", "the simulator has no WebSocket mode"))
    }

    package func respond(to exchange: HTTPExchange) {
        note(exchange)
        let path = exchange.request.path
        if path != "/healthz", !path.hasPrefix("/stats"), !isAuthorized(exchange.request) {
            refuse(exchange, .unauthorized)
            return
        }
        route(exchange, path.split(separator: "/").map(String.init))
    }

    private func isAuthorized(_ request: HTTPRequest) -> Bool {
        guard let key = options.apiKey else { return true }
        return request.headers["authorization"] == "Bearer " + key
    }

    private func note(_ exchange: HTTPExchange) {
        let request = exchange.request
        guard !request.path.hasPrefix("/stats"), request.path != "/healthz" else { return }
        let shown = request.headers.names.filter { $0 != "authorization" && $0 != "cookie" }
        statistics.note(
            Statistics.Request(
                method: request.method.rawValue, path: request.path, query: request.query,
                headers: shown.map { ($0, request.headers[$0] ?? "") },
                hasAuthorization: request.headers["authorization"] != nil,
                body: exchange.body, atNanoseconds: monotonic))
    }

    private func route(_ exchange: HTTPExchange, _ path: [String]) {
        switch (exchange.request.method, path) {
        case (.post, ["v1", "responses"]): createResponse(exchange)
        case (.post, ["v1", "responses", "input_tokens"]): countTokens(exchange)
        case (.get, let path) where path.count == 3 && path.starts(with: ["v1", "responses"]):
            retrieveResponse(exchange, path[2])
        case (.delete, let path) where path.count == 3 && path.starts(with: ["v1", "responses"]):
            deleteResponse(exchange, path[2])
        case (.post, let path)
        where path.count == 4 && path.starts(with: ["v1", "responses"]) && path[3] == "cancel":
            cancelResponse(exchange, path[2])
        case (.get, let path)
        where path.count == 4 && path.starts(with: ["v1", "responses"]) && path[3] == "input_items":
            listInputItems(exchange, path[2])
        case (.get, ["v1", "models"]), (.head, ["v1", "models"]): listModels(exchange)
        case (.get, let path) where path.count == 3 && path.starts(with: ["v1", "models"]):
            answer(exchange, Self.model(path[2]))
        case (.get, ["stats"]), (.head, ["stats"]):
            answer(
                exchange,
                statistics.json(stored: store.count, storedBytes: store.byteCount, seed: seed))
        case (.post, ["stats", "reset"]):
            statistics.reset()
            ledger = FaultLedger()
            answer(exchange, .object([.init("ok", .bool(true))]))
        case (.get, ["healthz"]), (.head, ["healthz"]):
            answer(exchange, .object([.init("ok", .bool(true))]))
        case (let method, _):
            refuse(
                exchange,
                APIError(
                    status: 404,
                    message: "Invalid URL (\(method.rawValue) \(exchange.request.path))"))
        }
    }

    // MARK: answers

    /// The headers that OpenAI sends with everything.
    func headers(contentType: String, _ random: inout SeededRandom) -> [(String, String)] {
        requestLimit?.fill(monotonic)
        let limits =
            requestLimit?.headers ?? [
                ("x-ratelimit-limit-requests", "10000"),
                ("x-ratelimit-remaining-requests", "9999"),
                ("x-ratelimit-reset-requests", "6ms"),
            ]
        return [
            ("content-type", contentType),
            ("x-request-id", "req_" + random.alphanumeric(32).lowercased()),
            ("openai-version", "2020-10-01"),
            ("openai-processing-ms", String(5 + random.next() % 40)),
            ("x-ratelimit-limit-tokens", "10000000"),
            ("x-ratelimit-remaining-tokens", "9999000"),
            ("x-ratelimit-reset-tokens", "6ms"),
        ] + limits
    }

    func answer(_ exchange: HTTPExchange, _ value: JSONValue) {
        answer(exchange, status: 200, value.bytes)
    }

    func answer(
        _ exchange: HTTPExchange, status: Int, _ body: [UInt8],
        contentType: String = "application/json", extra: [(String, String)] = []
    ) {
        var random = nextRandom()
        statistics.noteStatus(status)
        exchange.respond(
            HTTPResponse(
                status: status, headers: headers(contentType: contentType, &random) + extra,
                body: body))
    }

    func refuse(_ exchange: HTTPExchange, _ error: APIError, extra: [(String, String)] = []) {
        answer(
            exchange, status: error.status, error.body, contentType: error.contentType,
            extra: extra)
    }
}
