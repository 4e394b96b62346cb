/// What the simulator has seen and done since its start or the last reset; the JSON of `GET /stats`.
package struct Statistics: Sendable {
    /// One request, as a test wants to look at it.
    ///
    /// Never a key: only whether one was there.
    package struct Request: Sendable {
        package var method: String
        package var path: String
        package var query: [String]
        package var headers: [(String, String)]
        package var hasAuthorization: Bool
        package var body: [UInt8]
        package var atNanoseconds: UInt64
    }

    /// A stream whose client left before its end.
    package struct Cancellation: Sendable {
        package var responseID: String
        package var startedAt: UInt64
        package var detectedAt: UInt64
        package var events: Int
        package var bytes: Int
    }

    package static let maximumRequests = 64
    package static let maximumCancellations = 1024
    /// Of a longer body only the length is kept.
    package static let maximumBodyBytes = 16 << 10

    package var requestCount = 0
    package var responsesCreated = 0
    package var openStreams = 0
    package var streamsStarted = 0
    package var streamsCompleted = 0
    package var streamsCutByFault = 0
    package var cancelledByClient = 0
    package var cancelledByCall = 0
    package var events = 0
    package var bytes = 0
    private var byStatus: [Int: Int] = [:]
    private var byFault: [String: Int] = [:]
    private var requests: [Request] = []
    private var cancellations: [Cancellation] = []

    package init() {}

    package mutating func note(_ request: Request) {
        requestCount += 1
        if requests.count == Self.maximumRequests { requests.removeFirst() }
        requests.append(request)
    }

    package mutating func noteStatus(_ status: Int) { byStatus[status, default: 0] += 1 }

    package mutating func noteFault(_ kind: Fault.Kind) { byFault[kind.rawValue, default: 0] += 1 }

    package mutating func note(_ cancellation: Cancellation) {
        cancelledByClient += 1
        if cancellations.count == Self.maximumCancellations { cancellations.removeFirst() }
        cancellations.append(cancellation)
    }

    /// Starts again; streams that are open stay counted as open.
    package mutating func reset() {
        let open = openStreams
        self = Statistics()
        openStreams = open
    }

    /// Everything as JSON.
    package func json(stored: Int, storedBytes: Int, seed: UInt64) -> JSONValue {
        .object([
            .init("seed", .number(String(seed))),
            .init("requests", .integer(requestCount)),
            .init("responses_created", .integer(responsesCreated)),
            .init("open_streams", .integer(openStreams)),
            .init("streams_started", .integer(streamsStarted)),
            .init("streams_completed", .integer(streamsCompleted)),
            .init("streams_cut_by_fault", .integer(streamsCutByFault)),
            .init("cancelled_by_client", .integer(cancelledByClient)),
            .init("cancelled_by_call", .integer(cancelledByCall)),
            .init("events", .integer(events)),
            .init("bytes", .integer(bytes)),
            .init("stored_responses", .integer(stored)),
            .init("stored_bytes", .integer(storedBytes)),
            .init("statuses", counts(byStatus.map { (String($0.key), $0.value) })),
            .init("faults", counts(byFault.map { ($0.key, $0.value) })),
            .init("cancellations", .array(cancellations.map(\.json))),
            .init("last_requests", .array(requests.map(\.json))),
        ])
    }

    private func counts(_ pairs: [(String, Int)]) -> JSONValue {
        .object(pairs.sorted { $0.0 < $1.0 }.map { .init($0.0, .integer($0.1)) })
    }
}

extension Statistics.Cancellation {
    fileprivate var json: JSONValue {
        .object([
            .init("response", .string(responseID)),
            .init("started_monotonic_ns", .number(String(startedAt))),
            .init("detected_monotonic_ns", .number(String(detectedAt))),
            .init("events", .integer(events)),
            .init("bytes", .integer(bytes)),
        ])
    }
}

extension Statistics.Request {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("method", .string(method)), .init("path", .string(path)),
            .init("query", .array(query.map { .string($0) })),
            .init("headers", .object(headers.map { .init($0.0, .string($0.1)) })),
            .init("has_authorization", .bool(hasAuthorization)),
            .init("monotonic_ns", .number(String(atNanoseconds))),
            .init("body_bytes", .integer(body.count)),
        ]
        if body.count <= Statistics.maximumBodyBytes, !body.isEmpty {
            let parsed = try? JSONParser.parse(body)
            members.append(.init("body", parsed ?? .string(body.text)))
        }
        return .object(members)
    }
}
