import Testing

@testable import GatewayCore

/// Plays one session by hand: commands and upstream's events go in, a transcript comes out.
///
/// Events read `3 delta 0 text Hel`, actions `open 0`, `close 0`, `c1: error …`, `all: state …`. Upstream
/// events go through the real reducer. A closed transfer is reported at once unless told otherwise.
struct SessionScript {
    var machine: SessionMachine
    var now = Instant(nanoseconds: 1_000_000_000)
    /// What has happened since `took` was called.
    private(set) var transcript: [String] = []
    /// The bodies of the requests, by response.
    private(set) var requests: [Int: String] = [:]
    private(set) var summaries: [ResponseSummary] = []
    var closesAtOnce = true
    private var reducers: [Int: ResponsesReducer] = [:]
    private var cursor = 0
    private var responseCount = 0

    /// Every frame that a connection gets, as it is sent, events unmerged.
    private(set) var frames: [String] = []
    /// Names the responses by their number.
    var responseName: (Int) -> String = { "r\($0)" }

    init(
        requests: UpstreamRequestBuilder = UpstreamRequestBuilder(), epoch: String = "e",
        continuing: ConversationPlace? = nil,
        _ configure: (inout SessionSettings) -> Void = { _ in }
    ) {
        var settings = SessionSettings { text in Array(SHA256.hex(text).utf8.prefix(8)) }
        configure(&settings)
        machine = SessionMachine(
            id: SessionID(node: 1, shard: 0, random: [UInt8](repeating: 7, count: 10)),
            epoch: epoch,
            settings: settings, requests: requests, continuing: continuing,
            now: now)
        attach(1)
        _ = took()
    }

    static func connection(_ number: Int) -> ConnectionID {
        ConnectionID(shard: 0, counter: UInt64(number))
    }

    /// The transcript so far, which starts anew.
    mutating func took() -> [String] {
        defer { transcript = [] }
        return transcript
    }

    /// Rendered events from a cursor on, unmerged.
    func events(after cursor: Int = 0) -> [WireFrame] {
        var frame: [UInt8] = []
        _ = machine.log.render(
            after: cursor, into: &frame, maximumBytes: .max, mergeAfter: .max)
        return frame.isEmpty ? [] : (try? WireFrame.lines(frame)) ?? []
    }

    func event(_ sequence: Int) -> WireFrame? {
        events(after: machine.log.compactedThrough).first { $0.sequence == sequence }
    }

    var snapshot: WireFrame? { try? WireFrame(machine.snapshotFrame()) }

    // MARK: Commands

    mutating func attach(_ number: Int) {
        perform { $0.attach(Self.connection(number), now: $1, actions: &$2) }
    }

    mutating func detach(_ number: Int) {
        perform { machine, now, _ in machine.detach(Self.connection(number), now: now) }
    }

    mutating func message(
        _ id: String, _ input: String = "\"Hello\"", from: Int = 1, options: [(String, String)] = []
    ) {
        let message = ClientCommand.Message(
            id: id, input: Array(input.utf8),
            options: options.map { RequestOption(name: $0.0, value: Array($0.1.utf8)) })
        let responseID = responseName(responseCount)
        let before = machine.log.lastSequence
        perform {
            _ = $0.receive(
                message, from: Self.connection(from), responseID: responseID, now: $1,
                actions: &$2)
        }
        if machine.log.lastSequence > before { responseCount += 1 }
    }

    mutating func cancel(_ target: ClientCommand.CancelTarget, from: Int = 1) {
        perform { $0.cancel(target, from: Self.connection(from), now: $1, actions: &$2) }
    }

    mutating func cancelAll(_ reason: CancelReason) {
        perform { $0.cancelAll(reason, now: $1, actions: &$2) }
    }

    mutating func flow(_ bestCursor: Int, lowest: Int = .max) {
        perform { machine, _, actions in
            machine.updateFlow(bestCursor: bestCursor, lowestCursor: lowest, actions: &actions)
        }
    }

