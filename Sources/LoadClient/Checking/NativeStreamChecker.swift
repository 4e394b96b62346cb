/// Checks a stream of `millrace.v1` against docs/protocol.md.
///
///     ready ──▶ events: seq dense, each response  running ──complete──▶ finished
package struct NativeStreamChecker: StreamChecker {
    /// One response between its `response` event and its `complete`.
    fileprivate struct Response {
        let id: [UInt8]
        let message: String
        /// Upstream deltas seen so far, merged ones counted in full.
        var deltas = 0
        var text = ResponseText()
        /// Output indices whose item is finished.
        var items: Set<Int> = []
        /// Whether a snapshot stands for its beginning, so that its deltas were never seen.
        var isFromSnapshot = false

        var name: String { String(decoding: id, as: UTF8.self) }
    }

    /// What is kept of a response after its `complete`.
    private struct FinishedResponse {
        let id: [UInt8]
        let message: String
    }

    /// What a `complete` says, as a line of its own or within a snapshot.
    fileprivate struct End {
        let status: String?
        let message: String?
        let reason: String
        let errorCode: String
        let textSHA256: String?
        var textBytes: Int?
        var upstreamClosedMicroseconds: Int?
    }

    package private(set) var completed = 0
    private var position = LogPosition()
    private var running: [Response] = []
    /// The newest finished responses, to tell "after complete" from "never seen".
    private var finished: [FinishedResponse] = []
    /// The newest messages of the log.
    private var messages: [String] = []
    private static let rememberedResponses = 32
    private static let rememberedMessages = 128
    /// Items of one response whose numbers are remembered.
    private static let rememberedItems = 1_024

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
        guard let fields = FrameFields(scanning: line) else {
            return .violation(Violation(.notJSON, "a line that is no JSON object"))
        }
        guard fields.typeName.isPresent else {
            return .violation(Violation(.malformed, "an event without a type"))
        }
        if position.awaitsReady {
            switch fields.type {
            case .ready, .error, .goingAway: break
            default:
                return .violation(
                    Violation(.beforeReady, "\(line.string(fields.typeName)) before ready"))
            }
        }
        guard let seq = fields.seq, fields.type.isLogged else { return notice(fields, line) }
        if let violation = position.advance(to: seq, from: fields.from ?? seq) {
            return .violation(violation)
        }
        return event(fields, line, seq: seq)
    }

    // MARK: - Frames without a place in the log

    private mutating func notice(_ fields: FrameFields, _ line: Span<UInt8>) -> Verdict {
        switch fields.type {
        case .ready: return ready(fields, line)
        case .token: return .token(line.string(fields.resumeToken))
        case .goingAway:
            return .goingAway(afterMilliseconds: fields.reconnectAfterMilliseconds ?? 0)
        case .error:
            let id = fields.messageID.isPresent ? line.string(fields.messageID) : nil
            return .error(code: line.string(fields.code), message: id)
        case .state where JSONMembers.equal(line, fields.state, "attached"):
            return .attached(message: line.string(fields.message))
        case .snapshot: return snapshot(line)
        case .delta, .tool, .item, .complete, .response, .message, .upstreamEvent:
            return .violation(Violation(.gap, "\(line.string(fields.typeName)) without a seq"))
        case .state, .pong, .unknown: return .notice
        }
    }

    private mutating func ready(_ fields: FrameFields, _ line: Span<UInt8>) -> Verdict {
        let verdict = position.greeted(by: fields, line)
        if case .ready(let ready) = verdict, !ready.isRecovered {
            running = []
            messages = []
        }
        return verdict
    }

    // MARK: - The log

    private mutating func event(
        _ fields: FrameFields, _ line: Span<UInt8>, seq: Int
    ) -> Verdict {
        switch fields.type {
        case .message: return message(line.string(fields.id))
        case .response: return started(fields, line)
        case .delta, .tool, .item, .upstreamEvent, .complete:
            guard let slot = slot(of: fields.response, line) else {
                return .violation(stray(fields, line))
            }
            switch fields.type {
            case .delta:
                return delta(fields, line, slot: slot, events: seq - (fields.from ?? seq) + 1)
            case .item: return item(fields, line, slot: slot)
            case .complete: return complete(fields, line, slot: slot)
            default: return .event
            }
        default: return .event
        }
    }

    private mutating func message(_ id: String) -> Verdict {
        guard !messages.contains(id) else {
            return .violation(Violation(.repeated, "a second message \(id)"))
        }
        if messages.count == Self.rememberedMessages { messages.removeFirst() }
        messages.append(id)
        return .message(id: id)
    }

    private mutating func started(_ fields: FrameFields, _ line: Span<UInt8>) -> Verdict {
        if slot(of: fields.response, line) != nil { return .event }  // Its status changed.
        let id = line.bytes(fields.response)
        let message = line.string(fields.message)
        if isFinished(id) { return .violation(stray(fields, line)) }
        if finished.contains(where: { $0.message == message })
            || running.contains(where: { $0.message == message })
        {
            return .violation(
                Violation(.completedTwice, "a second response to message \(message)"))
        }
        running.append(Response(id: id, message: message))
        return .started(message: message)
    }

    private mutating func delta(
        _ fields: FrameFields, _ line: Span<UInt8>, slot: Int, events: Int
    ) -> Verdict {
        running[slot].deltas += events
        let text = JSONMembers.equal(line, fields.kind, "text") ? fields.text.range : 0..<0
        if !text.isEmpty {
            running[slot].text.append(line.extracting(text), at: fields.index ?? 0)
            guard running[slot].text.rawBytes <= maximumResponseBytes else {
                return .violation(.textTooLong(maximumResponseBytes))
            }
        }
        return .delta(
            Verdict.Delta(
                message: running[slot].message, total: running[slot].deltas, events: events,
                text: text))
    }

    /// Compares a finished item with the text that came before it.
    private mutating func item(
        _ fields: FrameFields, _ line: Span<UInt8>, slot: Int
    ) -> Verdict {
        let index = fields.index ?? 0
        let response = running[slot]
        guard !response.items.contains(index) else {
            return .violation(
                Violation(.repeated, "\(response.name): a second item with index \(index)"))
        }
        if response.items.count < Self.rememberedItems { running[slot].items.insert(index) }
        let bytes = line.extracting(fields.item.range)
        guard let item = JSONValue(parsing: bytes, decodingStrings: false) else { return .event }
        let texts = item.outputTexts
        var whole = JoinedText()
        for text in texts { whole.append(text.utf8.span) }
        // Deltas of several parts may come in any order.
        guard response.text.says(whole, at: index, inAnyOrder: texts.count > 1) else {
            return .violation(
                Violation(
                    .textHash, "\(response.name): the item with index \(index) says another text"))
        }
        return .event
    }

    private mutating func complete(
        _ fields: FrameFields, _ line: Span<UInt8>, slot: Int
    ) -> Verdict {
        let response = running.remove(at: slot)
        let end = End(fields, line)
        let violation = finish(response, by: end)
        guard end.textSHA256 != nil else {
            return .violation(
                Violation(.textHash, "\(response.name): complete without text_sha256"))
        }
        return violation.map { .violation($0) } ?? .completed(response.completion(by: end))
    }

    /// Counts a response as finished; returns what is wrong with its end.
    private mutating func finish(_ response: Response, by end: End) -> Violation? {
        if finished.count == Self.rememberedResponses { finished.removeFirst() }
        finished.append(FinishedResponse(id: response.id, message: response.message))
        completed += 1
        return textFlaw(of: response, at: end) ?? response.flaw(of: end)
    }

    private func textFlaw(of response: Response, at end: End) -> Violation? {
        guard let promised = end.textSHA256 else { return nil }
        let text = response.text.joined
        let found = Hexadecimal.encode(sha256(text))
        let promisedBytes = end.textBytes ?? text.count
        guard promised != found || promisedBytes != text.count else { return nil }
        return Violation(
            .textHash,
            "\(response.name): \(text.count) bytes hash to \(found), complete says"
                + " \(promisedBytes) bytes and \(promised)")
    }

    private func stray(_ fields: FrameFields, _ line: Span<UInt8>) -> Violation {
        let name = line.string(fields.response)
        let type = line.string(fields.typeName)
        guard isFinished(line.bytes(fields.response)) else {
            return Violation(.unknownResponse, "\(type) of \(name), which never began")
        }
        return fields.type == .complete
            ? Violation(.completedTwice, "\(name) completed twice")
            : Violation(.afterComplete, "\(type) after the complete of \(name)")
    }

    private func isFinished(_ id: [UInt8]) -> Bool { finished.contains { $0.id == id } }

    private func slot(of name: FrameFields.Slice, _ line: Span<UInt8>) -> Int? {
        running.firstIndex { line.has($0.id, at: name) }
    }
}

