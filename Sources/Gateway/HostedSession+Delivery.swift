import Configuration
import GatewayCore
import Telemetry
import WebSocketServer

/// What readers get of the log, each from its cursor, and what is not in the log.
extension HostedSession {
    // MARK: The log

    /// Lets what follows a reader's cursor leave together with what it is sent next.
    private func gather(for reader: SessionReader, at connection: any LogReader) {
        guard case .native = reader.form, connection.isGathering else { return offer(to: reader) }
        guard reader.cursor < machine.log.lastSequence else { return }
        if let snapshot = takeSnapshot(for: reader) { return connection.send(snapshot) }
        connection.gather(takeEvents(for: reader))
    }

    /// Hands a reader what follows its cursor, one frame at most here, as credit allows elsewhere.
    func offer(to reader: SessionReader) {
        switch reader.form {
        case .native: break
        case .lines: return offerLines(to: reader)
        case .events(let response): return offerEvents(of: response, to: reader)
        case .whole(let response): return offerWhole(response, to: reader)
        }
        guard !reader.isBlocked, reader.cursor < machine.log.lastSequence else { return }
        switch reader.destination {
        case .here(let connection):
            guard connection.isReadyForLog else { return block(reader, at: connection) }
            if reader.cursor < machine.log.compactedThrough {
                catchUp(reader)
                guard reader.cursor < machine.log.lastSequence else { return }
                guard connection.isReadyForLog else { return block(reader, at: connection) }
            }
            shard.scratch.lend { frame in
                render(for: reader, into: &frame.bytes)
                connection.sendLog(&frame)
            }
            if reader.cursor < machine.log.lastSequence { block(reader, at: connection) }
        case .there(let other):
            while reader.unacknowledgedBytes < SessionReader.creditBytes,
                reader.cursor < machine.log.lastSequence
            {
                catchUp(reader)
                guard reader.cursor < machine.log.lastSequence else { return }
                let frame = takeEvents(for: reader)
                reader.unacknowledgedBytes += frame.count
                shard.send(.deliver(reader.connection, frame: frame), to: other)
            }
        }
    }

    /// Passes a reader over until its socket has room again.
    ///
    /// A slow one costs each event a flag then, instead of a look at its connection and its socket.
    func block(_ reader: SessionReader, at connection: any LogReader) {
        reader.isBlocked = true
        connection.askForWritable()
    }

    private func catchUp(_ reader: SessionReader) {
        if let snapshot = takeSnapshot(for: reader) { send(snapshot, to: reader) }
    }

    /// For a reader inside the compacted part: a snapshot that stands for all up to the end.
    private func takeSnapshot(for reader: SessionReader) -> [UInt8]? {
        guard machine.needsSnapshot(at: reader.cursor) else { return nil }
        shard.metrics.snapshots.increment()
        reader.cursor = machine.log.lastSequence
        return machine.snapshotFrame()
    }

    /// The events that follow a reader's cursor, one frame at most.
    private func takeEvents(for reader: SessionReader) -> [UInt8] {
        var events: [UInt8] = []
        render(for: reader, into: &events)
        return events
    }

    /// Renders what follows a reader's cursor, one frame at most, and moves the cursor behind it.
    private func render(for reader: SessionReader, into bytes: inout [UInt8]) {
        let delivery = shard.context.configuration.delivery
        let cursor = reader.cursor
        let reached = ask {
            $0.log.render(
                after: cursor, into: &bytes, maximumBytes: delivery.frameBytes,
                mergeAfter: delivery.mergeAfterEvents)
        }
        if reached - cursor > delivery.mergeAfterEvents {
            shard.metrics.mergedDeltas.increment(by: reached - cursor)
        }
        reader.cursor = reached
    }

    // MARK: What is not in the log

    /// Sends a frame to the reader of that connection, if it is still there.
    func send(_ frame: [UInt8], to connection: ConnectionID) {
        guard let reader = readers.first(where: { $0.connection == connection }) else { return }
        send(frame, to: reader)
    }

    /// Sends an unnumbered frame after the events that it may speak of, as far as one frame holds them.
    func send(_ frame: [UInt8], to reader: SessionReader) {
        switch reader.destination {
        case .here(let connection): gather(for: reader, at: connection)
        case .there: offer(to: reader)
        }
        sendAlone(frame, to: reader)
    }

    /// Sends an unnumbered frame as it is: what follows the reader's cursor comes behind it.
    func sendAlone(_ frame: [UInt8], to reader: SessionReader) {
        switch reader.destination {
        case .here(let connection): connection.send(frame)
        case .there(let other):
            reader.unacknowledgedBytes += frame.count
            shard.send(.sendAlone(reader.connection, frame: frame), to: other)
        }
    }

    /// Gives every reader a token that says where the session can go on, if its own does not.
    func refreshTokens() {
        let conversation = conversation
        let running = runningResponse
        for reader in readers {
            switch reader.destination {
            case .here(let connection):
                gather(for: reader, at: connection)
                connection.refreshToken(conversation: conversation, running: running)
            case .there(let other):
                offer(to: reader)
                shard.send(
                    .refreshToken(
                        reader.connection, conversation: conversation, running: running),
                    to: other)
            }
        }
    }

    /// Readers that have everything of a session that is at rest may leave: while draining, and those that want to.
    func tellIdleReaders() {
        guard shard.isDraining || hasLeavingReader else { return }
        guard !ask({ $0.isRunning || $0.isWaiting }) else { return }
        for reader in readers where reader.cursor == machine.log.lastSequence {
            guard shard.isDraining || reader.isLeaving else { continue }
            switch reader.destination {
            case .here(let connection): if connection.isReadyForLog { connection.sessionIsIdle() }
            case .there(let other):
                guard reader.unacknowledgedBytes == 0 else { continue }
                shard.send(.sessionIsIdle(reader.connection), to: other)
            }
        }
    }
}