    // MARK: Upstream

    /// Another upstream goes on with the answer.
    mutating func seam(_ number: Int, _ reason: String = "upstream_truncated") {
        reducers[number] = nil
        perform { machine, _, _ in machine.upstreamSeam(number, reason: reason) }
    }

    mutating func connected(_ number: Int) {
        perform { $0.upstreamConnected(number, now: $1, actions: &$2) }
    }

    mutating func silent(_ number: Int) {
        perform { $0.upstreamSilent(number, now: $1, actions: &$2) }
    }

    mutating func closed(_ number: Int) {
        perform { $0.upstreamClosed(number, now: $1, actions: &$2) }
    }

    mutating func fails(_ number: Int, _ code: String = "upstream_reset") {
        perform {
            $0.upstreamFailed(
                number, ResponseError(code: code, message: "gone", isRetryable: true), now: $1,
                actions: &$2)
        }
    }

    /// Events of upstream, each a JSON object without its braces.
    mutating func upstream(_ number: Int, _ events: String...) {
        for event in events {
            let data = Array("{\(event)}".utf8)
            var outputs: [ResponsesOutput] = []
            do {
                try reducers[number, default: ResponsesReducer()].reduce(data.span) {
                    outputs.append($0)
                }
            } catch {
                Issue.record(error)
            }
            for output in outputs {
                perform {
                    $0.upstream(number, output, data: data.span, now: $1, actions: &$2)
                }
            }
        }
    }

    mutating func begins(_ number: Int, model: String = "m") {
        upstream(
            number,
            #""type":"response.created","response":{"id":"resp_\#(number)","model":"\#(model)","status":"in_progress"}"#
        )
    }

    mutating func says(_ number: Int, _ texts: String..., index: Int = 0) {
        for text in texts { upstream(number, Self.delta(text, index: index)) }
    }

    /// The same in one chunk: the session gets it in batches.
    mutating func saysAtOnce(_ number: Int, _ texts: [String], index: Int = 0) {
        var chunk: [UInt8] = []
        var batches: [DeltaBatch] = []
        for text in texts {
            // The reducer has to know of it, for what an item repeats.
            let data = Array("{\(Self.delta(text, index: index))}".utf8)
            try? reducers[number, default: ResponsesReducer()].reduce(data.span) { _ in }
            if batches.last?.isFull != false {
                batches.append(DeltaBatch())
                batches[batches.count - 1].begin(index: index, kind: .text, part: 0)
            }
            batches[batches.count - 1].append(chunk.count..<(chunk.count + text.utf8.count))
            chunk.append(literal: text)
        }
        for deltas in batches {
            perform { $0.upstream(number, deltas, of: chunk.span, now: $1, actions: &$2) }
        }
    }

    private static func delta(_ text: String, index: Int) -> String {
        #""type":"response.output_text.delta","output_index":\#(index),"content_index":0,"delta":"\#(text)""#
    }

    /// A finished message item.
    mutating func said(_ number: Int, _ text: String, index: Int = 0) {
        item(
            number,
            #"{"type":"message","id":"msg_\#(number)_\#(index)","role":"assistant","content":[{"type":"output_text","text":"\#(text)"}]}"#,
            index: index)
    }