extension NativeStreamChecker {
    // MARK: - Snapshots

    /// Takes the state that a snapshot stands for in the place of the events up to `through`.
    private mutating func snapshot(_ line: Span<UInt8>) -> Verdict {
        guard let frame = JSONValue(parsing: line, decodingStrings: false),
            let through = frame["through"]?.integer
        else {
            return .violation(Violation(.notJSON, "a snapshot without `through`"))
        }
        if let violation = position.skip(through: through) { return .violation(violation) }
        running = []
        var completions: [Verdict.Completion] = []
        for entry in frame["responses"]?.array ?? [] {
            var response = Response(
                id: Array((entry["response"]?.string ?? "").utf8),
                message: entry["message"]?.string ?? "")
            response.take(snapshot: entry)
            guard let complete = entry["complete"], complete["type"] != nil else {
                running.append(response)
                continue
            }
            guard !isFinished(response.id) else { continue }
            let end = End(inSnapshot: complete)
            if let violation = finish(response, by: end) { return .violation(violation) }
            completions.append(response.completion(by: end))
        }
        return .snapshot(completed: completions)
    }
}

extension NativeStreamChecker.End {
    fileprivate init(_ fields: FrameFields, _ line: Span<UInt8>) {
        status = fields.status.isPresent ? line.string(fields.status) : nil
        message = fields.message.isPresent ? line.string(fields.message) : nil
        reason = line.string(fields.reason)
        let error =
            fields.error.isPresent
            ? JSONValue(parsing: line.extracting(fields.error.range)) : nil
        errorCode = error?["code"]?.string ?? ""
        textSHA256 = fields.textSHA256.isPresent ? line.string(fields.textSHA256) : nil
        textBytes = fields.textBytes
        upstreamClosedMicroseconds = fields.upstreamClosedMicroseconds
    }

