/// Checks one reader's copy of a session's log against docs/protocol.md, over all its connections.
///
///     connected() ──ready──▶ events: seq dense, each response  running ──complete──▶ finished
///          ▲────────────── the connection went; resume with `after` = lastSeq ◀──────┘
///
/// Line in, verdict out: no I/O, no clock. A violation leaves the checker usable, but what follows
/// it may be its echo.
package struct StreamChecker {
    /// One response between its `response` event and its `complete`.
    package struct Response {
        package let id: [UInt8]
        package let message: String
        /// Upstream deltas seen so far, merged ones counted in full.
        package fileprivate(set) var deltas = 0
        fileprivate var parts: [(index: Int, text: JoinedText)] = []
        fileprivate var textBytes = 0
        /// Whether a snapshot stands for its beginning, so that its deltas were never seen.
        fileprivate var isFromSnapshot = false

        package var name: String { String(decoding: id, as: UTF8.self) }
    }

    package struct Ready: Equatable {
        package let seq: Int
        package let isRecovered: Bool
        package let reason: String
        package let resumeToken: String
    }

    package struct Delta: Equatable {
        /// Which of ``running`` it belongs to.
        package let slot: Int
        package let events: Int
        /// Where the text of a `text` delta lies in the line; empty for other kinds.
        package let text: Range<Int>
    }

    package struct Completion: Equatable {
        package let message: String
        package let status: String
        package let reason: String
        package let errorCode: String
        /// How many deltas upstream sent; unknown where a snapshot stood for some of them.
        package let deltas: Int?
        package let upstreamClosedMicroseconds: Int?
    }

    package enum Verdict: Equatable {
        case ready(Ready)
        case delta(Delta)
        case message(id: String)
        case started(message: String)
        case completed(Completion)
        /// Another logged event.
        case event
        /// A frame of the connection that asks nothing of us.
        case notice
        case attached(message: String)
        case token(String)
        case goingAway(afterMilliseconds: Int)
        case error(code: String, message: String?)
        /// With the responses that ended in what the snapshot stands for.
        case snapshot(completed: [Completion])
        case violation(Violation)
    }

    package private(set) var lastSeq = 0
    package private(set) var running: [Response] = []
    package private(set) var completed = 0
    /// Whether the next frame must be `ready`.
    package private(set) var awaitsReady = true
    private var session: [UInt8] = []
    private var epoch: [UInt8] = []
    /// The newest finished responses, to tell "after complete" from "never seen".
    private var finished: [[UInt8]] = []
    private var finishedMessages: [String] = []
    private static let rememberedResponses = 32

    private let maximumResponseBytes: Int
    private let sha256: ([UInt8]) -> [UInt8]

    /// `sha256` is the platform's digest; texts above the limit are a violation, not checked.
    package init(maximumResponseBytes: Int, sha256: @escaping ([UInt8]) -> [UInt8]) {
        self.maximumResponseBytes = maximumResponseBytes
        self.sha256 = sha256
    }

    /// A new connection of the same reader begins.
    package mutating func connected() { awaitsReady = true }

    /// Consumes one line of a frame.
    package mutating func handle(_ line: Span<UInt8>) -> Verdict {
        guard let fields = FrameFields(scanning: line) else {
            return .violation(Violation(.notJSON, "a line that is no JSON object"))
        }
        if awaitsReady {
            switch fields.type {
            case .ready, .error, .goingAway: break
            default:
                return .violation(
                    Violation(.beforeReady, "\(string(line, fields.typeName)) before ready"))
            }
        }
        guard let seq = fields.seq, fields.type.isLogged else { return notice(fields, line) }
        if let violation = advance(to: seq, from: fields.from ?? seq) {
            return .violation(violation)
        }
        return event(fields, line, seq: seq)
    }

    // MARK: - Frames without a place in the log

    private mutating func notice(_ fields: FrameFields, _ line: Span<UInt8>) -> Verdict {
        switch fields.type {
        case .ready: return ready(fields, line)
        case .token: return .token(string(line, fields.resumeToken))
        case .goingAway:
            return .goingAway(afterMilliseconds: fields.reconnectAfterMilliseconds ?? 0)
        case .error:
            let id = fields.messageID.isPresent ? string(line, fields.messageID) : nil
            return .error(code: string(line, fields.code), message: id)
        case .state where FrameFields.equal(line, fields.state, "attached"):
            return .attached(message: string(line, fields.message))
        case .snapshot: return snapshot(line)
        case .delta, .tool, .item, .complete, .response, .message, .upstreamEvent:
            return .violation(Violation(.gap, "\(string(line, fields.typeName)) without a seq"))
        case .state, .pong, .unknown: return .notice
        }
    }

    private mutating func ready(_ fields: FrameFields, _ line: Span<UInt8>) -> Verdict {
        guard awaitsReady else {
            return .violation(Violation(.resumed, "a second ready on one connection"))
        }
        awaitsReady = false
        let newSession = bytes(line, fields.session)
        let newEpoch = bytes(line, fields.epoch)
        let end = fields.seq ?? 0
        let isRecovered = fields.recovered ?? false
        if isRecovered {
            // A second reader resumes a session that it has not seen itself.
            let isSame = session.isEmpty || (newSession == session && newEpoch == epoch)
            guard isSame, end >= lastSeq else {
                return .violation(
                    Violation(
                        .resumed,
                        "recovered, but the log ends at \(end) and we have \(lastSeq), session or"
                            + " epoch \(isSame ? "the same" : "another")"))
            }
        } else {
            lastSeq = 0
            running = []
        }
        session = newSession
        epoch = newEpoch
        return .ready(
            Ready(
                seq: end, isRecovered: isRecovered, reason: string(line, fields.reason),
                resumeToken: string(line, fields.resumeToken)))
    }

    // MARK: - The log

    private mutating func advance(to seq: Int, from: Int) -> Violation? {
        let expected = lastSeq + 1
        guard from == expected, seq >= from else {
            let range = from == seq ? "\(seq)" : "\(from)…\(seq)"
            return from < expected
                ? Violation(.repeated, "seq \(range) after \(lastSeq)")
                : Violation(.gap, "seq \(range) after \(lastSeq)")
        }
        lastSeq = seq
        return nil
    }

    private mutating func event(
        _ fields: FrameFields, _ line: Span<UInt8>, seq: Int
    ) -> Verdict {
        switch fields.type {
        case .message: return .message(id: string(line, fields.id))
        case .response: return started(fields, line)
        case .delta, .tool, .item, .upstreamEvent, .complete:
            guard let slot = slot(of: fields.response, line) else {
                return .violation(stray(fields, line))
            }
            switch fields.type {
            case .delta:
                return delta(fields, line, slot: slot, events: seq - (fields.from ?? seq) + 1)
            case .complete: return complete(fields, line, slot: slot)
            default: return .event
            }
        default: return .event
        }
    }

    private mutating func started(_ fields: FrameFields, _ line: Span<UInt8>) -> Verdict {
        if slot(of: fields.response, line) != nil { return .event }  // Its status changed.
        let id = bytes(line, fields.response)
        let message = string(line, fields.message)
        if finished.contains(id) { return .violation(stray(fields, line)) }
        if finishedMessages.contains(message) || running.contains(where: { $0.message == message })
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
        guard FrameFields.equal(line, fields.kind, "text") else {
            return .delta(Delta(slot: slot, events: events, text: 0..<0))
        }
        let text = fields.text.range
        let index = fields.index ?? 0
        running[slot].textBytes += text.count
        guard running[slot].textBytes <= maximumResponseBytes else {
            return .violation(
                Violation(
                    .textTooLong, "text above \(maximumResponseBytes) bytes (limits.response_bytes)"
                ))
        }
        running[slot].append(line.extracting(text), index: index)
        return .delta(Delta(slot: slot, events: events, text: text))
    }

    private mutating func complete(
        _ fields: FrameFields, _ line: Span<UInt8>, slot: Int
    ) -> Verdict {
        let response = running.remove(at: slot)
        remember(response.id, message: response.message)
        completed += 1
        let text = response.joined
        if fields.textSHA256.isPresent {
            let promised = string(line, fields.textSHA256)
            let found = Hexadecimal.encode(sha256(text))
            if promised != found || fields.textBytes.map({ $0 != text.count }) ?? false {
                return .violation(
                    Violation(
                        .textHash,
                        "\(response.name): \(text.count) bytes hash to \(found), complete says"
                            + " \(fields.textBytes ?? -1) bytes and \(promised)"))
            }
        } else {
            return .violation(
                Violation(.textHash, "\(response.name): complete without text_sha256"))
        }
        return .completed(
            Completion(
                message: response.message, status: string(line, fields.status),
                reason: string(line, fields.reason), errorCode: errorCode(fields, line),
                deltas: response.isFromSnapshot ? nil : response.deltas,
                upstreamClosedMicroseconds: fields.upstreamClosedMicroseconds))
    }

    private func errorCode(_ fields: FrameFields, _ line: Span<UInt8>) -> String {
        guard fields.error.isPresent else { return "" }
        return JSONValue(parsing: line.extracting(fields.error.range))?["code"]?.string ?? ""
    }

    private func stray(_ fields: FrameFields, _ line: Span<UInt8>) -> Violation {
        let name = string(line, fields.response)
        let type = string(line, fields.typeName)
        guard finished.contains(bytes(line, fields.response)) else {
            return Violation(.unknownResponse, "\(type) of \(name), which never began")
        }
        return fields.type == .complete
            ? Violation(.completedTwice, "\(name) completed twice")
            : Violation(.afterComplete, "\(type) after the complete of \(name)")
    }

    private mutating func remember(_ id: [UInt8], message: String) {
        if finished.count == Self.rememberedResponses {
            finished.removeFirst()
            finishedMessages.removeFirst()
        }
        finished.append(id)
        finishedMessages.append(message)
    }

    private func slot(of name: FrameFields.Slice, _ line: Span<UInt8>) -> Int? {
        let range = name.range
        return running.firstIndex { response in
            guard response.id.count == range.count else { return false }
            for offset in 0..<range.count
            where response.id[offset] != line[range.lowerBound + offset] {
                return false
            }
            return true
        }
    }

    private func string(_ line: Span<UInt8>, _ slice: FrameFields.Slice) -> String {
        String(decoding: bytes(line, slice), as: UTF8.self)
    }

    private func bytes(_ line: Span<UInt8>, _ slice: FrameFields.Slice) -> [UInt8] {
        line.extracting(slice.range).withUnsafeBufferPointer { Array($0) }
    }
}

