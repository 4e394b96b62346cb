extension LoadRun {
    /// One ready descriptor.
    func handle(token: UInt64, _ ready: Poller.Interest) {
        let fd = Int(token & 0xFFFF_FFFF)
        if fd == Int(signals.fd) {
            guard let signal = signals.take() else { return }
            stop = stop ?? .interrupted
            interruptedBy = interruptedBy ?? signal
            return
        }
        guard let connection = connections[fd], connection.token == token else { return }
        now = MonotonicClock.now
        switch connection.phase {
        case .connecting: connected(connection)
        case .securing: secure(connection)
        case .upgrading, .awaitingReady, .open:
            if ready.contains(.write) { flush(connection) }
            if ready.contains(.read) { read(connection, limit: Self.bufferBytes) }
        }
    }

    private func connected(_ connection: Connection) {
        let code = connection.socket.pendingError
        guard code == 0 else {
            return lost(connection, code: 1_006, reason: SystemError("", code: code).reason)
        }
        guard let tls else { return upgrade(connection) }
        guard let stream = TLSStream(tls, fd: connection.socket.fd) else {
            return lost(connection, code: 1_006, reason: "no TLS")
        }
        connection.tls = stream
        connection.phase = .securing
        secure(connection)
    }

    private func secure(_ connection: Connection) {
        guard let stream = connection.tls else { return }
        switch stream.shakeHands() {
        case .done: upgrade(connection)
        case .wantsRead: watch(connection, .read)
        case .wantsWrite: watch(connection, .write)
        case .failed(let reason): lost(connection, code: 1_006, reason: "TLS: \(reason)")
        case .refused(let reason):
            discard(connection)
            connectFailed(connection.reader, "connect.TLS: \(reason)", isFinal: true)
        }
    }

    private func watch(_ connection: Connection, _ interest: Poller.Interest) {
        guard connection.interest != interest else { return }
        connection.interest = interest
        poller.change(connection.socket.fd, interest, token: connection.token)
    }

    private func upgrade(_ connection: Connection) {
        connection.phase = .upgrading
        connection.helloAt = now
        let request = Handshake.request(
            target, key: connection.requestKey, subprotocol: scenario.wireProtocol.subprotocol,
            extras: composer.upgrade(resuming: resumePoint(connection.reader)))
        queue(request, on: connection)
    }

    private func resumePoint(_ reader: Reader) -> ResumePoint? {
        reader.session.resumeToken.map {
            ResumePoint(token: $0, after: reader.checker.lastSeq)
        }
    }

    func slowRead(_ token: UInt64) {
        guard let connection = connections[Int(token & 0xFFFF_FFFF)], connection.token == token,
            isPaced(connection)
        else { return }
        now = MonotonicClock.now
        read(connection, limit: min(Self.bufferBytes, max(1, scenario.slow.bytesPerSecond / 10)))
        timers.add(.slowRead(token: token), at: now + 100_000_000)
    }

    /// Slow readers read all they can from now on, so that what they hold is checked too.
    func hurrySlowReaders() {
        for session in sessions {
            for reader in session.readers {
                if let connection = reader.connection { updateInterest(connection) }
            }
        }
    }

    private func read(_ connection: Connection, limit: Int) {
        repeat {
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<limit])
            switch connection.receive(into: target) {
            case .bytes(let count):
                now = MonotonicClock.now
                measurements.counters.bytes += count
                let chunk = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                    .assumingMemoryBound(to: UInt8.self)
                consume(chunk.span, connection)
            case .wouldBlock: return
            case .ended: return lost(connection, code: 1_006, reason: "end of stream")
            case .failed(let code):
                return lost(connection, code: 1_006, reason: SystemError("", code: code).reason)
            }
        } while connection.tls?.hasPending ?? false && isCurrent(connection)
    }

    private func isCurrent(_ connection: Connection) -> Bool {
        connections[Int(connection.socket.fd)] === connection
    }

    private func consume(_ chunk: Span<UInt8>, _ connection: Connection) {
        var offset = 0
        if connection.phase == .upgrading {
            do throws(Handshake.Failure) {
                guard try connection.handshake.feed(chunk, from: &offset) else { return }
            } catch {
                return refused(connection, error)
            }
            measurements.record(.connect, now - connection.dueAt)
            connection.phase = .awaitingReady
            if let hello = composer.hello(resuming: resumePoint(connection.reader)) {
                connection.helloAt = now
                sendText(hello, on: connection)
            }
        }
        while true {
            do throws(FrameParser.Failure) {
                switch try connection.parser.next(in: chunk, from: &offset) {
                case .needsMore: return
                case .inChunk(let opcode, let range):
                    frame(opcode, chunk.extracting(range), connection)
                case .gathered(let opcode, let payload): frame(opcode, payload.span, connection)
                }
            } catch {
                return violated(connection.reader, Violation(.frame, "\(error)"))
            }
            guard isCurrent(connection), stop == nil else { return }
        }
    }

    private func refused(_ connection: Connection, _ failure: Handshake.Failure) {
        let reader = connection.reader
        discard(connection)
        reader.transcript.note(failure.description)
        switch failure {
        case .refused(let status, _):
            // What is too much now may be welcome later; what is wrong stays wrong.
            let isFinal = 400..<500 ~= status && ![408, 425, 429].contains(status)
            connectFailed(reader, "http.\(status)", isFinal: isFinal)
        case .headTooLong, .malformed: violated(reader, Violation(.frame, failure.description))
        }
    }

    private func frame(_ opcode: Opcode, _ payload: Span<UInt8>, _ connection: Connection) {
        switch opcode {
        case .text:
            measurements.counters.frames += 1
            connection.reader.transcript.received(payload)
            guard (try? UTF8Span(validating: payload)) != nil else {
                return violated(connection.reader, Violation(.frame, "text that is not UTF-8"))
            }
            lines(of: payload, connection)
        case .ping:
            var answer: [UInt8] = []
            payload.withUnsafeBufferPointer {
                FrameEncoder.append(.pong, $0, mask: mask(), to: &answer)
            }
            queue(answer, on: connection)
        case .pong: break
        case .close: closed(payload, connection)
        case .binary, .continuation:
            violated(connection.reader, Violation(.frame, "a binary frame"))
        }
    }

    private func closed(_ payload: Span<UInt8>, _ connection: Connection) {
        let close: ClosePayload
        do throws(ClosePayload.Failure) {
            close = try ClosePayload(payload)
        } catch {
            return violated(connection.reader, Violation(.frame, error.description))
        }
        if connection.phase == .open {
            var answer: [UInt8] = []
            FrameEncoder.appendClose(
                code: close.code == 1_005 ? 1_000 : close.code, mask: mask(), to: &answer)
            queue(answer, on: connection)
        }
        lost(connection, code: close.code, reason: close.reason)
    }

    private func lines(of payload: Span<UInt8>, _ connection: Connection) {
        var start = 0
        while start < payload.count {
            let rest = payload.extracting(start...)
            let length = rest.firstIndex(of: 0x0A) ?? rest.count
            if length > 0 { line(rest.extracting(first: length), connection) }
            guard isCurrent(connection) else { return }
            start += length + 1
        }
    }
}
