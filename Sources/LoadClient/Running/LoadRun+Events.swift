extension LoadRun {
    /// One line of a text frame: asks the checker, then does what follows from its verdict.
    func line(_ line: Span<UInt8>, _ connection: Connection) {
        let reader = connection.reader
        let session = reader.session
        let before = reader.checker.lastSeq
        let verdict = reader.checker.handle(line)
        measurements.counters.events += reader.checker.lastSeq - before
        switch verdict {
        case .delta(let delta): received(delta, line, reader)
        case .event, .notice, .attached: break
        case .message(let id), .started(let id):
            if let place = session.inFlight.firstIndex(where: { $0.id == id }) {
                session.inFlight[place].isAccepted = true
            }
        case .ready(let ready): becameReady(ready, connection)
        case .completed(let completion): completed(completion, reader)
        case .token(let token): session.resumeToken = token
        case .goingAway(let milliseconds):
            measurements.tally("going_away")
            end(connection, .close)
            if reader.isPrimary { session.isReady = false }
            // A server's number: bounded, so that it cannot overflow.
            reconnect(reader, after: UInt64(min(milliseconds, 3_600_000)) * 1_000_000)
        case .error(let code, let message): failed(code, reader) { $0.id == message }
        case .refused(let code, let lane):
            failed(code, reader) { $0.lane == lane && !$0.isAccepted }
        case .cancelled(let closed):
            if reader.isPrimary {
                measurements.record(.upstreamClosed, UInt64(clamping: closed) &* 1_000)
            }
        case .snapshot(let completions):
            measurements.tally("snapshots")
            for completion in completions { completed(completion, reader) }
        case .violation(let violation): violated(reader, violation)
        }
        if let target = reader.catchUp, reader.checker.lastSeq >= target.seq {
            if !reader.isSlow { measurements.record(.catchUp, now - target.since) }
            reader.catchUp = nil
            if reader.isPrimary, !composer.isIdempotent { sendAgain(session, on: connection) }
        }
    }

    private func received(_ delta: Verdict.Delta, _ line: Span<UInt8>, _ reader: Reader) {
        measurements.counters.deltas += delta.events
        let session = reader.session
        let stamp = readTimestamps(line, delta, reader)
        guard let place = session.inFlight.firstIndex(where: { $0.id == delta.message }) else {
            return
        }
        if reader.isPrimary, session.inFlight[place].firstTextAt == nil, !delta.text.isEmpty {
            session.inFlight[place].firstTextAt = now
            // Slow readers are late by intention: they are checked, not timed.
            if !reader.isSlow { timeFirstText(session.inFlight[place], stamp, reader) }
        }
        if reader.isPrimary, let at = session.inFlight[place].cancelAtDeltas, delta.total >= at,
            session.inFlight[place].cancelledAt == nil
        {
            return cancel(session, message: delta.message)
        }
        guard !session.inFlight[place].dropAtDeltas.isEmpty else { return }
        let done = session.inFlight[place].dropsDone[reader.index]
        let points = session.inFlight[place].dropAtDeltas
        guard done < points.count, delta.total >= points[done] else { return }
        // A merged delta may have passed several points: one drop stands for them.
        session.inFlight[place].dropsDone[reader.index] =
            points.firstIndex { $0 > delta.total } ?? points.count
        drop(reader, scenario.drop.how, away: scenario.drop.awayMilliseconds)
    }

    private func timeFirstText(
        _ sent: LoadSession.Sent, _ stamp: DeliveryTimestamps.Stamp?, _ reader: Reader
    ) {
        measurements.record(.firstText, now - sent.due)
        // The way there and the way back, without what upstream took in between.
        guard let stamp, let received = stamp.received, reader.catchUp == nil,
            received >= sent.sentAt, stamp.written <= now
        else { return }
        measurements.record(.firstTextAdded, (received - sent.sentAt) + (now - stamp.written))
    }

    /// Counts the timestamps of a delta's text; the first of them.
    private func readTimestamps(
        _ line: Span<UInt8>, _ delta: Verdict.Delta, _ reader: Reader
    ) -> DeliveryTimestamps.Stamp? {
        guard scenario.request.timestamps, !delta.text.isEmpty else { return nil }
        // What was missed while away was late by intention: it counts as catching up.
        let isLate = reader.catchUp != nil || reader.isSlow
        var first: DeliveryTimestamps.Stamp?
        DeliveryTimestamps.forEach(in: line.extracting(delta.text)) { stamp in
            measurements.counters.timestamps += 1
            guard stamp.written <= now, now - stamp.written < 3_600_000_000_000 else {
                measurements.counters.foreignTimestamps += 1
                return
            }
            first = first ?? stamp
            if !isLate { measurements.record(.delivery, now - stamp.written) }
        }
        return first
    }

    private func becameReady(_ ready: Verdict.Ready, _ connection: Connection) {
        let reader = connection.reader
        let session = reader.session
        openingCount -= 1
        openCount += 1
        connection.phase = .open
        reader.failures = 0
        reader.wasReady = true
        everReady = true
        let wasResuming = session.resumeToken != nil
        session.resumeToken = ready.resumeToken
        measurements.record(connection.isResuming ? .reconnect : .ready, now - connection.dueAt)
        if connection.isResuming { measurements.counters.reconnects += 1 }
        measurements.counters.connects += 1
        if wasResuming, !ready.isRecovered {
            return violated(reader, Violation(.notRecovered, "resume refused: \(ready.reason)"))
        }
        if ready.seq > reader.checker.lastSeq {
            reader.catchUp = (ready.seq, connection.helloAt)
        }
        if isPaced(connection) {
            updateInterest(connection)
            timers.add(.slowRead(token: connection.token), at: now + 100_000_000)
        }
        guard reader.isPrimary else { return }
        session.isReady = true
        for other in session.readers.dropFirst()
        where other.connection == nil && other.absence == .none && !other.wasReady {
            ask(toConnect: other, dueAt: now)
        }
        // Where an id does not protect, only what has not come when all that was missed has is sent again.
        if composer.isIdempotent || reader.catchUp == nil { sendAgain(session, on: connection) }
        for sent in session.inFlight where sent.cancelledAt != nil {
            sendText(composer.cancel(message: sent.id, lane: sent.lane), on: connection)
        }
        sendDue(session)
    }

    private func completed(_ completion: Verdict.Completion, _ reader: Reader) {
        let session = reader.session
        guard reader.isPrimary else { return }
        guard let place = session.inFlight.firstIndex(where: { $0.id == completion.message }) else {
            // Sent again by a client that could not know better, and so answered twice.
            if !composer.isIdempotent { measurements.tally("answered_again") }
            return
        }
        let sent = session.inFlight.remove(at: place)
        activeCount -= 1
        measurements.counters.responses += 1
        measurements.tally("status.\(completion.status)")
        if !reader.isSlow { measurements.record(.response, now - sent.due) }
        switch (completion.status, sent.cancelledAt) {
        case ("cancelled", let cancelledAt?):
            if !reader.isSlow { measurements.record(.cancel, now - cancelledAt) }
            if let closed = completion.upstreamClosedMicroseconds {
                measurements.record(.upstreamClosed, UInt64(clamping: closed) &* 1_000)
            }
        case ("completed", _): break
        default:
            measurements.counters.errors += 1
            let code = completion.errorCode.isEmpty ? completion.reason : completion.errorCode
            measurements.tally("response.\(code)")
        }
        let expected = scenario.request.expectedDeltas
        if expected > 0, completion.status == "completed", let deltas = completion.deltas,
            deltas != expected
        {
            return violated(
                reader,
                Violation(.deltaCount, "\(deltas) deltas, \(expected) expected, in \(sent.id)"))
        }
        moveOn(session, after: sent)
    }

    private func moveOn(_ session: LoadSession, after sent: LoadSession.Sent) {
        if !schedule.isOpen {
            session.due.append(schedule.next(due: sent.due, completed: now))
            session.due.sort()
        }
        sendDue(session)
    }

    /// The server refuses something, perhaps the message that `isMeant` finds.
    private func failed(
        _ code: String, _ reader: Reader, _ isMeant: (LoadSession.Sent) -> Bool
    ) {
        let session = reader.session
        guard reader.isPrimary, let place = session.inFlight.firstIndex(where: isMeant) else {
            measurements.counters.errors += 1
            measurements.tally("error.\(code)")
            return
        }
        let sent = session.inFlight.remove(at: place)
        activeCount -= 1
        if code == "response_cancelled", let cancelledAt = sent.cancelledAt {
            // It was stopped before it began, as we asked.
            measurements.counters.responses += 1
            measurements.tally("status.cancelled")
            if !reader.isSlow { measurements.record(.cancel, now - cancelledAt) }
        } else {
            measurements.counters.errors += 1
            measurements.tally("error.\(code)")
        }
        moveOn(session, after: sent)
    }

    /// Remembers a violation with its transcript and goes on with a fresh session.
    func violated(_ reader: Reader, _ violation: Violation) {
        violationCount += 1
        measurements.tally("violation.\(violation.rule.rawValue)")
        if violations.count < scenario.limits.violations {
            violations.append(
                RunReport.ViolationRecord(
                    violation: violation, session: reader.session.index, reader: reader.index,
                    seconds: Double(now - startedAt) / 1e9, transcript: reader.transcript.lines))
        }
        if violationCount >= scenario.limits.violations { stop = stop ?? .violations }
        let session = reader.session
        let isOver = stop != nil || stage == .drain
        let due = session.inFlight.map(\.due)
        restart(session, .reset)
        guard !isOver, !schedule.isOpen else { return }
        session.due = due.map { schedule.next(due: $0, completed: now) } + session.due
    }

    /// Once a second: responses and connects that take too long.
    func sweep() {
        let responseLimit = UInt64(scenario.limits.responseTimeoutSeconds * 1e9)
        let connectLimit = UInt64(scenario.limits.connectTimeoutSeconds * 1e9)
        for session in sessions {
            for reader in session.readers {
                guard let connection = reader.connection, connection.isOpening,
                    now - connection.begunAt > connectLimit
                else { continue }
                lost(connection, code: 1_006, reason: "timed out")
            }
            guard let sent = session.inFlight.first(where: { now - $0.due > responseLimit }),
                !session.readers[0].isSlow, now > sent.due
            else { continue }
            violated(
                session.readers[0],
                Violation(
                    .unfinished,
                    "\(sent.id) has no complete after \(Decimal.text(scenario.limits.responseTimeoutSeconds)) s"
                ))
        }
    }

    /// At the end of the drain: responses that have not ended, and readers that are not back.
    func reportUnfinished() {
        for session in sessions where !session.isQuiet {
            for reader in session.readers where !reader.isOpen && reader.absence != .gaveUp {
                measurements.counters.errors += 1
                measurements.tally("end.not_open")
            }
            guard let (reader, what) = unfinished(session) else { continue }
            violationCount += 1
            guard violations.count < scenario.limits.violations else { continue }
            let drain = Decimal.text(scenario.drainSeconds)
            violations.append(
                RunReport.ViolationRecord(
                    violation: Violation(.unfinished, "after a drain of \(drain) s \(what)"),
                    session: session.index, reader: reader.index,
                    seconds: Double(now - startedAt) / 1e9, transcript: reader.transcript.lines))
        }
    }

    /// Which response of `session` has not ended, and where that shows.
    private func unfinished(_ session: LoadSession) -> (reader: Reader, what: String)? {
        guard let primary = session.readers.first else { return nil }
        let running = session.inFlight.filter { $0.sentAt > 0 }.map(\.id)
        guard running.isEmpty else {
            let late = session.readers.first { !$0.isOpen || $0.isBehind(primary) }
            return (late ?? primary, "no complete of \(running.joined(separator: ", "))")
        }
        guard let late = session.readers.first(where: { $0.isOpen && $0.isBehind(primary) }) else {
            return nil
        }
        return (
            late,
            "a reader has \(late.checker.completed) completes, up to seq \(late.checker.lastSeq)"
        )
    }

    /// At the end of the measured time: what was due and had to wait, and is not sent any more.
    func countUnsent() {
        for session in sessions
        where !session.isReady || session.inFlight.count >= scenario.messages.inFlight {
            let left = scenario.messages.perSession - session.messagesSent
            let count = session.due.reduce(0) { $0 + schedule.waiting(since: $1, until: now) }
            unsentCount += scenario.messages.perSession > 0 ? min(count, left) : count
        }
    }
}
