/// Sessions of the OpenAI dialect: every upstream event is an entry of the log.
extension SessionMachine {
    /// Takes a request: starts it, or lets it wait for its lane; throws why it cannot be taken.
    ///
    /// `responseID` is our own name for it, in logs only: clients see upstream's.
    package mutating func create(
        _ request: DialectRequest, from connection: ConnectionID, responseID: String, now: Instant,
        actions: inout [SessionAction]
    ) throws(DialectError) {
        if let model = requests.models.refused(request.model ?? requests.defaultModel) {
            throw .noModel(model)
        }
        if let lane = request.lane, !dialect.lanes.contains(lane) {
            guard dialect.lanes.count < settings.namedLanes else {
                throw DialectError(
                    400, "websocket_stream_limit_reached",
                    "a connection has at most \(settings.namedLanes) named streams (dialect.lanes)",
                    param: "stream_id")
            }
            dialect.lanes.append(lane)
        }
        guard !isFull else {
            throw DialectError(
                429, "rate_limit_exceeded",
                "the events of this connection's responses are full (replay.session_bytes)",
                type: "requests", retryAfter: 1)
        }
        let waiting = WaitingRequest(
            request: request, connection: connection, responseID: responseID)
        if dialect.waiting.isEmpty
            || !dialect.waiting.contains(where: { $0.request.lane == request.lane }),
            mayStart(request.lane)
        {
            return start(waiting, now: now, actions: &actions)
        }
        guard dialect.waiting.count < settings.waitingRequests,
            dialect.waitingBytes + request.storedBytes
                <= max(
                    settings.sessionBytes, request.storedBytes)
        else {
            throw DialectError(
                429, "rate_limit_exceeded",
                "\(dialect.waiting.count) requests are waiting (dialect.waiting)", type: "requests",
                retryAfter: 1)
        }
        dialect.waiting.append(waiting)
    }

    /// Whether a lane is idle and the session below its limit.
    private func mayStart(_ lane: [UInt8]?) -> Bool {
        var running = 0
        for record in responses where !record.isFinished {
            running += 1
            if let known = dialect.records[record.number], known.lane == lane { return false }
        }
        return running < settings.activeResponses
    }

    /// Starts what may start, in order of arrival.
    private mutating func startWaiting(now: Instant, actions: inout [SessionAction]) {
        var passed: Set<[UInt8]> = []
        var index = 0
        while index < dialect.waiting.count {
            let lane = dialect.waiting[index].request.lane
            if !passed.contains(lane ?? []), mayStart(lane) {
                let next = dialect.waiting.remove(at: index)
                start(next, now: now, actions: &actions)
            } else {
                passed.insert(lane ?? [])
                index += 1
            }
        }
    }

    private mutating func start(
        _ waiting: WaitingRequest, now: Instant, actions: inout [SessionAction]
    ) {
        let request = waiting.request
        let number = addRecord(of: waiting, now: now)
        let turn = request.previous.flatMap { id in
            dialect.turns.first { $0.id == id }?.turn
        }
        if settings.keepsTurns, !request.isStored || !request.generates {
            let next = DialectTurn(
                previous: turn == nil ? request.previous : turn?.previous,
                items: (turn?.items ?? []) + request.items)
            dialect.records[number]?.turn = next
            dialect.runningTurnBytes += next.storedBytes
        }
        if request.generates {
            actions.append(
                .openUpstream(response: number, request: requests.build(request, after: turn)))
        } else {
            prepare(number, request, now: now, actions: &actions)
        }
    }

    /// Makes a response of a request; returns its number.
    private mutating func addRecord(of waiting: WaitingRequest, now: Instant) -> Int {
        let request = waiting.request
        let number = nextNumber
        nextNumber += 1
        var record = ResponseRecord(
            number: number, id: waiting.responseID, messageID: "", connection: waiting.connection,
            acceptedAt: now, firstSequence: log.lastSequence + 1, lastSequence: log.lastSequence)
        record.model = request.model ?? requests.defaultModel
        dialect.records[number] = DialectRecord(
            lane: request.lane, isStored: request.isStored, isBackground: request.isBackground,
            previous: request.previous)
        log.setLane(request.lane, ofResponse: number)
        append(record)
        return number
    }

