@testable import GatewayCore

/// A session of the OpenAI dialect, driven without a gateway.
struct DialectFixture {
    var machine: SessionMachine
    var actions: [SessionAction] = []
    var now = Instant(nanoseconds: 1_000_000_000)
    let connection = ConnectionID(shard: 0, counter: 1)
    private var reducers: [Int: ResponsesReducer] = [:]

    init(
        requests: UpstreamRequestBuilder = UpstreamRequestBuilder(),
        _ adjust: (inout SessionSettings) -> Void = { _ in }
    ) {
        var settings = SessionSettings { _ in [] }
        settings.fidelity = .full
        settings.conversation = .none
        adjust(&settings)
        machine = SessionMachine(
            id: SessionID(node: 0, shard: 0, random: Array(repeating: 7, count: 10)),
            epoch: "e_1", settings: settings, requests: requests, now: now)
        machine.attach(connection, now: now, actions: &actions)
        actions = []
    }

    mutating func create(_ body: String, isFrame: Bool = false) throws(DialectError) {
        let bytes = Array(body.utf8)
        let request = try DialectRequest(parsing: bytes.span, isFrame: isFrame, maximumDepth: 64)
        try machine.create(
            request, from: connection, responseID: "r_x", now: now, actions: &actions)
    }

    /// The requests that were sent upstream since it was asked last, by response.
    mutating func opened() -> [(response: Int, body: String)] {
        defer { actions = [] }
        return actions.compactMap { action in
            guard case .openUpstream(let response, let request) = action else { return nil }
            return (response, String(decoding: request.bytes, as: UTF8.self))
        }
    }

    /// Feeds one event as `UpstreamRun` does.
    mutating func feed(_ response: Int, _ event: [UInt8]) throws {
        var reducer = reducers[response] ?? ResponsesReducer()
        let data = event.span
        var outputs: [ResponsesOutput] = []
        try reducer.reduce(data) { outputs.append($0) }
        for output in outputs {
            machine.upstream(response, output, data: data, now: now, actions: &actions)
        }
        machine.upstreamEvent(response, data: data, now: now, actions: &actions)
        reducers[response] = reducer
    }

    mutating func feed(_ response: Int, _ event: String) throws {
        try feed(response, Array(event.utf8))
    }

    /// The readers have had the log up to a sequence number, the quickest up to `best`.
    mutating func read(upTo lowest: Int, best: Int? = nil) {
        machine.updateFlow(bestCursor: best ?? lowest, lowestCursor: lowest, actions: &actions)
    }

    mutating func tick(at time: Instant) { machine.tick(now: time, actions: &actions) }

    /// The `data` lines that a reader gets, some events at a time.
    func data(of response: Int, after number: Int = -1, bytes: Int = 900) -> [String] {
        var output: [String] = []
        guard var cursor = machine.log.cursor(ofResponse: response, after: number) else {
            return []
        }
        while cursor < machine.log.lastSequence {
            var piece: [UInt8] = []
            cursor = machine.log.renderEvents(
                after: cursor, ofResponse: response, into: &piece, maximumBytes: bytes,
                framing: .serverSentEvents)
            for line in String(decoding: piece, as: UTF8.self).split(separator: "\n")
            where line.hasPrefix("data: ") {
                output.append(String(line.dropFirst(6)))
            }
        }
        return output
    }

    func lines(after cursor: Int = 0) -> [String] {
        var output: [UInt8] = []
        _ = machine.log.renderEvents(
            after: cursor, into: &output, maximumBytes: .max, framing: .lines)
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
