import EventLoop
import GatewayCore
import Telemetry

/// A stream that cannot be trusted any further.
struct StreamFailure: Error {
    let message: String
    /// What upstream itself says in place of a response.
    var told: GatewayCore.UpstreamError?
}

/// What a whole response object said about its end.
enum DocumentEnd {
    case finished
    /// It is queued or in progress.
    case running
}

/// Bytes to events to the session's log.
extension UpstreamRun {
    /// Takes the next bytes of a stream; true when they brought an event that means something.
    func feed(
        _ bytes: Span<UInt8>, to attempt: UpstreamAttempt, now: Instant
    ) throws(StreamFailure) -> Bool {
        defer { observeDeltas(now: now) }
        var failure: ResponsesFailure?
        var isEvent = false
        do {
            try attempt.parser.feed(bytes) { data, _ in
                let news: News
                do throws(ResponsesFailure) {
                    news = try take(data, of: attempt, now: now)
                } catch {
                    failure = error
                    return .stop
                }
                if news != .nothing { isEvent = true }
                // Nothing ends by one more delta.
                if news == .delta { return .proceed }
                return reducer.isFinished || isSilent ? .stop : .proceed
            }
        } catch {
            throw StreamFailure(message: "\(error)")
        }
        if let failure { throw StreamFailure(message: "\(failure)") }
        return isEvent
    }

    /// What one event has brought.
    private enum News {
        case nothing
        /// One more delta of the kind that was shown last: of its attempt nothing is new.
        case delta
        case other
    }

    private func take(
        _ data: Span<UInt8>, of attempt: UpstreamAttempt, now: Instant
    ) throws(ResponsesFailure) -> News {
        let number = isBackground ? sequenceNumber(of: data) : nil
        if isBackground, position.isRepeated(number) { return .nothing }
        var news = News.nothing
        try reducer.reduce(data) { output in
            if case .delta(_, let kind, _, _) = output, kind == shownKind {
                deltaCount += 1
                session.upstream(response, output, data: data, now: now)
                if news == .nothing { news = .delta }
            } else {
                deliver(output, data, now: now)
                news = .other
            }
        }
        deliverEvent(data, now: now)
        // Not before the event was taken: a broken one is asked for again.
        if isBackground { position.take(number) }
        if news == .other {
            if attempt.firstEventAt == nil {
                attempt.firstEventAt = now
                if attempt.pendingFailure == nil { provePlace() }
            }
            if !attempt.hasProgressed {
                attempt.hasProgressed = true
                _ = machine.handle(.progressed)
            }
        }
        return news
    }

    /// Takes a response object as the events that would have told the same.
    func take(document: [UInt8], now: Instant) throws(StreamFailure) -> DocumentEnd {
        let bytes = document.span
        guard let root = try? JSONReader(maximumDepth: 128).read(bytes), root.kind == .object,
            let status = root.member("status", in: bytes), status.kind == .string
        else {
            throw StreamFailure(
                message: "upstream answered with no response object", told: errorTold(in: bytes))
        }
        defer { observeDeltas(now: now) }
        let hasError = root.member("error", in: bytes).map { $0.kind != .null } ?? false
        // Whoever reads events as they are needs the first one of them.
        var types = [session.logsEvents ? "response.created" : "response.in_progress"]
        switch String(decoding: status.decoded(in: bytes) ?? [], as: UTF8.self) {
        case "completed": types.append("response.completed")
        case "incomplete": types.append("response.incomplete")
        case "failed": types.append("response.failed")
        case "cancelled": types.append("response.cancelled")
        default: break
        }
        for (position, type) in types.enumerated() {
            // What is shown already needs no beginning.
            if position == 0, machine.hasOutput { continue }
            var event: [UInt8] = []
            event.reserveCapacity(document.count + 64)
            event += Array("{\"type\":\"\(type)\",\"response\":".utf8)
            event += document
            event.append(UInt8(ascii: "}"))
            do throws(ResponsesFailure) {
                let data = event.span
                try reducer.reduce(data) { deliver($0, data, now: now) }
                // Each of these events has all of the object in it.
                if hasError { reducer.mayHoldKey = true }
                deliverEvent(data, now: now)
            } catch {
                throw StreamFailure(message: "\(error)")
            }
        }
        if let attempt, attempt.firstEventAt == nil { attempt.firstEventAt = now }
        return reducer.isFinished ? .finished : .running
    }

    /// The error that a body tells in place of a response: proxies say with a status of success what the API says
    /// with another one.
    ///
    /// Nil where a response is only asked about: it goes on, whatever its upstream says of it just now.
    private func errorTold(in body: Span<UInt8>) -> GatewayCore.UpstreamError? {
        guard let mode = attempt?.mode, mode == .stream || mode == .document else { return nil }
        var reader = ResponsesReducer(mask: mask)
        try? reader.reduce(body) { _ in }
        return reader.toldError
    }

    // MARK: To the session

