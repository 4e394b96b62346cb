import EventLoop
import GatewayCore
import Telemetry

/// A stream that cannot be trusted any further.
struct StreamFailure: Error {
    let message: String
    /// What upstream itself says in place of a response.
    var told: ToldError?
}

/// Bytes to events to the session's log.
extension UpstreamRun {
    /// Takes the next bytes of a stream; true when they brought an event that means something.
    func feed(
        _ bytes: Span<UInt8>, to attempt: UpstreamAttempt, now: Instant
    ) throws(StreamFailure) -> Bool {
        defer { measureDeltas(now: now) }
        var failure: ResponsesFailure?
        var isEvent = false
        do {
            try attempt.parser.feed(bytes) { chunk, start in
                let end = skim(chunk, from: start, of: attempt, now: now)
                if end > start { isEvent = true }
                return end
            } emit: { data, _, lead in
                let news: News
                do throws(ResponsesFailure) {
                    news = try takeEvent(data, lead: lead, of: attempt, now: now)
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

    /// Takes the deltas at `start` that are written as the last one was; returns the place behind them.
    ///
    /// Only where nobody wants the events themselves, nor their numbers, and of a kind that the attempt has shown.
    private func skim(
        _ chunk: Span<UInt8>, from start: Int, of attempt: UpstreamAttempt, now: Instant
    ) -> Int {
        guard let shownKind = attempt.shownKind, !isBackground, !session.logsEvents else {
            return start
        }
        var deltas = DeltaBatch()
        var index = start
        repeat {
            index = reducer.skim(chunk, from: index, kind: shownKind, into: &deltas)
            guard deltas.count > 0 else { break }
            meter.add(deltas.count)
            session.upstream(response, deltas, of: chunk, now: now)
        } while deltas.isFull
        return index
    }

    /// What one event has brought.
    private enum News {
        case nothing
        /// One more delta of the kind that was shown last: of its attempt nothing is new.
        case delta
        case other
    }

    private func takeEvent(
        _ data: Span<UInt8>, lead: Span<UInt8>, of attempt: UpstreamAttempt, now: Instant
    ) throws(ResponsesFailure) -> News {
        let number = isBackground ? sequenceNumber(of: data) : nil
        if isBackground, position.isRepeated(number) { return .nothing }
        var news = News.nothing
        try reducer.reduce(data, lead: lead) { output in
            if case .delta(_, let kind, _, _) = output, kind == attempt.shownKind {
                meter.add()
                session.upstream(response, output, data: data, now: now)
                if news == .nothing { news = .delta }
            } else {
                deliver(output, data, now: now)
                news = .other
            }
        }
        deliverEvent(data, now: now)
        tellName()
        // Not before the event was taken: a broken one is asked for again.
        if isBackground { position.take(number) }
        if news == .other, attempt.firstEventAt == nil {
            attempt.firstEventAt = now
            if attempt.pendingFailure == nil { provePlace() }
            _ = machine.handle(.progressed)
        }
        return news
    }

    // MARK: To the session

    func deliver(_ output: ResponsesOutput, _ data: Span<UInt8>, now: Instant) {
        switch output {
        case .upstreamEvent: withoutKey(data) { takeOutput(output, $0, now: now) }
        case .finished(let end) where end.error != nil:
            withoutKey(data) { takeOutput(output, $0, now: now) }
        case .response, .delta, .toolDelta, .tool, .item, .finished:
            takeOutput(output, data, now: now)
        }
    }

    /// For what goes on as it is: upstream's key is asterisks in it, in as many bytes.
    private func withoutKey(_ data: Span<UInt8>, _ body: (Span<UInt8>) -> Void) {
        if let masked = mask.masked(data) { body(masked.span) } else { body(data) }
    }

    private func takeOutput(_ output: ResponsesOutput, _ data: Span<UInt8>, now: Instant) {
        switch output {
        case .response(let id, _, _):
            if let id { named(id, data) }
            guard machine.hasOutput || !hold(output, data, now) else { return }
        case .upstreamEvent:
            guard machine.hasOutput || !hold(output, data, now) else { return }
        case .finished(let end) where !machine.hasOutput && end.status == .failed:
            let failure = AttemptFailure(
                inStream: end.error, requestID: attempt?.requestID, isTruncated: false)
            if machine.broken != nil || machine.wouldRetry(failure) {
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
    func deliverEvent(_ data: Span<UInt8>, now: Instant) {
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

    /// Makes the attempt the one that clients see: what was held back is logged, and no other begins afresh.
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
        if !machine.mayNeedRequest || !seam.mayBeContinuable { request.forget() }
    }

    /// Keeps back what shows nothing, unless it counts as something; false when it is to be logged.
    private func hold(_ output: ResponsesOutput?, _ data: Span<UInt8>, _ now: Instant) -> Bool {
        guard !request.isShownAtOnce, held.hold(output, data, at: now) else { return false }
        beginHolding()
        return true
    }

    /// Measures the deltas of one read: all but the first came with no gap between them.
    func measureDeltas(now: Instant) {
        guard let read = meter.takeRead(at: now) else { return }
        let metrics = shard.metrics
        metrics.deltas.increment(by: read.deltas)
        if let gap = read.gapNanoseconds { metrics.deltaGap.observe(nanoseconds: gap) }
        if read.deltas > 1 { metrics.deltaGap.observe(nanoseconds: 0, times: read.deltas - 1) }
    }

    private func observe(_ output: ResponsesOutput) {
        switch output {
        case .delta(_, let kind, _, _):
            meter.add()
            attempt?.shownKind = kind
        case .toolDelta: meter.add()
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
    }

    /// Tells the session a name that an event has brought; not within the reducer's call, since the session may close the
    /// run for it.
    func tellName() {
        guard isBackground, let name = position.takeNewName() else { return }
        session.upstreamNamed(
            response, id: name, upstream: shard.context.pool.upstreams[member].name)
    }

    private func sequenceNumber(of data: Span<UInt8>) -> Int64? {
        var number: Int64?
        _ = try? JSONReader(maximumDepth: JSONReader.upstreamMaximumDepth).read(data) { member in
            if member.hasKey("sequence_number", in: data) {
                number = member.value.integer(in: data)
            }
        }
        return number
    }
}
