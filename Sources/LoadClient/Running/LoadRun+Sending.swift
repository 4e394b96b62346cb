extension LoadRun {
    func mask() -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }

    /// Sends what is due and may be sent; arms a timer for what comes next.
    func sendDue(_ session: LoadSession) {
        while let due = session.due.first {
            guard mayStillSend(session) else {
                session.due = []
                return
            }
            guard due <= now else {
                session.timerSerial &+= 1
                timers.add(.due(session: session.index, serial: session.timerSerial), at: due)
                return
            }
            // Waiting for room or for the connection counts: latency runs from `due`.
            guard session.isReady, session.inFlight.count < scenario.messages.inFlight else {
                return
            }
            session.due.removeFirst()
            send(session, due: due)
            if schedule.isOpen { session.due.append(schedule.next(due: due, completed: now)) }
        }
    }

    private func mayStillSend(_ session: LoadSession) -> Bool {
        let limit = scenario.messages.perSession
        return stage != .drain && (limit == 0 || session.messagesSent < limit)
    }

    private func send(_ session: LoadSession, due: UInt64) {
        session.messagesSent += 1
        let id = "m\(session.messagesSent)"
        let isDropped = random.chance(scenario.drop.share)
        let lane = session.freeLane
        let sent = LoadSession.Sent(
            id: id, frame: composer.message(id: id, lane: lane), due: due, lane: lane,
            cancelAtDeltas: random.chance(scenario.cancel.share) ? scenario.cancel.atDeltas : nil,
            dropAtDeltas: isDropped ? scenario.drop.atDeltas : [],
            dropsDone: isDropped ? Array(repeating: 0, count: scenario.readers) : [])
        session.inFlight.append(sent)
        activeCount += 1
        measurements.counters.messages += 1
        measurements.record(.sendLag, now - due)
        guard let connection = session.readers[0].connection else { return }
        transmit(session, session.inFlight.count - 1, on: connection)
        if sent.cancelAtDeltas == 0 { cancel(session, message: id) }
    }

    /// Writes a message, for the first time or again.
    private func transmit(_ session: LoadSession, _ place: Int, on connection: Connection) {
        session.inFlight[place].sentAt = MonotonicClock.now
        sendText(session.inFlight[place].frame, on: connection)
    }

    /// Sends again what an earlier connection took and the log does not have: it was lost on the way.
    func sendAgain(_ session: LoadSession, on connection: Connection) {
        for place in session.inFlight.indices {
            let sent = session.inFlight[place]
            guard !sent.isAccepted, sent.sentAt < connection.helloAt else { continue }
            transmit(session, place, on: connection)
        }
    }

    /// Stops one response the way the scenario says.
    func cancel(_ session: LoadSession, message id: String) {
        guard let place = session.inFlight.firstIndex(where: { $0.id == id }),
            session.inFlight[place].cancelledAt == nil
        else { return }
        measurements.counters.cancels += 1
        session.inFlight[place].cancelledAt = now
        switch scenario.cancel.how {
        case .message:
            guard let connection = session.readers[0].connection else { return }
            let lane = session.inFlight[place].lane
            sendText(composer.cancel(message: id, lane: lane), on: connection)
        case .close: leave(session, .close)
        case .reset: leave(session, .reset)
        }
    }

    /// Goes away from a running response; the session's next message follows in another session.
    private func leave(_ session: LoadSession, _ how: Scenario.Ending) {
        measurements.counters.leftBehind += session.inFlight.count
        let due = session.inFlight.map(\.due)
        restart(session, how)
        if !schedule.isOpen {
            session.due += due.map { schedule.next(due: $0, completed: now) }
            session.due.sort()
        }
        sendDue(session)
    }

    func sendText(_ payload: [UInt8], on connection: Connection) {
        connection.reader.transcript.sent(payload.span)
        var frame: [UInt8] = []
        frame.reserveCapacity(payload.count + 14)
        FrameEncoder.append(.text, payload, mask: mask(), to: &frame)
        queue(frame, on: connection)
    }

    /// Writes at once what the socket takes, keeps the rest for when it is writable.
    func queue(_ bytes: [UInt8], on connection: Connection) {
        connection.outbound.append(contentsOf: bytes)
        flush(connection)
    }

    func flush(_ connection: Connection) {
        while connection.outboundStart < connection.outbound.count {
            let result = connection.outbound.withUnsafeBytes { bytes in
                connection.send(
                    UnsafeRawBufferPointer(rebasing: bytes[connection.outboundStart...]))
            }
            guard case .bytes(let count) = result else { break }
            connection.outboundStart += count
        }
        // A failure shows as soon as the socket is read.
        if connection.outboundStart == connection.outbound.count {
            connection.outbound.removeAll(keepingCapacity: true)
            connection.outboundStart = 0
        }
        updateInterest(connection)
    }

    func updateInterest(_ connection: Connection) {
        var wanted: Poller.Interest = []
        switch connection.phase {
        case .connecting: wanted = .write
        case .securing: return
        case .upgrading, .awaitingReady: wanted = .read
        case .open: wanted = isPaced(connection) ? [] : .read
        }
        if !connection.outbound.isEmpty { wanted.insert(.write) }
        guard wanted != connection.interest else { return }
        connection.interest = wanted
        poller.change(connection.socket.fd, wanted, token: connection.token)
    }

    /// A slow reader is read by a timer, not when its socket has something.
    func isPaced(_ connection: Connection) -> Bool { connection.isSlow && stage != .drain }
}