    fileprivate init(inSnapshot complete: JSONValue) {
        status = complete["status"]?.string
        message = complete["message"]?.string
        reason = complete["reason"]?.string ?? ""
        errorCode = complete["error"]?["code"]?.string ?? ""
        textSHA256 = complete["text_sha256"]?.string
    }
}

extension NativeStreamChecker.Response {
    private static let ends = ["completed", "incomplete", "failed", "cancelled"]

    fileprivate func completion(by end: NativeStreamChecker.End) -> Verdict.Completion {
        Verdict.Completion(
            message: message, status: end.status ?? "", reason: end.reason,
            errorCode: end.errorCode, deltas: isFromSnapshot ? nil : deltas,
            upstreamClosedMicroseconds: end.upstreamClosedMicroseconds)
    }

    /// What is wrong with the status and the message of this response's `complete`.
    fileprivate func flaw(of end: NativeStreamChecker.End) -> Violation? {
        guard let status = end.status, Self.ends.contains(status) else {
            let what = end.status.map { "with the status '\($0)'" } ?? "without a status"
            return Violation(.malformed, "\(name): complete \(what)")
        }
        guard let message = end.message else {
            return Violation(.malformed, "\(name): complete without a message")
        }
        guard message == self.message else {
            return Violation(
                .malformed, "\(name): complete of '\(message)', it answers '\(self.message)'")
        }
        return nil
    }

    /// Takes what a snapshot says: finished items whole, then what has streamed of the others.
    fileprivate mutating func take(snapshot entry: JSONValue) {
        isFromSnapshot = true
        for item in entry["items"]?.array ?? [] {
            for text in item["item"]?.outputTexts ?? [] { append(text, index: item["index"]) }
        }
        for partial in entry["partial"]?.array ?? [] where partial["kind"]?.string == "text" {
            append(partial["text"]?.string ?? "", index: partial["index"])
        }
    }

    private mutating func append(_ piece: String, index: JSONValue?) {
        let bytes = Array(piece.utf8)
        text.append(bytes.span, at: index?.integer ?? 0)
    }
}
