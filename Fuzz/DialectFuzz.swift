/// Reads any bytes as a request of the OpenAI dialect and as events of upstream.
///
/// No trap; what is sent upstream and what readers get is JSON on one line, numbered densely, with one end.
/// The first byte chooses what happens; an event ends with a zero byte.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzDialect(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let rest = Array(bytes[1...])
    if first & 1 != 0 { checkRequest(rest, isFrame: first & 2 != 0) }
    if first & 4 != 0 { checkSplice(rest) }
    checkEvents(rest, isCancelled: first & 8 != 0)
    return 0
}

private func checkRequest(_ bytes: [UInt8], isFrame: Bool) {
    do throws(DialectError) {
        let request = try DialectRequest(parsing: bytes.span, isFrame: isFrame, maximumDepth: 64)
        precondition(Set(request.options.map(\.name)).count == request.options.count, "twice")
        let turn = DialectTurn(previous: request.previous, items: request.items)
        for turn in [nil, turn] {
            let body = UpstreamRequestBuilder().build(request, after: turn)
            precondition(isJSON(body.bytes), "the request is no JSON")
            precondition(isJSON(body.bytes(model: "m", isStreaming: false)), "nor the other one")
        }
    } catch {
        precondition(error.status == 400 && isJSON(error.document) && isJSON(error.frame))
    }
}

private func checkSplice(_ bytes: [UInt8]) {
    guard let root = try? JSONReader(maximumDepth: 64).read(bytes.span), root.kind == .object,
        root.range == 0..<bytes.count
    else { return }
    var isEmpty = true
    root.forEachMember(in: bytes.span) { _ in isEmpty = false }
    guard !isEmpty else { return }
    let spliced = JSONSplice.replacing(
        bytes, [("status", Array("7".utf8)), ("output", Array("[]".utf8))])
    precondition(isJSON(spliced), "what was spliced is no JSON")
}

private func checkEvents(_ bytes: [UInt8], isCancelled: Bool) {
    var settings = SessionSettings { _ in [] }
    settings.fidelity = .full
    let connection = ConnectionID(shard: 0, counter: 1)
    let now = Instant(nanoseconds: 1)
    var machine = SessionMachine(
        id: SessionID(node: 0, shard: 0, random: Array(repeating: 7, count: 10)), epoch: "e",
        settings: settings, requests: UpstreamRequestBuilder(), now: now)
    var actions: [SessionAction] = []
    machine.attach(connection, now: now, actions: &actions)
    let body = Array(#"{"model":"m","input":"x","stream_id":"a"}"#.utf8)
    guard let request = try? DialectRequest(parsing: body.span, isFrame: true, maximumDepth: 8),
        (try? machine.create(
            request, from: connection, responseID: "r", now: now, actions: &actions)) != nil
    else { preconditionFailure("a request that is good") }
    var reducer = ResponsesReducer()
    for event in bytes.split(separator: 0) where !reducer.isFinished {
        let event = Array(event)
        let data = event.span
        var outputs: [ResponsesOutput] = []
        guard (try? reducer.reduce(data, emit: { outputs.append($0) })) != nil else { continue }
        for output in outputs {
            machine.upstream(0, output, data: data, now: now, actions: &actions)
        }
        machine.upstreamEvent(0, data: data, now: now, actions: &actions)
    }
    if isCancelled {
        machine.cancel(0, now: now, actions: &actions)
        machine.upstreamClosed(0, now: now, actions: &actions)
    } else {
        machine.upstreamFailed(
            0, ResponseError(code: "cut", message: "m", isRetryable: true), now: now,
            actions: &actions)
    }
    precondition(!machine.isRunning, "a response without an end")
    checkReading(machine)
    _ = machine.compactFinished()
    precondition(isJSON(machine.compactedFrame()), "the snapshot is no JSON")
}

private func checkReading(_ machine: SessionMachine) {
    var lines: [UInt8] = []
    let last = machine.log.renderEvents(
        after: 0, into: &lines, maximumBytes: .max, framing: .lines)
    precondition(last == machine.log.lastSequence, "events were left out")
    let frames = lines.split(separator: 10)
    precondition(frames.count == last, "\(frames.count) lines for \(last) events")
    for frame in frames { precondition(isJSON(Array(frame)), "an event is no JSON") }
    if let object = machine.responseObject(0) { precondition(isJSON(object), "the object is none") }
    guard machine.progress(0)?.refusal == nil else { return }
    for number in -1..<last {
        let cursor = machine.log.cursor(ofResponse: 0, after: number)
        precondition(cursor == number + 1, "an event that cannot be gone on from")
    }
}

private func isJSON(_ bytes: [UInt8]) -> Bool {
    (try? JSONReader(maximumDepth: 512).read(bytes.span)) != nil
}
