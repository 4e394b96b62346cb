import Configuration
import GatewayCore
import WebSocketServer

/// Readers and commands of the OpenAI dialect.
extension HostedSession {
    // MARK: Readers

    /// A WebSocket gets one event a frame, and as many in a write as `delivery.frame_bytes` hold.
    func offerLines(to reader: SessionReader) {
        guard !reader.isBlocked else { return }
        let first = reader.cursor
        if ask({ $0.needsSnapshot(at: first) }) {
            reader.cursor = machine.log.compactedThrough
            sendAlone(machine.compactedFrame(), to: reader)
        }
        let limit = shard.context.configuration.delivery.frameBytes
        switch reader.destination {
        case .here(let connection):
            while reader.cursor < machine.log.lastSequence, connection.isReadyForLog {
                let cursor = reader.cursor
                shard.scratch.lend { frame in
                    reader.cursor = ask {
                        $0.log.renderEvents(
                            after: cursor, into: &frame.bytes, maximumBytes: limit, framing: .lines)
                    }
                    connection.sendLog(&frame)
                }
            }
            if reader.cursor < machine.log.lastSequence { block(reader, at: connection) }
        case .there(let other):
            while reader.unacknowledgedBytes < SessionReader.creditBytes,
                reader.cursor < machine.log.lastSequence
            {
                var frame: [UInt8] = []
                reader.cursor = machine.log.renderEvents(
                    after: reader.cursor, into: &frame, maximumBytes: limit, framing: .lines)
                reader.unacknowledgedBytes += frame.count
                shard.send(.deliver(reader.connection, frame: frame), to: other)
            }
        }
    }

    /// An event stream of one response; the answer begins with the first event.
    func offerEvents(of response: Int, to reader: SessionReader) {
        let stage = ask { $0.stage(response) }
        guard stage != .gone, reader.cursor >= machine.log.compactedThrough else {
            return finish(reader, .lost)
        }
        guard reader.hasBegun || begins(reader, response) else { return }
        let limit = shard.context.configuration.delivery.frameBytes
        switch reader.destination {
        case .here(let exchange):
            while reader.cursor < machine.log.lastSequence, exchange.isReadyForLog {
                let cursor = reader.cursor
                shard.scratch.lend { frame in
                    reader.cursor = ask {
                        $0.log.renderEvents(
                            after: cursor, ofResponse: response, into: &frame.bytes,
                            maximumBytes: limit, framing: .serverSentEvents)
                    }
                    if !frame.isEmpty { exchange.sendLog(&frame) }
                }
            }
            if reader.cursor < machine.log.lastSequence { exchange.askForWritable() }
        case .there(let other):
            while reader.unacknowledgedBytes < SessionReader.creditBytes,
                reader.cursor < machine.log.lastSequence
            {
                var piece: [UInt8] = []
                reader.cursor = machine.log.renderEvents(
                    after: reader.cursor, ofResponse: response, into: &piece, maximumBytes: limit,
                    framing: .serverSentEvents)
                guard !piece.isEmpty else { continue }
                reader.unacknowledgedBytes += piece.count
                shard.send(.answer(reader.connection, .piece(piece)), to: other)
            }
        }
        if case .ended(let last) = stage, reader.cursor >= last { finish(reader, .ended) }
    }

    /// Begins the answer of a reader once there is an event for it; false until then, and where there will be none.
    private func begins(_ reader: SessionReader, _ response: Int) -> Bool {
        guard let progress = ask({ $0.progress(response) }) else { return false }
        if let refusal = progress.refusal {
            finish(reader, .refused(refusal))
            return false
        }
        guard progress.hasBegun else { return false }
        reader.hasBegun = true
        tell(reader, .begun(fields: progress.fields))
        return true
    }

    /// One object, when the response is over; of a background response as soon as there is one.
    func offerWhole(_ response: Int, to reader: SessionReader) {
        // Everything counts as read: the answer is made from the log.
        reader.cursor = machine.log.lastSequence
        guard let progress = machine.progress(response) else { return finish(reader, .lost) }
        if let refusal = progress.refusal { return finish(reader, .refused(refusal)) }
        if let failure = progress.failure { return finish(reader, .refused(failure)) }
        guard
            progress.isArchived || progress.lastSequence != nil
                || progress.isBackground && progress.hasBegun
        else { return }
        guard let object = machine.responseObject(response) else {
            return finish(reader, progress.isArchived ? .lost : .refused(.noObject))
        }
        finish(reader, .object(object, fields: progress.fields))
    }

