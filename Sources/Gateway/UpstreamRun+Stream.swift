import GatewayCore
import Telemetry

/// Something upstream said before it showed anything: logged once there is something to show.
struct HeldOutput {
    /// Nil stands for the event itself, where a session logs those.
    let output: ResponsesOutput?
    let data: [UInt8]
    let at: Instant
}

/// A stream that cannot be trusted any further.
struct StreamFailure: Error {
    let message: String
}

/// What a whole response object said about its end.
enum DocumentEnd {
    case finished
    /// It is queued or in progress.
    case running
}

/// Bytes to events to the session's log.
extension UpstreamRun {
    /// What may be held back; beyond it the attempt counts as the one that wins.
    private static var maximumHeldBytes: Int { 64 << 10 }

    /// Takes the next bytes of a stream; true when they brought an event that means something.
    func feed(_ bytes: Span<UInt8>, now: Instant) throws(StreamFailure) -> Bool {
        defer { observeDeltas(now: now) }
        var failure: ResponsesFailure?
        var isEvent = false
        do {
            try parser.feed(bytes) { data, _ in
                do throws(ResponsesFailure) {
                    if try take(data, now: now) { isEvent = true }
                } catch {
                    failure = error
                    return .stop
                }
                return reducer.isFinished || isSilent ? .stop : .proceed
            }
        } catch {
            throw StreamFailure(message: "\(error)")
        }
        if let failure { throw StreamFailure(message: "\(failure)") }
        return isEvent
    }

    /// Takes one event; true when it means something.
    private func take(_ data: Span<UInt8>, now: Instant) throws(ResponsesFailure) -> Bool {
        let number = isBackground ? sequenceNumber(of: data) : nil
        if isBackground, isRepeated(number) { return false }
        var isEvent = false
        try reducer.reduce(data) { output in
            isEvent = true
            deliver(output, data, now: now)
        }
        deliverEvent(data, now: now)
        // Not before the event was taken: a broken one is asked for again.
        if isBackground { noteTaken(number) }
        if isEvent {
            if firstEventAt == nil { firstEventAt = now }
            if !hasProgressed {
                hasProgressed = true
                _ = machine.handle(.progressed)
            }
        }
        return isEvent
    }

    /// Takes a response object as the events that would have told the same.
    func take(document: [UInt8], now: Instant) throws(StreamFailure) -> DocumentEnd {
        let bytes = document.span
        guard let root = try? JSONReader(maximumDepth: 128).read(bytes), root.kind == .object,
            let status = root.member("status", in: bytes), status.kind == .string
        else { throw StreamFailure(message: "upstream answered with no response object") }
        defer { observeDeltas(now: now) }
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
            if position == 0, hasOutput { continue }
            var event: [UInt8] = []
            event.reserveCapacity(document.count + 64)
            event += Array("{\"type\":\"\(type)\",\"response\":".utf8)
            event += document
            event.append(UInt8(ascii: "}"))
            do throws(ResponsesFailure) {
                let data = event.span
                try reducer.reduce(data) { deliver($0, data, now: now) }
                deliverEvent(data, now: now)
            } catch {
                throw StreamFailure(message: "\(error)")
            }
        }
        if firstEventAt == nil { firstEventAt = now }
        return reducer.isFinished ? .finished : .running
    }

    // MARK: To the session

    private func deliver(_ output: ResponsesOutput, _ data: Span<UInt8>, now: Instant) {
        switch output {
        case .response(let id, _, _):
            if let id { named(id, data) }
            guard hasOutput || !hold(output, data, now) else { return }
        case .upstreamEvent:
            guard hasOutput || !hold(output, data, now) else { return }
        case .finished(let end) where !hasOutput && end.status == .failed:
            let failure = AttemptFailure(
                inStream: end.error, code: "upstream_failed", requestID: requestID,
                isTruncated: false)
            if machine.wouldRetry(failure, hasBudget: true) {
                pendingFailure = failure
                return
            }
        case .delta(_, let kind, _, _):
            if kind == .text || kind == .refusal { deadlines.receivedText() }
        case .toolDelta, .tool: deadlines.receivedText()
        case .item, .finished: break
        }
        show()
        observe(output)
        session.upstream(response, output, data: data, now: now)
    }

    /// Brings an event as it is to a session that logs those, after what the reducer made of it.
    private func deliverEvent(_ data: Span<UInt8>, now: Instant) {
        guard session.logsEvents, pendingFailure == nil else { return }
        guard hasOutput || !hold(nil, data, now) else { return }
        show()
        session.upstreamEvent(response, data: data, now: now)
    }

    /// From here on the attempt is the one that clients see.
    func show() {
        guard !hasOutput else { return }
        hasOutput = true
        _ = machine.handle(.output)
        let waiting = held
        held = []
        heldBytes = 0
        for held in waiting {
            if let output = held.output {
                session.upstream(response, output, data: held.data.span, now: held.at)
            } else {
                session.upstreamEvent(response, data: held.data.span, now: held.at)
            }
        }
    }

    /// Keeps back what shows nothing; false when there is too much of it.
    private func hold(_ output: ResponsesOutput?, _ data: Span<UInt8>, _ now: Instant) -> Bool {
        guard !isShownAtOnce else { return false }
        if case .response(_, _, let status) = output,
            held.contains(where: { held in
                if case .response(_, _, status) = held.output { true } else { false }
            })
        {
            return true  // A reattached stream tells it again.
        }
        guard heldBytes + data.count <= Self.maximumHeldBytes else { return false }
        var copy: [UInt8] = []
        copy.append(data)
        held.append(HeldOutput(output: output, data: copy, at: now))
        heldBytes += copy.count
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
        case .delta, .toolDelta:
            deltaCount += 1
        case .response, .tool, .item, .upstreamEvent, .finished: break
        }
    }

    // MARK: Background responses

    private func named(_ id: Range<Int>, _ data: Span<UInt8>) {
        guard isBackground, upstreamID == nil,
            let name = JSONValue(kind: .string, range: id).decoded(in: data)
        else { return }
        let text = String(decoding: name, as: UTF8.self)
        guard !text.isEmpty, text.utf8.count <= ResumeClaims.maximumResponseBytes else { return }
        upstreamID = text
        _ = machine.handle(.named)
        session.upstreamNamed(
            response, id: text, upstream: shard.context.pool.upstreams[member].name)
    }

    /// Whether an event came before on another connection, by its number, else by its place.
    private func isRepeated(_ number: Int64?) -> Bool {
        if let number { return lastUpstreamSequence.map { number <= $0 } ?? false }
        guard lastUpstreamSequence == nil, eventsToSkip > 0 else { return false }
        eventsToSkip -= 1
        return true
    }

    private func noteTaken(_ number: Int64?) {
        if let number { lastUpstreamSequence = number }
        eventsTaken += 1
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

    /// The id of the response that a lifecycle event is about.
    static func responseID(in data: Span<UInt8>) -> String? {
        guard let root = try? JSONReader(maximumDepth: 128).read(data),
            let id = root.member("response", in: data)?.member("id", in: data)?.decoded(in: data)
        else { return nil }
        let text = String(decoding: id, as: UTF8.self)
        return text.isEmpty ? nil : text
    }
}
