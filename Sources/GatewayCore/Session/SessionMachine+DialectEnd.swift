/// The end of a response in the OpenAI dialect: upstream's own, or one of the gateway's making.
extension SessionMachine {
    /// Ends a response with upstream's own terminal event, which is logged, or with one of ours.
    mutating func finishEvents(
        _ index: Int, _ conclusion: ResponseConclusion, now: Instant,
        actions: inout [SessionAction]
    ) {
        let record = responses[index]
        let number = record.number
        if dialect.record(number)?.hasEnd != true {
            appendEnd(index, conclusion)
        }
        log.endEvents(ofResponse: number)
        responses[index].phase = .finished(conclusion.outcome, at: now)
        lastEnd = now
        if let since = conclusion.cancelledSince {
            appendReceipt(index, closedAfter: now - since, actions: &actions)
        }
        keepTurn(index, conclusion.outcome)
        actions.append(
            .responseEnded(
                summary(
                    of: record, conclusion, textBytes: dialect.record(number)?.textBytes ?? 0,
                    now: now)))
        startWaiting(now: now, actions: &actions)
        enforceBounds()
    }

    /// The end that upstream did not send: an error before any event, else a terminal event.
    private mutating func appendEnd(_ index: Int, _ conclusion: ResponseConclusion) {
        let number = responses[index].number
        guard responses[index].firstEventAt != nil else {
            return appendRefusal(index, conclusion.error.map { DialectError($0) } ?? .notBegun)
        }
        var values: [(name: String, value: [UInt8])] = []
        let type: String
        if let error = conclusion.error {
            type = "response.failed"
            var failure = DialectError(error)
            failure.headers["x-should-retry"] = "false"
            dialect.change(number) { $0.failure = failure }
            var object: [UInt8] = Array("{\"code\":".utf8)
            object.append(jsonString: error.upstreamCode ?? error.code)
            object.field("message", error.message)
            object.append(UInt8(ascii: "}"))
            values = [("status", Array("\"failed\"".utf8)), ("error", object)]
        } else {
            // No event of upstream's says that a response was cancelled; this one every SDK takes as an end.
            type = "response.incomplete"
            var details: [UInt8] = Array("{\"reason\":\"cancelled\"".utf8)
            if let reason = conclusion.reason { details.field("cancelled_by", reason) }
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
    mutating func appendRefusal(_ index: Int, _ refusal: DialectError) {
        let number = responses[index].number
        dialect.change(number) { $0.refusal = refusal }
        log.appendErrorFrame(response: number, refusal.frame)
        responses[index].lastSequence = log.lastSequence
    }

    /// Tells every reader how fast the upstream transfer was closed.
    private func appendReceipt(
        _ index: Int, closedAfter: Duration, actions: inout [SessionAction]
    ) {
        let record = responses[index]
        let frame = ServerFrames.frame("gateway.cancelled") { frame in
            if let lane = dialect.record(record.number)?.lane {
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
        guard let known = dialect.record(number) else { return }
        dialect.change(number) { $0.turn = nil }
        dialect.runningTurnBytes -= known.turn?.storedBytes ?? 0
        if outcome == .failed, let parent = known.previous {
            // As the service does: what a continuation in the same lane broke on is forgotten.
            let parentLane = responses.first { $0.upstreamID == parent }
                .flatMap { dialect.record($0.number)?.lane }
            if parentLane == known.lane { dialect.dropTurn(of: parent) }
        }
        guard var turn = known.turn, outcome == .completed || outcome == .incomplete,
            let id = responses[index].upstreamID
        else { return }
        turn.items += log.finishedItems(ofResponse: number).filter(ReplayLog.isReplayable)
        dialect.keep(turn, of: id, atMost: settings.conversationBytes)
    }
}