extension StreamChecker {
    // MARK: - Snapshots

    /// Takes the state that a snapshot stands for in the place of the events up to `through`.
    private mutating func snapshot(_ line: Span<UInt8>) -> Verdict {
        guard let frame = JSONValue(parsing: line, decodingStrings: false),
            let through = frame["through"]?.integer
        else {
            return .violation(Violation(.notJSON, "a snapshot without `through`"))
        }
        guard through >= lastSeq else {
            return .violation(
                Violation(.repeated, "a snapshot through \(through) after \(lastSeq)"))
        }
        lastSeq = through
        running = []
        var completions: [Completion] = []
        for entry in frame["responses"]?.array ?? [] {
            var response = Response(
                id: Array((entry["response"]?.string ?? "").utf8),
                message: entry["message"]?.string ?? "")
            response.take(snapshot: entry)
            guard let end = entry["complete"], end["type"] != nil else {
                running.append(response)
                continue
            }
            guard !finished.contains(response.id) else { continue }
            remember(response.id, message: response.message)
            completed += 1
            let found = Hexadecimal.encode(sha256(response.joined))
            if let promised = end["text_sha256"]?.string, promised != found {
                return .violation(
                    Violation(.textHash, "\(response.name) in a snapshot hashes to \(found)"))
            }
            completions.append(
                Completion(
                    message: response.message, status: end["status"]?.string ?? "",
                    reason: end["reason"]?.string ?? "",
                    errorCode: end["error"]?["code"]?.string ?? "", deltas: nil,
                    upstreamClosedMicroseconds: nil))
        }
        return .snapshot(completed: completions)
    }
}