    private func tell(_ reader: SessionReader, _ answer: DialectAnswer) {
        switch reader.destination {
        case .here(let exchange): exchange.take(answer)
        case .there(let other): shard.send(.answer(reader.connection, answer), to: other)
        }
    }

    private func finish(_ reader: SessionReader, _ answer: DialectAnswer) {
        // Detached first: the answer may bring the exchange to an end, which would do it again.
        guard readers.contains(where: { $0 === reader }) else { return }
        detach(reader.connection)
        tell(reader, answer)
    }

    // MARK: Commands

    /// Starts the one response of an HTTP request, whose answer goes to `exchange`; ends the session, which nobody has
    /// read yet, where it cannot start.
    func begin(
        _ request: DialectRequest, for connection: ConnectionID, _ exchange: any LogReader
    ) {
        let form: SessionReader.Form =
            request.wantsStream ? .events(response: 0) : .whole(response: 0)
        do throws(DialectError) {
            try create(request, from: connection)
        } catch {
            shard.endSession(self)
            return exchange.take(.refused(error))
        }
        attach(connection, .here(exchange), as: form, after: 0)
    }

    private func create(
        _ request: DialectRequest, from connection: ConnectionID
    ) throws(DialectError) {
        guard !shard.isOverMemoryLimit else { throw .memoryFull }
        if let previous = request.previous,
            let owner = shard.context.responses.owner(ofValue: previous), owner.subject != subject
        {
            throw .noPrevious(previous)
        }
        // Nobody is behind: nothing that is dropped would be missed.
        if machine.isFull, readers.allSatisfy({ $0.cursor == machine.log.lastSequence }) {
            compactFinished()
        }
        try drive { machine, now, actions throws(DialectError) in
            try machine.create(
                request, from: connection, responseID: shard.names.response(), now: now,
                actions: &actions)
        }
    }

    /// Does what a WebSocket wants; refusals go to it as `error` frames.
    func receive(_ command: DialectCommand, from connection: ConnectionID) {
        switch command {
        case .create(let request):
            do throws(DialectError) {
                try create(request, from: connection)
            } catch {
                refuse(error, lane: request.lane, to: connection)
            }
        case .cancel(.response(let id)):
            guard let number = machine.response(named: id) else {
                return refuse(
                    DialectError(
                        404, "response_not_found", "no such response on this connection",
                        param: "response_id"),
                    lane: nil, to: connection)
            }
            drive { machine, now, actions in machine.cancel(number, now: now, actions: &actions) }
        case .cancel(.lane(let lane)):
            drive { machine, now, actions in
                machine.cancel(lane: lane, now: now, actions: &actions)
            }
        case .cancel(.everything):
            drive { machine, now, actions in
                machine.cancelEverything(now: now, actions: &actions)
            }
        }
    }

    private func refuse(_ error: DialectError, lane: [UInt8]?, to connection: ConnectionID) {
        guard let reader = readers.first(where: { $0.connection == connection }) else { return }
        send(error.frame(lane: lane), to: reader)
    }

    // MARK: Questions

    /// Answers a question about one of the session's responses.
    func answer(_ question: DialectQuestion, at destination: SessionReader.Destination) {
        func reply(_ answer: DialectAnswer) {
            switch destination {
            case .here(let exchange): exchange.take(answer)
            case .there(let other): shard.send(.answer(question.connection, answer), to: other)
            }
        }
        func replyWithObject(_ number: Int) {
            guard let object = machine.responseObject(number) else { return reply(.unknown) }
            reply(.object(object, fields: []))
        }
        guard question.subject == subject, let number = machine.response(named: question.id),
            let progress = machine.progress(number)
        else { return reply(.unknown) }
        switch question.kind {
        case .object: replyWithObject(number)
        case .events(let after):
            guard !progress.isArchived else {
                return reply(.refused(.eventsExpired(param: "starting_after")))
            }
            guard let cursor = machine.log.cursor(ofResponse: number, after: after) else {
                return reply(.refused(.noSuchEvent))
            }
            attach(
                question.connection, destination, as: .events(response: number), after: cursor)
        case .cancel:
            drive { machine, now, actions in machine.cancel(number, now: now, actions: &actions) }
            replyWithObject(number)
        case .delete:
            drive { machine, now, actions in
                machine.cancel(number, now: now, actions: &actions)
                machine.forget(number)
            }
            shard.context.responses.forget(
                String(decoding: question.id, as: UTF8.self), in: machine.id)
            reply(.forgotten(isStored: progress.isStored))
        }
    }
}
