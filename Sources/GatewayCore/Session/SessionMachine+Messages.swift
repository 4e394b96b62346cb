extension SessionMachine {
    /// What became of a message.
    package enum MessageOutcome: Equatable, Sendable {
        /// A response was opened.
        case accepted
        /// The id came before, with the same input.
        case attached
        /// The id came before, with another input.
        case conflict
        /// A limit is reached; the code that the client was told.
        case limited(GatewayErrorCode)
        /// It asks for what nobody here may ask for; the code that the client was told.
        case refused(GatewayErrorCode)
    }

    /// Takes a user's message: opens its response, or attaches to the one it has opened before.
    ///
    /// `responseID` names the response if there will be a new one.
    package mutating func receive(
        _ message: ClientCommand.Message, from connection: ConnectionID, responseID: String,
        now: Instant, actions: inout [SessionAction]
    ) -> MessageOutcome {
        let hash = FNV.hash(message.input.span)
        if let known = messages[message.id] {
            actions.append(.send(connection, frame: repeated(message.id, known, hash)))
            return known.hasInput(hash) ? .attached : .conflict
        }
        if let model = requests.models.refused(requests.model(of: message)) {
            let reason =
                "`options.model` \"\(model)\" is not offered here: one of ready.options.models is (options.models)"
            refuse(message, from: connection, .modelNotAllowed, reason, actions: &actions)
            return .refused(.modelNotAllowed)
        }
        if let (code, reason) = reachedLimit(by: message, from: connection) {
            refuse(message, from: connection, code, reason, actions: &actions)
            return .limited(code)
        }
        open(
            message, from: connection, responseID: responseID, hash: hash, now: now,
            actions: &actions)
        return .accepted
    }

    private func refuse(
        _ message: ClientCommand.Message, from connection: ConnectionID, _ code: GatewayErrorCode,
        _ reason: String, actions: inout [SessionAction]
    ) {
        let frame = ServerFrames.error(code, reason, messageID: message.id)
        actions.append(.send(connection, frame: frame))
    }

    /// Opens the response to a message: its first events, its request, unless it was cancelled before it came.
    private mutating func open(
        _ message: ClientCommand.Message, from connection: ConnectionID, responseID: String,
        hash: UInt64, now: Instant, actions: inout [SessionAction]
    ) {
        let number = nextNumber
        nextNumber += 1
        var record = ResponseRecord(
            number: number, id: responseID, messageID: message.id, connection: connection,
            acceptedAt: now, firstSequence: log.lastSequence + 1,
            lastSequence: log.lastSequence + 1)
        record.model = requests.model(of: message)
            .flatMap { $0.first == UInt8(ascii: "\"") ? $0 : nil }
        remember(message.id, as: number, responseID, hash)
        appendMessageEvent(message, number)
        let context = context(of: message)
        let request = requests.build(
            message, kept: context.items, previousResponse: context.previousResponse)
        record.keptInput = context.keptInput
        pendingInputBytes += record.keptInputBytes
        append(record)
        appendResponseEvent(number, status: "queued")
        if let ahead = cancelledAhead.firstIndex(of: message.id) {
            cancelledAhead.remove(at: ahead)
            finish(
                number, ResponseConclusion(.cancelled, reason: CancelReason.client.rawValue),
                now: now, actions: &actions)
            return
        }
        actions.append(.openUpstream(response: number, request: request))
        actions.append(.broadcast(frame: stateFrame(record, "connecting", now: nil)))
    }

    /// What a message's request says of the conversation so far, and what is kept of the message for the next.
    private func context(
        of message: ClientCommand.Message
    ) -> (items: [[UInt8]], previousResponse: [UInt8]?, keptInput: [[UInt8]]) {
        switch settings.conversation {
        case .none: return ([], nil, [])
        case .gateway:
            let input = UpstreamRequestBuilder.items(of: message.input)
            return (OpenCalls.closed(conversation, before: input), nil, input)
        case .upstream:
            guard !previousOpenCalls.isEmpty, !requests.namesContext(of: message) else {
                return ([], previousResponse, [])
            }
            let input = UpstreamRequestBuilder.items(of: message.input)
            return (OpenCalls.outputs(for: previousOpenCalls, before: input), previousResponse, [])
        }
    }

    /// Opens a response that an earlier process has begun; returns its number.
    ///
    /// Of its message only the id is known, so its input cannot be echoed, nor compared.
    package mutating func adopt(
        message id: String, responseID: String, now: Instant
    ) -> Int {
        let number = nextNumber
        nextNumber += 1
        let record = ResponseRecord(
            number: number, id: responseID, messageID: id, connection: .nobody, acceptedAt: now,
            firstSequence: log.lastSequence + 1, lastSequence: log.lastSequence + 1)
        remember(id, as: number, responseID, AcceptedMessage.unknownInput)
        log.append(.message, type: "message", response: number) { frame in
            frame.field("id", id)
            frame.field("input_bytes", 0)
        }
        append(record)
        appendResponseEvent(number, status: "queued")
        return number
    }

    /// The id of the message that a response answers; nil when it is archived.
    package func messageID(of number: Int) -> String? {
        recordIndex(number).map { responses[$0].messageID }
    }

    /// The answer to an id that came before.
    private func repeated(_ id: String, _ known: AcceptedMessage, _ hash: UInt64) -> [UInt8] {
        guard known.hasInput(hash) else {
            return ServerFrames.error(
                .messageIDConflict, "message \(id) was sent before with another input",
                messageID: id)
        }
        let status =
            known.outcome?.wireName ?? recordIndex(known.response).map { responses[$0].statusName }
        return ServerFrames.frame("state") { frame in
            frame.field("response", known.responseID)
            frame.field("message", id)
            frame.field("state", "attached")
            if let status { frame.field("status", status) }
            frame.field("seq", known.sequence)
        }
    }

    /// The limit that one message more would exceed, in words for its sender; nil when there is none.
    private func reachedLimit(
        by message: ClientCommand.Message, from connection: ConnectionID
    ) -> (code: GatewayErrorCode, reason: String)? {
        var running = 0
        var own = 0
        for index in responses.indices where !responses[index].isFinished {
            running += 1
            if responses[index].connection == connection { own += 1 }
        }
        if running >= settings.responsesPerSession {
            return (
                .tooManyResponses,
                "\(running) responses of the session are running (limits.responses_per_session)"
            )
        }
        if own >= settings.responsesPerConnection {
            return (
                .tooManyResponses,
                "\(own) responses of the connection are running (limits.responses_per_connection)"
            )
        }
        if settings.conversation == .gateway,
            conversationBytes + pendingInputBytes + message.input.count
                > settings.conversationBytes
        {
            return (
                .conversationTooLarge,
                "the conversation would exceed \(settings.conversationBytes) bytes (conversation.bytes); start a new session"
            )
        }
        return nil
    }

    private mutating func remember(
        _ id: String, as number: Int, _ responseID: String, _ hash: UInt64
    ) {
        messages.remember(
            id,
            AcceptedMessage(
                response: number, responseID: responseID, sequence: log.lastSequence + 1,
                inputHash: hash),
            atMost: settings.messagesPerSession)
    }

    /// Adds a record; the array grows by a few, since most sessions have one answer.
    mutating func append(_ record: ResponseRecord) {
        if responses.count == responses.capacity {
            responses.reserveCapacity(responses.count + max(1, responses.count / 4))
        }
        responses.append(record)
    }

    private mutating func appendMessageEvent(_ message: ClientCommand.Message, _ number: Int) {
        let isEchoed = message.input.count <= settings.echoBytes
        log.append(.message, type: "message", response: number) { frame in
            frame.field("id", message.id)
            if isEchoed {
                frame.field("input", raw: message.input)
            } else {
                frame.field("input_bytes", message.input.count)
            }
        }
    }

    mutating func appendResponseEvent(_ number: Int, status: String) {
        guard let index = recordIndex(number) else { return }
        let before = log.storedBytes
        let record = responses[index]
        log.append(.response, type: "response", response: number) { frame in
            frame.field("response", record.id)
            frame.field("message", record.messageID)
            if let model = record.model { frame.field("model", raw: model) }
            frame.field("status", status)
        }
        noteEntry(index, since: before)
    }

    // MARK: Cancel

    /// Ends responses on a client's word; the transfer is closed by the action that follows.
    ///
    /// Returns false when there is no such response.
    @discardableResult
    package mutating func cancel(
        _ target: ClientCommand.CancelTarget, from connection: ConnectionID, now: Instant,
        actions: inout [SessionAction]
    ) -> Bool {
        switch target {
        case .response(let id):
            if let record = responses.first(where: { $0.id == id }) {
                beginCancel(record.number, .client, now: now, actions: &actions)
            } else if !messages.hasResponse(id) {
                let frame = ServerFrames.error(
                    .responseNotFound, "this session has no response \(id.prefix(64))")
                actions.append(.send(connection, frame: frame))
                return false
            }
        case .message(let id):
            if let known = messages[id] {
                beginCancel(known.response, .client, now: now, actions: &actions)
            } else {
                cancelAhead(id)
            }
        case .own:
            // A response whose connection is gone has nobody else to stop it.
            let present = connections
            let own = responses.filter { record in
                record.connection == connection || !present.contains(record.connection)
            }
            for record in own { beginCancel(record.number, .client, now: now, actions: &actions) }
        }
        return true
    }

    private mutating func cancelAhead(_ id: String) {
        guard !cancelledAhead.contains(id) else { return }
        if cancelledAhead.count == Self.maximumCancelsAhead { cancelledAhead.removeFirst() }
        cancelledAhead.append(id)
    }

    /// Ends every running response because the gateway shuts down, or nobody is there; what waits is not begun.
    package mutating func cancelAll(
        _ reason: CancelReason, except spared: Set<Int> = [], now: Instant,
        actions: inout [SessionAction]
    ) {
        refuseWaiting(reason, now: now)
        for number in runningResponses where !spared.contains(number) {
            beginCancel(number, reason, now: now, actions: &actions)
        }
    }

    mutating func beginCancel(
        _ number: Int, _ reason: CancelReason, now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number), responses[index].isStreaming else { return }
        responses[index].phase = .closing(.cancel(reason), since: now)
        actions.append(.closeUpstream(response: number))
    }
}
