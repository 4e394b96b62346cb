/// Events of the OpenAI dialect: every one of upstream is an entry of the log.
extension SessionMachine {
    /// Upstream has answered with a stream.
    package mutating func upstreamAnswered(_ number: Int, _ head: UpstreamResponseHead) {
        // An empty dictionary would take its storage even for an entry that it does not have.
        guard settings.fidelity == .full else { return }
        dialect.change(number) { $0.fields = head.fieldsOfInterest }
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
            dialect.change(number) { $0.textBytes += text.count }
            if responses[index].firstTextAt == nil { responses[index].firstTextAt = now }
        case .response(let id, let model, _):
            if let model { responses[index].model = copy(data, model) }
            if let id { name(index, copy(data, id), actions: &actions) }
        case .finished(let end):
            if let id = end.responseID { name(index, copy(data, id), actions: &actions) }
            append(index, data, now: now, actions: &actions)
            dialect.change(number) { $0.hasEnd = true }
            finish(
                number, ResponseConclusion(end, in: data), now: now, actions: &actions)
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

    mutating func append(
        _ index: Int, _ data: Span<UInt8>, now: Instant, actions: inout [SessionAction]
    ) {
        let number = responses[index].number
        let before = log.storedBytes
        log.appendEvent(
            response: number, number: dialect.nextEvent(of: number), data: data)
        noteEntry(index, since: before)
        _ = admit(0, index, now: now, actions: &actions)
    }

    /// Appends an event of our own making around a response object.
    mutating func appendOwn(_ index: Int, _ type: String, _ object: [UInt8]) {
        var event: [UInt8] = []
        event.append(literal: "{\"type\":\"\(type)\",\"sequence_number\":0,\"response\":")
        event.append(contentsOf: object)
        event.append(UInt8(ascii: "}"))
        let number = responses[index].number
        log.appendEvent(
            response: number, number: dialect.nextEvent(of: number), data: event.span)
        responses[index].lastSequence = log.lastSequence
    }
}
