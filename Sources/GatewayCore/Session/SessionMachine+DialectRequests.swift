/// Requests of the OpenAI dialect: which of them run, which wait for their lane, and their cancels.
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
        try noteLane(of: request)
        guard !isFull else {
            throw DialectError(
                429, "rate_limit_exceeded",
                "the events of this connection's responses are full (replay.session_bytes)",
                type: "requests", retryAfter: 1)
        }
        let waiting = WaitingRequest(
            request: request, connection: connection, responseID: responseID)
        let isFirstOfLane = !dialect.waiting.contains { $0.request.lane == request.lane }
        if isFirstOfLane, mayStart(request.lane) {
            return start(waiting, now: now, actions: &actions)
        }
        guard hasRoomToWait(request) else {
            throw DialectError(
                429, "rate_limit_exceeded",
                "\(dialect.waiting.count) requests are waiting (dialect.waiting)", type: "requests",
                retryAfter: 1)
        }
        dialect.waiting.append(waiting)
    }

    /// Remembers the lane of a request, if it names a new one.
    private mutating func noteLane(of request: DialectRequest) throws(DialectError) {
        guard let lane = request.lane, !dialect.lanes.contains(lane) else { return }
        guard dialect.lanes.count < settings.namedLanes else {
            throw DialectError(
                400, "websocket_stream_limit_reached",
                "a connection has at most \(settings.namedLanes) named streams (dialect.lanes)",
                param: "stream_id")
        }
        dialect.lanes.append(lane)
    }

    /// Whether a request may wait: by number, and by its bytes, unless it is the only one.
    private func hasRoomToWait(_ request: DialectRequest) -> Bool {
        dialect.waiting.count < settings.waitingRequests
            && dialect.waitingBytes + request.storedBytes
                <= max(settings.sessionBytes, request.storedBytes)
    }

    /// Whether a lane is idle and the session below its limit.
    private func mayStart(_ lane: [UInt8]?) -> Bool {
        var running = 0
        for record in responses where !record.isFinished {
            running += 1
            if let known = dialect.record(record.number), known.lane == lane { return false }
        }
        return running < settings.activeResponses
    }

    /// Starts what may start, in order of arrival.
    mutating func startWaiting(now: Instant, actions: inout [SessionAction]) {
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
            dialect.change(number) { $0.turn = next }
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
    mutating func addRecord(of waiting: WaitingRequest, now: Instant) -> Int {
        let request = waiting.request
        let number = nextNumber
        nextNumber += 1
        var record = ResponseRecord(
            number: number, id: waiting.responseID, messageID: "", connection: waiting.connection,
            acceptedAt: now, firstSequence: log.lastSequence + 1, lastSequence: log.lastSequence)
        record.model = request.model ?? requests.defaultModel
        dialect.add(
            DialectRecord(
                number: number, lane: request.lane, isStored: request.isStored,
                isBackground: request.isBackground, previous: request.previous))
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
        dialect.change(number) { $0.hasEnd = true }
        actions.append(.responseNamed(response: number, id: id))
        finish(number, ResponseConclusion(.completed), now: now, actions: &actions)
    }

    // MARK: Cancel

    /// Cancels one running response by number.
    package mutating func cancel(_ number: Int, now: Instant, actions: inout [SessionAction]) {
        beginCancel(number, .client, now: now, actions: &actions)
    }

    /// Cancels what runs in a lane, and what waits for it; nil is the default one.
    package mutating func cancel(lane: [UInt8]?, now: Instant, actions: inout [SessionAction]) {
        dropWaiting(actions: &actions) { $0.request.lane == lane }
        for number in runningResponses where dialect.record(number)?.lane == lane {
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
}