extension StreamChecker.Response {
    /// The whole text: by output index, then by arrival.
    fileprivate var joined: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(textBytes)
        for part in parts.sorted(by: { $0.index < $1.index }) { part.text.decode(into: &text) }
        return text
    }

    /// Takes what a snapshot says: finished items whole, then what has streamed of the others.
    fileprivate mutating func take(snapshot entry: JSONValue) {
        isFromSnapshot = true
        for item in entry["items"]?.array ?? [] {
            for content in item["item"]?["content"]?.array ?? []
            where content["type"]?.string == "output_text" {
                append(content["text"], index: item["index"])
            }
        }
        for partial in entry["partial"]?.array ?? [] where partial["kind"]?.string == "text" {
            append(partial["text"], index: partial["index"])
        }
    }

    private mutating func append(_ text: JSONValue?, index: JSONValue?) {
        let bytes = Array((text?.string ?? "").utf8)
        textBytes += bytes.count
        append(bytes.span, index: index?.integer ?? 0)
    }

    fileprivate mutating func append(_ piece: Span<UInt8>, index: Int) {
        if let part = parts.firstIndex(where: { $0.index == index }) {
            parts[part].text.append(piece)
        } else {
            var text = JoinedText()
            text.append(piece)
            parts.append((index, text))
        }
    }
}