    mutating func item(_ number: Int, _ item: String, index: Int = 0) {
        upstream(
            number, #""type":"response.output_item.done","output_index":\#(index),"item":\#(item)"#)
    }

    mutating func ends(_ number: Int, _ status: String = "completed", _ more: String = "") {
        upstream(
            number,
            #""type":"response.\#(status)","response":{"id":"resp_\#(number)","status":"\#(status)","output":[],"usage":{"total_tokens":3}\#(more)}"#
        )
    }

    // MARK: Time

    mutating func pass(_ duration: Duration, ticks: Bool = true) {
        now = now + duration
        if ticks { tick() }
    }

    /// Ticks; a deadline that is still due afterwards would make a timer spin.
    mutating func tick() {
        perform { $0.tick(now: $1, actions: &$2) }
        if let deadline = machine.nextDeadline {
            #expect(deadline > now, "a deadline in the past after a tick")
        }
    }

    /// How long until the machine wants to be asked again.
    var untilDeadline: Duration? { machine.nextDeadline.map { $0 - now } }

    /// Compacts what is finished, of which there should be some.
    mutating func compact(expecting isSome: Bool = true) {
        let didCompact = machine.compactFinished()
        #expect(didCompact == isSome)
    }

    // MARK: Carrying out

    private mutating func perform(
        _ call: (inout SessionMachine, Instant, inout [SessionAction]) -> Void
    ) {
        var actions: [SessionAction] = []
        call(&machine, now, &actions)
        noteEvents()
        var next = 0
        while next < actions.count {
            note(actions[next])
            if case .closeUpstream(let number) = actions[next], closesAtOnce {
                machine.upstreamClosed(number, now: now, actions: &actions)
                noteEvents()
            }
            next += 1
        }
    }

    private mutating func noteEvents() {
        cursor = max(cursor, machine.log.compactedThrough)
        for event in events(after: cursor) {
            transcript.append(Self.describe(event))
            frames.append(event.line)
        }
        cursor = machine.log.lastSequence
    }

    private static func describe(_ event: WireFrame) -> String {
        var words = ["\(event.sequence ?? -1)", event.type]
        func add(_ name: String, _ label: String? = nil) {
            guard let raw = event.raw(name) else { return }
            let value = event.text(name) ?? String(decoding: raw, as: UTF8.self)
            words.append(label.map { "\($0)=\(value)" } ?? value)
        }
        switch event.type {
        case "message":
            add("id")
            add("input")
            add("input_bytes", "bytes")
        case "response":
            add("response")
            add("status")
            add("model", "model")
        case "delta":
            add("response")
            add("index")
            add("part", "part")
            add("kind")
            add("text")
        case "tool":
            for name in ["response", "index", "kind", "status"] { add(name) }
            for name in ["call_id", "name", "delta", "arguments", "output"] { add(name, name) }
        case "item":
            add("response")
            add("index")
            add("item")
        case "upstream_event":
            add("response")
            add("index")
            add("event")
        case "complete":
            add("response")
            add("status")
            add("reason")
            add("text_bytes", "bytes")
            if let error = event.frame("error") {
                words.append("error=\(error.text("code") ?? "")")
            }
        default: words.append(event.line)
        }
        return words.joined(separator: " ")
    }

    private mutating func note(_ action: SessionAction) {
        switch action {
        case .openUpstream(let number, let request):
            requests[number] = String(decoding: request.bytes, as: UTF8.self)
            transcript.append("open \(number)")
        case .closeUpstream(let number): transcript.append("close \(number)")
        case .pauseUpstream: transcript.append("pause")
        case .resumeUpstream: transcript.append("resume")
        case .send(let connection, let frame):
            frames.append(String(decoding: frame, as: UTF8.self))
            transcript.append(
                "c\(connection.rawValue & 0xFFFF): \(Self.describe(unnumbered: frame))")
        case .broadcast(let frame):
            frames.append(String(decoding: frame, as: UTF8.self))
            transcript.append("all: \(Self.describe(unnumbered: frame))")
        case .responseEnded(let summary):
            summaries.append(summary)
            transcript.append("ended \(summary.id) \(summary.outcome.wireName)")
        case .responseNamed(let number, _): transcript.append("named \(number)")
        case .expire: transcript.append("expire")
        }
    }

    private static func describe(unnumbered bytes: [UInt8]) -> String {
        guard let frame = try? WireFrame(bytes) else { return "broken" }
        let names = [
            "type", "code", "response", "message_id", "state", "status", "seq", "since_ms",
        ]
        return names.compactMap { name in
            frame.text(name) ?? frame.integer(name).map { "\(name)=\($0)" }
        }.joined(separator: " ")
    }
}
