/// Checks a stream of OpenAI's WebSocket mode, with what the gateway adds, against docs/openai-compatibility.md.
///
///     gateway.session ──▶ events: gateway_seq dense over all, and in each lane
///         response.created ──sequence_number dense──▶ one terminal event ──▶ response.created …
///
/// Deltas name no response, so a lane's events are those of the response that runs in it. Its text is proved
/// twice: by each `response.output_text.done`, and by the terminal event's `output`.
package struct DialectStreamChecker: StreamChecker {
    /// One response between its `response.created` and its terminal event.
    private struct Response {
        let id: String
        let lane: [UInt8]
        let message: String
        /// The number that its next event must carry; unknown after a snapshot.
        var nextNumber: Int?
        var deltas = 0
        var text: DialectText
        /// Whether a snapshot stands for some of it.
        var isFromSnapshot = false
    }

    package private(set) var completed = 0
    private var position = LogPosition()
    private var running: [Response] = []
    /// Ids of the newest finished responses, and the last of each lane, to tell "after the end" from "never seen".
    private var finished: [String] = []
    private var lastOfLane: [[UInt8]: String] = [:]
    private static let rememberedResponses = 64
    private static let maximumLanes = 256

    private let maximumResponseBytes: Int
    private let sha256: ([UInt8]) -> [UInt8]

    /// `sha256` is the platform's digest; texts above the limit are a violation, not checked.
    package init(maximumResponseBytes: Int, sha256: @escaping ([UInt8]) -> [UInt8]) {
        self.maximumResponseBytes = maximumResponseBytes
        self.sha256 = sha256
    }

    package var lastSeq: Int { position.lastSeq }
    package var isIdle: Bool { running.isEmpty }

    package mutating func connected() { position.connected() }

    package mutating func handle(_ line: Span<UInt8>) -> Verdict {
        guard let fields = DialectFields(scanning: line) else {
            return .violation(Violation(.notJSON, "a frame that is no JSON object"))
        }
        guard fields.typeName.isPresent else {
            return .violation(Violation(.malformed, "a frame without a type"))
        }
        if position.awaitsReady {
            switch fields.type {
            case .session, .error, .goingAway: break
            default:
                return .violation(
                    Violation(
                        .beforeReady, "\(line.string(fields.typeName)) before gateway.session"))
            }
        }
        guard let seq = fields.gatewaySeq else { return notice(fields, line) }
        if let violation = position.advance(to: seq, from: seq) { return .violation(violation) }
        return event(fields, line)
    }

    // MARK: - Frames without a place in the log

    private mutating func notice(_ fields: DialectFields, _ line: Span<UInt8>) -> Verdict {
        switch fields.type {
        case .session: return session(fields, line)
        case .token: return .token(line.string(fields.resumeToken))
        case .goingAway:
            return .goingAway(afterMilliseconds: fields.reconnectAfterMilliseconds ?? 0)
        case .cancelled:
            guard let closed = fields.upstreamClosedMicroseconds else { return .notice }
            return .cancelled(upstreamClosedMicroseconds: closed)
        case .snapshot: return snapshot(line)
        case .error: return refusal(fields, line)
        case .created, .textDelta, .otherDelta, .textDone, .terminal:
            return .violation(
                Violation(.gap, "\(line.string(fields.typeName)) without a gateway_seq"))
        case .event: return .notice
        }
    }

    private mutating func session(_ fields: DialectFields, _ line: Span<UInt8>) -> Verdict {
        let verdict = position.greeted(by: fields, line)
        if case .ready(let ready) = verdict, !ready.isRecovered {
            running = []
            lastOfLane = [:]
        }
        return verdict
    }

    private func refusal(_ fields: DialectFields, _ line: Span<UInt8>) -> Verdict {
        var code = ""
        if fields.error.isPresent {
            let error = JSONValue(parsing: line.extracting(fields.error.range))
            code = error?["code"]?.string ?? error?["type"]?.string ?? ""
        }
        let name = line.string(fields.lane).dropFirst(DialectComposer.laneName.utf8.count)
        return .refused(code: code, lane: Int(name) ?? 0)
    }

    // MARK: - The log

    private mutating func event(_ fields: DialectFields, _ line: Span<UInt8>) -> Verdict {
        if fields.type == .created { return started(fields, line) }
        guard let slot = slot(of: fields.lane, line) else {
            // Nothing runs there: upstream refused what was sent, before its first event.
            return fields.type == .error
                ? refusal(fields, line) : .violation(stray(fields, line))
        }
        if let violation = take(fields.number, slot) { return .violation(violation) }
        switch fields.type {
        case .textDelta: return textDelta(fields, line, slot)
        case .otherDelta: return delta(slot, text: 0..<0)
        case .textDone: return textDone(fields, line, slot)
        case .terminal: return terminal(fields, line, slot)
        default: return .event
        }
    }

    /// Takes the `sequence_number` of a response's event.
    private mutating func take(_ number: Int?, _ slot: Int) -> Violation? {
        let response = running[slot]
        guard let number else {
            return Violation(.gap, "an event of \(response.id) without a sequence_number")
        }
        running[slot].nextNumber = number &+ 1
        guard let expected = response.nextNumber, number != expected else { return nil }
        return Violation(
            number < expected ? .repeated : .gap,
            "sequence_number \(number) of \(response.id), \(expected) expected")
    }

    private mutating func started(_ fields: DialectFields, _ line: Span<UInt8>) -> Verdict {
        let lane = line.bytes(fields.lane)
        let object = line.object(fields.response)
        guard let id = object?["id"]?.string else {
            return .violation(Violation(.unknownResponse, "response.created without an id"))
        }
        if let other = running.first(where: { $0.lane == lane }) {
            return .violation(
                Violation(.unfinished, "\(id) began in the lane in which \(other.id) runs"))
        }
        if finished.contains(id) {
            return .violation(Violation(.afterComplete, "response.created after the end of \(id)"))
        }
        let message = object?["metadata"]?[DialectComposer.messageKey]?.string ?? ""
        running.append(
            Response(
                id: id, lane: lane, message: message, nextNumber: 0,
                text: DialectText(sha256: sha256)))
        if let violation = take(fields.number, running.count - 1) { return .violation(violation) }
        return .started(message: message)
    }

    private mutating func textDelta(
        _ fields: DialectFields, _ line: Span<UInt8>, _ slot: Int
    ) -> Verdict {
        let text = fields.delta.range
        running[slot].text.append(line.extracting(text), at: fields.place)
        guard running[slot].text.rawBytes <= maximumResponseBytes else {
            return .violation(.textTooLong(maximumResponseBytes))
        }
        return delta(slot, text: text)
    }

    private mutating func delta(_ slot: Int, text: Range<Int>) -> Verdict {
        running[slot].deltas += 1
        return .delta(
            Verdict.Delta(
                message: running[slot].message, total: running[slot].deltas, events: 1, text: text))
    }

    private mutating func textDone(
        _ fields: DialectFields, _ line: Span<UInt8>, _ slot: Int
    ) -> Verdict {
        guard !running[slot].isFromSnapshot else { return .event }
        let violation = running[slot].text.prove(
            line.extracting(fields.text.range), at: fields.place, of: running[slot].id)
        return violation.map { .violation($0) } ?? .event
    }

    private mutating func terminal(
        _ fields: DialectFields, _ line: Span<UInt8>, _ slot: Int
    ) -> Verdict {
        let response = running.remove(at: slot)
        remember(response.id, lane: response.lane)
        completed += 1
        guard let object = line.object(fields.response), object["id"]?.string == response.id else {
            return .violation(
                Violation(
                    .unknownResponse,
                    "\(line.string(fields.typeName)) of another response ends \(response.id)"))
        }
        let completion = Self.completion(
            object, of: response.message, deltas: response.isFromSnapshot ? nil : response.deltas)
        if !response.isFromSnapshot,
            let violation = response.text.violation(of: completion.status, object, response.id)
        {
            return .violation(violation)
        }
        return .completed(completion)
    }

    private static func completion(
        _ object: JSONValue, of message: String, deltas: Int?
    ) -> Verdict.Completion {
        Verdict.Completion(
            message: message, status: object["status"]?.string ?? "",
            reason: object["incomplete_details"]?["reason"]?.string ?? "",
            errorCode: object["error"]?["code"]?.string ?? "", deltas: deltas,
            upstreamClosedMicroseconds: nil)
    }

    private func stray(_ fields: DialectFields, _ line: Span<UInt8>) -> Violation {
        let type = line.string(fields.typeName)
        guard let last = lastOfLane[line.bytes(fields.lane)] else {
            return Violation(.unknownResponse, "\(type) where no response began")
        }
        return fields.type == .terminal
            ? Violation(.completedTwice, "\(type) after the end of \(last)")
            : Violation(.afterComplete, "\(type) after the end of \(last)")
    }

    private mutating func remember(_ id: String, lane: [UInt8]) {
        if finished.count == Self.rememberedResponses { finished.removeFirst() }
        finished.append(id)
        if lastOfLane.count == Self.maximumLanes { lastOfLane = [:] }
        lastOfLane[lane] = id
    }

    private func slot(of lane: DialectFields.Slice, _ line: Span<UInt8>) -> Int? {
        running.firstIndex { line.has($0.lane, at: lane) }
    }

    // MARK: - Snapshots

    /// Takes the final objects that stand for the events up to `through`.
    private mutating func snapshot(_ line: Span<UInt8>) -> Verdict {
        guard let frame = JSONValue(parsing: line), let through = frame["through"]?.integer else {
            return .violation(Violation(.notJSON, "a snapshot without `through`"))
        }
        if let violation = position.skip(through: through) { return .violation(violation) }
        var completions: [Verdict.Completion] = []
        for object in frame["responses"]?.array ?? [] {
            guard let id = object["id"]?.string, !finished.contains(id) else { continue }
            let slot = running.firstIndex { $0.id == id }
            let response = slot.map { running.remove(at: $0) }
            remember(id, lane: response?.lane ?? [])
            completed += 1
            let message =
                response?.message
                ?? object["metadata"]?[DialectComposer.messageKey]?.string ?? ""
            completions.append(Self.completion(object, of: message, deltas: nil))
        }
        for slot in running.indices {
            running[slot].isFromSnapshot = true
            running[slot].nextNumber = nil
        }
        return .snapshot(completed: completions)
    }
}

extension Span<UInt8> {
    /// The nested object that `slice` covers; `nil` when it is none.
    fileprivate func object(_ slice: JSONMembers.Slice) -> JSONValue? {
        slice.isPresent ? JSONValue(parsing: extracting(slice.range)) : nil
    }
}
