extension LoadRun {
    /// Queues one connect; its wait for a turn is part of what is measured.
    func ask(toConnect reader: Reader, dueAt: UInt64) {
        reader.absence = .waitingToConnect
        connectQueue.append((reader, dueAt))
    }

    func startQueuedConnects() {
        while connectQueueStart < connectQueue.count,
            openingCount < scenario.limits.connectsInFlight
        {
            let (reader, dueAt) = connectQueue[connectQueueStart]
            connectQueueStart += 1
            if reader.absence == .waitingToConnect, reader.connection == nil {
                connect(reader, dueAt: dueAt)
            }
        }
        if connectQueueStart == connectQueue.count {
            connectQueue.removeAll(keepingCapacity: true)
            connectQueueStart = 0
        }
    }

    private func connect(_ reader: Reader, dueAt: UInt64) {
        reader.absence = .none
        reader.checker.connected()
        let isSlow = reader.isSlow && stage != .drain
        do throws(SystemError) {
            let socket = try Socket.connect(
                to: address, source: nextSource(),
                receiveBufferBytes: isSlow ? scenario.slow.receiveBufferBytes : nil)
            connectionSerial &+= 1
            var key: [UInt8] = []
            for _ in 0..<2 {
                withUnsafeBytes(of: random.next()) { key.append(contentsOf: $0) }
            }
            let connection = Connection(
                socket: socket, reader: reader, requestKey: Base64.encode(key),
                serial: connectionSerial, dueAt: dueAt, begunAt: now,
                isResuming: reader.wasReady,
                isSlow: isSlow, subprotocol: scenario.wireProtocol.subprotocol,
                maximumFrameBytes: scenario.limits.frameBytes)
            try poller.add(connection.socket.fd, .write, token: connection.token)
            let fd = Int(connection.socket.fd)
            while connections.count <= fd { connections.append(nil) }
            connections[fd] = connection
            reader.connection = connection
            openingCount += 1
        } catch {
            connectFailed(reader, "connect.\(error.reason)")
        }
    }

    private func nextSource() -> UInt8? {
        guard target.isLoopback, address.isVersion4 else { return nil }
        let wanted = scenario.sources > 0 ? scenario.sources : scenario.connections / 5_000 + 1
        guard wanted > 1 else { return nil }
        sourceCounter = (sourceCounter + 1) % min(wanted, 250)
        return UInt8(sourceCounter + 1)
    }

    /// A failure that `isFinal` is not tried again: the next attempt would end as this one.
    func connectFailed(_ reader: Reader, _ reason: String, isFinal: Bool = false) {
        measurements.counters.connectFailures += 1
        measurements.counters.errors += 1
        measurements.tally(reason)
        lastConnectFailure = reason
        reader.transcript.note("connect failed: \(reason)")
        reader.failures += 1
        if isFinal { giveUp(reader) } else { reconnectLater(reader) }
    }

    /// Comes back after a backoff, or not at all after too many failures.
    func reconnectLater(_ reader: Reader) {
        guard reader.failures <= scenario.limits.reconnects else { return giveUp(reader) }
        let base = 100.0 * Double(1 << min(reader.failures, 6))
        reconnect(reader, after: random.draw(base / 2...base))
    }

    func reconnect(_ reader: Reader, after nanoseconds: UInt64) {
        reader.timerSerial &+= 1
        let timer = Timer.reconnect(
            session: reader.session.index, reader: reader.index, serial: reader.timerSerial)
        timers.add(timer, at: now + nanoseconds)
    }

    func giveUp(_ reader: Reader) {
        reader.absence = .gaveUp
        measurements.tally("gave_up")
        if reader.isPrimary {
            activeCount -= reader.session.inFlight.count
            reader.session.inFlight = []
            reader.session.due = []
        }
        if sessions.allSatisfy({ $0.hasGivenUp }) { stop = wasReached ? .lost : .unavailable }
    }

    /// Ends a run that waits for nobody: once a second, while nobody has been ready.
    ///
    /// A gateway that is just starting has time for the first attempts and the pauses between them.
    func checkReach() {
        guard !wasReached, sessions.first?.hasStarted == true else { return }
        let needed = now - startedAt < Self.patience ? Self.firstAttempts : 2
        let isHopeless = sessions.allSatisfy { session in
            !session.hasStarted || session.hasGivenUp
                || (session.readers.first?.failures ?? 0) >= needed
        }
        if isHopeless { stop = stop ?? .unavailable }
    }

    /// Takes a connection out of everything; the socket closes when its last owner lets go.
    func discard(_ connection: Connection) {
        let fd = Int(connection.socket.fd)
        guard connections[fd] === connection else { return }
        if connection.isOpening { openingCount -= 1 } else { openCount -= 1 }
        connections[fd] = nil
        if connection.reader.connection === connection { connection.reader.connection = nil }
    }

    /// Ends a connection as a client would, on purpose.
    func end(_ connection: Connection, _ how: Scenario.Ending) {
        connection.reader.transcript.note("we \(how == .reset ? "reset" : "close")")
        switch how {
        case .reset: connection.socket.resetOnClose()
        case .close:
            if connection.phase == .open {
                var frame: [UInt8] = []
                FrameEncoder.appendClose(code: 1_000, mask: mask(), to: &frame)
                queue(frame, on: connection)
            }
            connection.tls?.shutDown()
        }
        discard(connection)
    }

    /// Loses the connection and resumes later.
    func drop(_ reader: Reader, _ how: Scenario.Ending, away: Scenario.Span) {
        guard let connection = reader.connection else { return }
        measurements.counters.drops += 1
        end(connection, how)
        if reader.isPrimary { reader.session.isReady = false }
        reader.catchUp = nil
        reconnect(reader, after: random.draw(away))
    }

    func storm() {
        guard stage != .drain else { return }
        for session in sessions {
            for reader in session.readers
            where reader.isOpen && random.chance(scenario.storm.share) {
                drop(reader, scenario.storm.how, away: scenario.storm.awayMilliseconds)
            }
        }
        timers.add(.storm, at: now + UInt64(scenario.storm.everySeconds * 1e9))
    }

    /// Leaves the session for good and begins another in its place.
    func restart(_ session: LoadSession, _ how: Scenario.Ending) {
        for reader in session.readers {
            if let connection = reader.connection { end(connection, how) }
        }
        activeCount -= session.inFlight.count
        session.inFlight = []
        session.resumeToken = nil
        session.isReady = false
        session.readers = (0..<scenario.readers).map { makeReader(session, $0) }
        ask(toConnect: session.readers[0], dueAt: now)
    }

    /// The server, or the network, ended a connection.
    func lost(_ connection: Connection, code: UInt16, reason: String) {
        let reader = connection.reader
        let wasOpening = connection.isOpening
        discard(connection)
        reader.transcript.note("closed \(code) \(reason)")
        if wasOpening, code == 1_006 { return connectFailed(reader, "connect.\(reason)") }
        measurements.counters.unexpectedCloses += 1
        measurements.counters.errors += 1
        measurements.tally("close.\(code)")
        lastConnectFailure = "close.\(code)"
        if reader.isPrimary { reader.session.isReady = false }
        reader.catchUp = nil
        reader.failures += 1
        switch code {
        case 1_002, 1_003, 1_007, 1_009, 4_400, 4_401: giveUp(reader)
        default: reconnectLater(reader)
        }
    }
}