    /// `generate: false`: a turn without an answer, made here, since upstream has no such thing over HTTP.
    private mutating func prepare(
        _ number: Int, _ request: DialectRequest, now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number) else { return }
        var id: [UInt8] = []
        id.append(jsonString: "resp_" + responses[index].id)
        responses[index].upstreamID = id
        let model = responses[index].model
        for (type, status) in [
            ("response.created", "in_progress"), ("response.completed", "completed"),
        ] {
            appendOwn(index, type, Self.minimalObject(id: id, model: model, status: status))
        }
        responses[index].firstEventAt = now
        dialect.records[number]?.hasEnd = true
        actions.append(.responseNamed(response: number, id: id))
        finish(number, .completed, now: now, actions: &actions)
    }

    // MARK: Upstream

    /// Upstream has answered with a stream.
    package mutating func upstreamAnswered(_ number: Int, _ head: UpstreamResponseHead) {
        // An empty dictionary would take its storage even for an entry that it does not have.
        guard settings.fidelity == .full else { return }
        dialect.records[number]?.fields = head.fieldsOfInterest
    }

    /// Logs one event that the reducer has accepted; after what the reducer made of it.
    package mutating func upstreamEvent(
        _ number: Int, data: Span<UInt8>, now: Instant, actions: inout [SessionAction]
    ) {
        // The reducer passes over what is no object: blanks, and the `[DONE]` of some servers.
        var start = 0
        JSONScan.skipWhitespace(data, &start)
        guard settings.fidelity == .full, let index = recordIndex(number),
            responses[index].isStreaming, start < data.count, data[start] == UInt8(ascii: "{")
        else { return }
        if responses[index].firstEventAt == nil {
            responses[index].firstEventAt = now
            responses[index].phase = .streaming
            if isPaused { actions.append(.pauseUpstream) }
        }
        append(index, data, now: now, actions: &actions)
    }

    /// What the reducer says of an event: only what the session itself needs to know.
    mutating func note(
        _ index: Int, _ output: ResponsesOutput, _ data: Span<UInt8>, now: Instant,
        actions: inout [SessionAction]
    ) {
        let number = responses[index].number
        switch output {
        case .delta(_, .text, _, let text):
            dialect.records[number]?.textBytes += text.count
            if responses[index].firstTextAt == nil { responses[index].firstTextAt = now }
        case .response(let id, let model, _):
            if let model { responses[index].model = copy(data, model) }
            if let id { name(index, copy(data, id), actions: &actions) }
        case .finished(let end):
            if let id = end.responseID { name(index, copy(data, id), actions: &actions) }
            append(index, data, now: now, actions: &actions)
            dialect.records[number]?.hasEnd = true
            finishFromUpstream(number, end, data, now: now, actions: &actions)
        case .delta, .toolDelta, .tool, .item, .upstreamEvent: break
        }
    }

    private mutating func name(_ index: Int, _ id: [UInt8], actions: inout [SessionAction]) {
        // Some servers change the id in every event: the first one is the name.
        guard responses[index].upstreamID == nil,
            let text = JSONValue(kind: .string, range: 0..<id.count).decoded(in: id.span)
        else { return }
        // Whoever asks by it writes it without escapes that mean nothing.
        var name: [UInt8] = []
        name.append(jsonString: text.span)
        responses[index].upstreamID = name
        actions.append(.responseNamed(response: responses[index].number, id: name))
    }

    private mutating func append(
        _ index: Int, _ data: Span<UInt8>, now: Instant, actions: inout [SessionAction]
    ) {
        let number = responses[index].number
        let before = log.storedBytes
        log.appendEvent(
            response: number, number: dialect.records[number]?.events ?? 0, data: data)
        dialect.records[number]?.events += 1
        noteEntry(index, since: before)
        _ = admit(0, index, now: now, actions: &actions)
    }

    /// Appends an event of our own making around a response object.
    private mutating func appendOwn(_ index: Int, _ type: String, _ object: [UInt8]) {
        var event: [UInt8] = []
        event.append(literal: "{\"type\":\"\(type)\",\"sequence_number\":0,\"response\":")
        event.append(contentsOf: object)
        event.append(UInt8(ascii: "}"))
        let number = responses[index].number
        log.appendEvent(
            response: number, number: dialect.records[number]?.events ?? 0, data: event.span)
        dialect.records[number]?.events += 1
        responses[index].lastSequence = log.lastSequence
    }

    // MARK: The end

    /// Ends a response with upstream's own terminal event, which is logged, or with one of ours.
    mutating func finishEvents(
        _ index: Int, _ outcome: ResponseOutcome, reason: String?, error: ResponseError?,
        usage: [UInt8]?, cancelledSince: Instant?, now: Instant, actions: inout [SessionAction]
    ) {
        let record = responses[index]
        let number = record.number
        if dialect.records[number]?.hasEnd != true {
            appendEnd(index, outcome, reason: reason, error: error)
        }
        log.endEvents(ofResponse: number)
        responses[index].phase = .finished(outcome, at: now)
        lastEnd = now
        if let since = cancelledSince {
            appendReceipt(index, closedAfter: now - since, actions: &actions)
        }
        keepTurn(index, outcome)
        actions.append(
            .responseEnded(
                ResponseSummary(
                    response: number, id: record.id, outcome: outcome, reason: reason,
                    errorCode: error?.code, acceptedAt: record.acceptedAt,
                    firstEvent: record.firstEventAt.map { $0 - record.acceptedAt },
                    firstText: record.firstTextAt.map { $0 - record.acceptedAt },
                    total: now - record.acceptedAt,
                    cancelToClose: cancelledSince.map { now - $0 },
                    textBytes: dialect.records[number]?.textBytes ?? 0,
                    usage: usage.map { TokenUsage(parsing: $0) }, model: Self.plain(record.model),
                    upstreamID: Self.plain(record.upstreamID))))
        startWaiting(now: now, actions: &actions)
        enforceBounds()
    }

    /// The end that upstream did not send: an error before any event, else a terminal event.
    private mutating func appendEnd(
        _ index: Int, _ outcome: ResponseOutcome, reason: String?, error: ResponseError?
    ) {
        let number = responses[index].number
        guard responses[index].firstEventAt != nil else {
            return appendRefusal(index, error.map { DialectError($0) } ?? .notBegun)
        }
        var values: [(name: String, value: [UInt8])] = []
        let type: String
        if let error {
            type = "response.failed"
            dialect.records[number]?.failure = DialectError(error)
            dialect.records[number]?.failure?.headers["x-should-retry"] = "false"
            var object: [UInt8] = Array("{\"code\":".utf8)
            object.append(jsonString: error.upstreamCode ?? error.code)
            object.field("message", error.message)
            object.append(UInt8(ascii: "}"))
            values = [("status", Array("\"failed\"".utf8)), ("error", object)]
        } else {
            // No event of upstream's says that a response was cancelled; this one every SDK takes as an end.
            type = "response.incomplete"
            var details: [UInt8] = Array("{\"reason\":\"cancelled\"".utf8)
            if let reason { details.field("cancelled_by", reason) }
            details.append(UInt8(ascii: "}"))
            values = [
                ("status", Array("\"cancelled\"".utf8)), ("incomplete_details", details),
            ]
        }
        let base =
            responseObject(of: responses[index])
            ?? Self.minimalObject(
                id: responses[index].upstreamID ?? Array("\"\"".utf8),
                model: responses[index].model, status: "in_progress")
        appendOwn(index, type, JSONSplice.replacing(base, values))
    }

    /// The end of a response that has not begun.
    private mutating func appendRefusal(_ index: Int, _ refusal: DialectError) {
        let number = responses[index].number
        dialect.records[number]?.refusal = refusal
        log.appendErrorFrame(response: number, refusal.frame)
        responses[index].lastSequence = log.lastSequence
    }

    /// Tells every reader how fast the upstream transfer was closed.
    private func appendReceipt(
        _ index: Int, closedAfter: Duration, actions: inout [SessionAction]
    ) {
        let record = responses[index]
        let frame = ServerFrames.frame("gateway.cancelled") { frame in
            if let lane = dialect.records[record.number]?.lane {
                frame.field("stream_id", raw: lane)
            }
            if let id = record.upstreamID { frame.field("response_id", raw: id) }
            frame.field("upstream_closed_us", Int(closedAfter.microseconds))
        }
        actions.append(.broadcast(frame: frame))
    }

    /// Keeps what a later request can go on from, where upstream does not.
    private mutating func keepTurn(_ index: Int, _ outcome: ResponseOutcome) {
        let number = responses[index].number
        guard let known = dialect.records[number] else { return }
        dialect.records[number]?.turn = nil
        dialect.runningTurnBytes -= known.turn?.storedBytes ?? 0
        if outcome == .failed, let parent = known.previous {
            // As the service does: what a continuation in the same lane broke on is forgotten.
            let parentLane = responses.first { $0.upstreamID == parent }
                .flatMap { dialect.records[$0.number]?.lane }
            if parentLane == known.lane { dialect.dropTurn(of: parent) }
        }
        guard var turn = known.turn, outcome == .completed || outcome == .incomplete,
            let id = responses[index].upstreamID
        else { return }
        turn.items += log.finishedItems(ofResponse: number).filter(ReplayLog.isReplayable)
        dialect.keep(turn, of: id, atMost: settings.conversationBytes)
    }

    // MARK: Asking

    /// True while a request of the dialect waits for its lane.
    package var isWaiting: Bool { !dialect.waiting.isEmpty }

    /// The response with upstream's id (raw JSON), the newest of that name.
    package func response(named id: [UInt8]) -> Int? {
        responses.last { $0.upstreamID == id }?.number
            ?? archive.last { $0.upstreamID == id }?.number
    }

    /// What a response goes on from, raw JSON.
    package func previous(of number: Int) -> [UInt8]? { dialect.records[number]?.previous }

    /// True when the log has no room for another response.
    package var isFull: Bool { log.storedBytes + archivedBytes > settings.sessionBytes }

    /// How far a response is, for whoever answers its request.
    package func progress(_ number: Int) -> DialectProgress? {
        guard let index = recordIndex(number) else {
            return archive.contains { $0.number == number }
                ? DialectProgress(isArchived: true) : nil
        }
        let record = responses[index]
        var progress = DialectProgress(isArchived: false)
        progress.refusal = dialect.records[number]?.refusal
        progress.failure = dialect.records[number]?.failure
        progress.fields = dialect.records[number]?.fields ?? []
        progress.hasBegun = record.firstEventAt != nil
        progress.firstSequence = record.firstSequence
        if record.isFinished { progress.lastSequence = record.lastSequence }
        progress.isStored = dialect.records[number]?.isStored ?? true
        progress.isBackground = dialect.records[number]?.isBackground ?? false
        return progress
    }

    /// Cancels one running response by number.
    package mutating func cancel(_ number: Int, now: Instant, actions: inout [SessionAction]) {
        beginCancel(number, .client, now: now, actions: &actions)
    }

    /// Cancels what runs in a lane, and what waits for it; nil is the default one.
    package mutating func cancel(lane: [UInt8]?, now: Instant, actions: inout [SessionAction]) {
        dropWaiting(actions: &actions) { $0.request.lane == lane }
        for number in runningResponses where dialect.records[number]?.lane == lane {
            beginCancel(number, .client, now: now, actions: &actions)
        }
    }

    /// Cancels everything.
    package mutating func cancelEverything(now: Instant, actions: inout [SessionAction]) {
        dropWaiting(actions: &actions) { _ in true }
        cancelAll(.client, now: now, actions: &actions)
    }

    private mutating func dropWaiting(
        actions: inout [SessionAction], where isMeant: (WaitingRequest) -> Bool
    ) {
        for waiting in dialect.waiting where isMeant(waiting) {
            let frame = DialectError.notBegun.frame(lane: waiting.request.lane)
            actions.append(.send(waiting.connection, frame: frame))
        }
        dialect.waiting.removeAll(where: isMeant)
    }

    /// Refuses what waits, because all that runs is about to be cancelled: nobody would hear its answer.
    ///
    /// In the log, since a client that is gone reads there what became of its requests when it comes back.
    mutating func refuseWaiting(_ reason: CancelReason, now: Instant) {
        let refused = dialect.waiting
        dialect.waiting = []
        for waiting in refused {
            let number = addRecord(of: waiting, now: now)
            guard let index = recordIndex(number) else { continue }
            appendRefusal(index, reason == .draining ? .draining : .notBegun)
            responses[index].phase = .finished(.cancelled, at: now)
        }
    }

    /// Forgets a response's name: nobody can ask for it any more.
    package mutating func forget(_ number: Int) {
        if let index = recordIndex(number) { responses[index].upstreamID = nil }
        guard let index = archive.firstIndex(where: { $0.number == number }) else { return }
        archivedBytes -= archive.remove(at: index).storedBytes
    }

    /// What stands for compacted events: the final objects of their responses.
    package func compactedFrame() -> [UInt8] {
        ServerFrames.frame("gateway.snapshot") { frame in
            frame.field("through", log.compactedThrough)
            frame.append(literal: ",\"responses\":[")
            var isFirst = true
            for archived in archive where !archived.snapshot.isEmpty {
                if !isFirst { frame.append(UInt8(ascii: ",")) }
                isFirst = false
                frame.append(contentsOf: archived.snapshot)
            }
            frame.append(UInt8(ascii: "]"))
        }
    }

    private static func minimalObject(id: [UInt8], model: [UInt8]?, status: String) -> [UInt8] {
        var object: [UInt8] = Array("{\"id\":".utf8)
        object.append(contentsOf: id)
        object.append(literal: ",\"object\":\"response\",\"created_at\":0")
        object.field("status", status)
        object.append(literal: ",\"error\":null,\"incomplete_details\":null,\"model\":")
        object.append(contentsOf: model ?? Array("\"\"".utf8))
        object.append(
            literal: ",\"output\":[],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",")
        object.append(literal: "\"tools\":[],\"usage\":null,\"metadata\":{}}")
        return object
    }
}