    private func deliver(_ output: ResponsesOutput, _ data: Span<UInt8>, now: Instant) {
        switch output {
        case .upstreamEvent: withoutKey(data) { take(output, $0, now: now) }
        case .finished(let end) where end.error != nil:
            withoutKey(data) { take(output, $0, now: now) }
        case .response, .delta, .toolDelta, .tool, .item, .finished:
            take(output, data, now: now)
        }
    }

    /// For what goes on as it is: upstream's key is asterisks in it, in as many bytes.
    private func withoutKey(_ data: Span<UInt8>, _ body: (Span<UInt8>) -> Void) {
        if let masked = mask.masked(data) { body(masked.span) } else { body(data) }
    }

    private func take(_ output: ResponsesOutput, _ data: Span<UInt8>, now: Instant) {
        switch output {
        case .response(let id, _, _):
            if let id { named(id, data) }
            guard machine.hasOutput || !hold(output, data, now) else { return }
        case .upstreamEvent:
            guard machine.hasOutput || !hold(output, data, now) else { return }
        case .finished(let end) where !machine.hasOutput && end.status == .failed:
            let failure = AttemptFailure(
                inStream: end.error, code: "upstream_failed", requestID: attempt?.requestID,
                isTruncated: false)
            if machine.broken != nil || machine.wouldRetry(failure, hasBudget: true) {
                attempt?.pendingFailure = failure
                return
            }
        case .delta(_, let kind, _, _):
            if kind == .text || kind == .refusal { attempt?.deadlines.receivedText() }
        case .toolDelta, .tool: attempt?.deadlines.receivedText()
        case .item, .finished: break
        }
        show()
        seam.show(output, data)
        observe(output)
        session.upstream(response, output, data: data, now: now)
    }

    /// Brings an event as it is to a session that logs those, after what the reducer made of it.
    private func deliverEvent(_ data: Span<UInt8>, now: Instant) {
        guard session.logsEvents, attempt?.pendingFailure == nil else { return }
        guard reducer.mayHoldKey else { return logEvent(data, now: now) }
        reducer.mayHoldKey = false
        withoutKey(data) { logEvent($0, now: now) }
    }

    private func logEvent(_ data: Span<UInt8>, now: Instant) {
        guard machine.hasOutput || !hold(nil, data, now) else { return }
        show()
        session.upstreamEvent(response, data: data, now: now)
    }

    /// From here on the attempt is the one that clients see.
    func show() {
        guard !machine.hasOutput else { return }
        let broken = machine.broken
        _ = machine.handle(.output)
        if let broken {
            shard.metrics.upstreamSeams.increment()
            story.seams = machine.seams
            session.upstreamSeam(response, reason: broken.error.code)
        }
        for entry in held.takeAll() {
            if let output = entry.output {
                session.upstream(response, output, data: entry.data.span, now: entry.at)
            } else {
                session.upstreamEvent(response, data: entry.data.span, now: entry.at)
            }
        }
        if !machine.mayNeedRequest || !seam.mayBeContinuable { forgetRequest() }
    }

    /// Keeps back what shows nothing, unless it counts as something; false when it is to be logged.
    private func hold(_ output: ResponsesOutput?, _ data: Span<UInt8>, _ now: Instant) -> Bool {
        guard !isShownAtOnce, held.hold(output, data, at: now) else { return false }
        beginHolding()
        return true
    }

    /// Measures the deltas of one read: all but the first came with no gap between them.
    private func observeDeltas(now: Instant) {
        guard deltaCount > 0 else { return }
        shard.metrics.deltas.increment(by: deltaCount)
        if let lastDelta {
            shard.metrics.deltaGap.observe(
                nanoseconds: now.nanoseconds - lastDelta.nanoseconds)
        }
        if deltaCount > 1 { shard.metrics.deltaGap.observe(nanoseconds: 0, times: deltaCount - 1) }
        deltaCount = 0
        lastDelta = now
    }

    private func observe(_ output: ResponsesOutput) {
        switch output {
        case .delta(_, let kind, _, _):
            deltaCount += 1
            shownKind = kind
        case .toolDelta:
            deltaCount += 1
        case .response, .tool, .item, .upstreamEvent, .finished: break
        }
    }

    // MARK: Background responses

    private func named(_ id: Range<Int>, _ data: Span<UInt8>) {
        guard isBackground, position.id == nil,
            let name = JSONValue(kind: .string, range: id).decoded(in: data)
        else { return }
        let text = String(decoding: name, as: UTF8.self)
        guard position.name(text) else { return }
        _ = machine.handle(.named)
        session.upstreamNamed(
            response, id: text, upstream: shard.context.pool.upstreams[member].name)
    }

    private func sequenceNumber(of data: Span<UInt8>) -> Int64? {
        var number: Int64?
        _ = try? JSONReader(maximumDepth: 128).read(data) { member in
            if member.hasKey("sequence_number", in: data) {
                number = member.value.integer(in: data)
            }
        }
        return number
    }
}
