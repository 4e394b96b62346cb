extension SessionMachine {
    /// The request of a response has reached upstream.
    package mutating func upstreamConnected(
        _ number: Int, now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number), responses[index].phase == .connecting else { return }
        responses[index].phase = .waiting
        guard settings.fidelity == .native else { return }
        actions.append(.broadcast(frame: stateFrame(responses[index], "waiting", now: now)))
    }

    /// Another attempt begins.
    package mutating func upstreamConnecting(
        _ number: Int, now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number) else { return }
        switch responses[index].phase {
        case .queued, .retrying, .waiting: responses[index].phase = .connecting
        // What has streamed stays streamed: another upstream is to go on with it.
        case .streaming: break
        case .connecting, .closing, .finished: return
        }
        guard settings.fidelity == .native else { return }
        actions.append(.broadcast(frame: stateFrame(responses[index], "connecting", now: now)))
    }

    /// The response waits for a place at an upstream, at most until `until`.
    package mutating func upstreamQueued(
        _ number: Int, until: Instant, now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number), responses[index].isStreaming,
            responses[index].phase != .streaming
        else { return }
        responses[index].phase = .queued(until: until)
        guard settings.fidelity == .native else { return }
        actions.append(.broadcast(frame: stateFrame(responses[index], "queued", now: now)))
    }

    /// An attempt has failed; number `attempt` begins at `at`.
    package mutating func upstreamRetrying(
        _ number: Int, at: Instant, attempt: Int, now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number), responses[index].isStreaming else { return }
        // What has streamed stays streamed: a background response is only being reattached to.
        var record = responses[index]
        record.phase = .retrying(at: at, attempt: attempt)
        if responses[index].phase != .streaming { responses[index].phase = record.phase }
        guard settings.fidelity == .native else { return }
        actions.append(.broadcast(frame: stateFrame(record, "retrying", now: now)))
    }

    /// Nothing has come from upstream for a while.
    package mutating func upstreamSilent(
        _ number: Int, now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number), responses[index].isStreaming,
            settings.fidelity == .native
        else { return }
        actions.append(.broadcast(frame: stateFrame(responses[index], "upstream_silent", now: now)))
    }

    /// Takes what the reducer made of one upstream event, whose bytes are `data`.
    package mutating func upstream(
        _ number: Int, _ output: ResponsesOutput, data: Span<UInt8>, now: Instant,
        actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number), responses[index].isStreaming else { return }
        if responses[index].firstEventAt == nil {
            responses[index].firstEventAt = now
            responses[index].phase = .streaming
            // It was not there, or had nothing to hold back, when the others were paused.
            if isPaused { actions.append(.pauseUpstream) }
        }
        guard hasRoom(index, events: 1) else {
            let limit = "\(settings.responseEvents) events (limits.response_events)"
            return exceed(limit, index, now: now, actions: &actions)
        }
        responses[index].eventCount += 1
        guard settings.fidelity == .native else {
            return note(index, output, data, now: now, actions: &actions)
        }
        let offset = responses[index].indexOffset
        if offset > 0 {
            take(index, output.shifted(by: offset), data, now: now, actions: &actions)
        } else {
            take(index, output, data, now: now, actions: &actions)
        }
    }

    /// Logs what an event means, for readers of the native protocol.
    private mutating func take(
        _ index: Int, _ output: ResponsesOutput, _ data: Span<UInt8>, now: Instant,
        actions: inout [SessionAction]
    ) {
        let number = responses[index].number
        if let used = output.index, used >= responses[index].nextIndex {
            responses[index].nextIndex = used + 1
        }
        switch output {
        case .delta(let output, let kind, let part, let text):
            if kind == .text, responses[index].firstTextAt == nil {
                responses[index].firstTextAt = now
            }
            let key = RunKey(
                response: number, index: output, part: part, content: .delta(kind))
            appendPiece(index, key, data, text, now: now, actions: &actions) { header in
                header.field("kind", kind.wireName)
                if part != 0 { header.field("part", part) }
                header.append(literal: ",\"text\":\"")
            }
        case .toolDelta(let output, let kind, let part, let text):
            let key = RunKey(
                response: number, index: output, part: part, content: .tool(kind: kind))
            appendPiece(index, key, data, text, now: now, actions: &actions) { header in
                header.field("kind", kind)
                if part != 0 { header.field("part", part) }
                header.append(literal: ",\"status\":\"in_progress\",\"delta\":\"")
            }
        case .response(let id, let model, let status):
            if let id { responses[index].upstreamID = copy(data, id) }
            if let model { responses[index].model = copy(data, model) }
            guard admit(0, index, now: now, actions: &actions) else { return }
            appendResponseEvent(number, status: status == .queued ? "queued" : "in_progress")
        case .tool(let update):
            responses[index].hasTools = true
            let bytes = (update.arguments?.count ?? 0) + (update.output?.count ?? 0)
            guard admit(bytes, index, now: now, actions: &actions) else { return }
            appendTool(index, update, data)
        case .item(let output, let item):
            appendItem(index, output, data.extracting(item), now: now, actions: &actions)
        case .upstreamEvent(let output):
            guard admit(data.count, index, now: now, actions: &actions) else { return }
            let before = log.storedBytes
            log.append(.upstreamEvent, type: "upstream_event", response: number) { frame in
                frame.field("response", responses[index].id)
                if let output { frame.field("index", output) }
                frame.field("event", raw: data, 0..<data.count)
            }
            noteEntry(index, since: before)
        case .finished(let end):
            if let id = end.responseID { responses[index].upstreamID = copy(data, id) }
            finish(
                number, ResponseConclusion(end, in: data), now: now, actions: &actions)
        }
    }

    /// Ends a response whose upstream cannot go on: refused, broken off, broken, silent.
    package mutating func upstreamFailed(
        _ number: Int, _ error: ResponseError, now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number), responses[index].isStreaming else { return }
        finish(
            number, ResponseConclusion(.failed, error: error), now: now, actions: &actions)
    }

    /// The transfer of a response that is closing is closed: the response ends.
    package mutating func upstreamClosed(
        _ number: Int, now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number),
            case .closing(let reason, let since) = responses[index].phase
        else { return }
        let conclusion =
            switch reason {
            case .cancel(let reason):
                ResponseConclusion(.cancelled, reason: reason.rawValue, cancelledSince: since)
            case .failure(let error): ResponseConclusion(.failed, error: error)
            }
        finish(number, conclusion, now: now, actions: &actions)
    }

    // MARK: Entries

    private mutating func appendPiece(
        _ index: Int, _ key: RunKey, _ data: Span<UInt8>, _ text: Range<Int>, now: Instant,
        actions: inout [SessionAction], fields: (inout [UInt8]) -> Void
    ) {
        guard admit(text.count, index, now: now, actions: &actions) else { return }
        let before = log.storedBytes
        let id = responses[index].id
        log.appendPiece(key, text: data, text) { header in
            header.field("response", id)
            header.field("index", key.index)
            fields(&header)
        }
        noteEntry(index, since: before)
    }

    /// True when so many more events of upstream stay within `limits.response_events`.
    @inline(__always)
    func hasRoom(_ index: Int, events: Int) -> Bool {
        responses[index].eventCount + events <= settings.responseEvents
    }

    /// True when so many more bytes of answer stay within `limits.response_bytes`.
    ///
    /// `answerBytes` has what the events' numbers take, too: an answer of single letters is bounded as well.
    @inline(__always)
    func hasRoom(_ index: Int, bytes: Int) -> Bool {
        responses[index].answerBytes + bytes <= settings.responseBytes
    }

    /// Asks whether an event of `bytes` may join the answer; ends the response where it may not.
    mutating func admit(
        _ bytes: Int, _ index: Int, now: Instant, actions: inout [SessionAction]
    ) -> Bool {
        guard !hasRoom(index, bytes: bytes) else { return true }
        let limit = "\(settings.responseBytes) bytes (limits.response_bytes)"
        exceed(limit, index, now: now, actions: &actions)
        return false
    }

    /// Ends a response that is too large once its transfer is closed.
    private mutating func exceed(
        _ limit: String, _ index: Int, now: Instant, actions: inout [SessionAction]
    ) {
        let number = responses[index].number
        let error = ResponseError(
            code: GatewayErrorCode.responseTooLarge.rawValue,
            message: "the answer exceeds \(limit)", isRetryable: false)
        responses[index].phase = .closing(.failure(error), since: now)
        actions.append(.closeUpstream(response: number))
    }

    /// Counts the newest entry of the log, which held `before` bytes, for its response.
    mutating func noteEntry(_ index: Int, since before: Int) {
        responses[index].answerBytes += log.storedBytes - before
        responses[index].lastSequence = log.lastSequence
    }

    mutating func appendTool(_ index: Int, _ update: ToolUpdate, _ data: Span<UInt8>) {
        let before = log.storedBytes
        let record = responses[index]
        log.append(.tool, type: "tool", response: record.number, index: update.index) { frame in
            frame.field("response", record.id)
            frame.field("index", update.index)
            frame.field("kind", update.kind)
            frame.field("status", update.status.wireName)
            if let callID = update.callID { frame.field("call_id", raw: callID) }
            if let name = update.name { frame.field("name", raw: name) }
            if let arguments = update.arguments { frame.field("arguments", raw: data, arguments) }
            if let output = update.output { frame.field("output", raw: data, output) }
        }
        noteEntry(index, since: before)
        responses[index].openTools.removeAll { $0.index == update.index }
        if !update.status.isFinal { responses[index].openTools.append(update) }
    }

    private mutating func appendItem(
        _ index: Int, _ output: Int, _ item: Span<UInt8>, now: Instant,
        actions: inout [SessionAction]
    ) {
        guard admit(item.count, index, now: now, actions: &actions) else { return }
        let before = log.storedBytes
        let record = responses[index]
        log.trimLastRun()
        log.appendItem(response: record.number, index: output, item: item) { frame in
            frame.field("response", record.id)
            frame.field("index", output)
        }
        noteEntry(index, since: before)
    }

    func copy(_ data: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.append(data, range)
        return copy
    }
}