/// How far a response of the dialect is.
package struct DialectProgress: Sendable {
    /// Only the final object is left.
    package var isArchived: Bool
    /// Why there is no event.
    package var refusal: DialectError?
    /// Why the gateway had to end it.
    package var failure: DialectError?
    /// Upstream's head, as far as clients have a use for it.
    package var fields: [UpstreamResponseHead.Field] = []
    /// True once an event has come.
    package var hasBegun = false
    package var firstSequence = 1
    /// The last entry of a response that has ended.
    package var lastSequence: Int?
    package var isBackground = false
    package var isStored = true

    init(isArchived: Bool) { self.isArchived = isArchived }
}

extension ReplayLog {
    /// The latest `response` object of a response.
    func latestResponse(_ response: Int) -> [UInt8]? {
        segments.last { $0.response == response && $0.payloadKind == .response }
            .map { Array($0.bytes[$0.payload]) }
    }

    /// The finished items of a response, in order of output index.
    func finishedItems(ofResponse response: Int) -> [[UInt8]] {
        var items: [(index: Int, item: [UInt8])] = []
        for segment in segments
        where segment.response == response && segment.payloadKind == .item {
            items.append((segment.index, Array(segment.bytes[segment.payload])))
        }
        // Sorting is not stable, and one index may stand for several items.
        return items.enumerated()
            .sorted { ($0.element.index, $0.offset) < ($1.element.index, $1.offset) }
            .map(\.element.item)
    }
}
