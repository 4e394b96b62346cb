@testable import GatewayCore

/// A made-up answer as a stream of server-sent events, its true text, and how the network spoils it.
struct SimulatedAnswer {
    enum Fault: CaseIterable { case cut, garbage, silence }

    private(set) var body: [UInt8] = []
    /// The text of each output index, as JSON string contents.
    private(set) var texts: [Int: [UInt8]] = [:]
    private(set) var fault: Fault?
    private(set) var status = "completed"
    /// Chunks that come no faster than this.
    var pace: Duration = .zero

    /// The whole output text in UTF-8.
    var text: [UInt8] { decode(texts.keys.sorted().flatMap { texts[$0] ?? [] }) }

    private static let words = [
        "Hello", " mill", "race", "\\n", " \\u00e9", "é", " 你好", "\\ud83d\\ude00", "\\\"", " x",
        "\\u0000", "\\ud83d",
    ]

    init(_ random: inout SeededGenerator) {
        var streams: [[String]] = []
        for index in 0..<Int.random(in: 1...3, using: &random) {
            streams.append(Self.item(index, &texts, &random))
        }
        event(#""type":"response.created","response":{"id":"resp","status":"in_progress"}"#)
        // Items may be told side by side.
        let isInterleaved = Int.random(in: 0..<3, using: &random) == 0
        while let first = streams.firstIndex(where: { !$0.isEmpty }) {
            let open = streams.indices.filter { !streams[$0].isEmpty }
            let stream = isInterleaved ? open.randomElement(using: &random) ?? first : first
            event(streams[stream].removeFirst())
            if Int.random(in: 0..<20, using: &random) == 0 { body += Array(": comment\n\n".utf8) }
        }
        status =
            ["completed", "completed", "completed", "incomplete", "failed"]
            .randomElement(using: &random) ?? ""
        event(
            #""type":"response.\#(status)","response":{"id":"resp","status":"\#(status)","output":[],"usage":{"output_tokens":3}}"#
        )
        if Int.random(in: 0..<4, using: &random) == 0 { spoil(&random) }
        if Int.random(in: 0..<4, using: &random) == 0 { pace = .milliseconds(400) }
    }

    private mutating func spoil(_ random: inout SeededGenerator) {
        fault = Fault.allCases.randomElement(using: &random)
        body.removeLast(Int.random(in: 1..<body.count, using: &random))
        if fault == .garbage { body += Array("\n\ndata: {\"type\":broken\n\n".utf8) }
    }

    private mutating func event(_ members: String) {
        body += Array("data: {\(members)}\n\n".utf8)
    }

    private static func item(
        _ index: Int, _ texts: inout [Int: [UInt8]], _ random: inout SeededGenerator
    ) -> [String] {
        let pieces = (0..<Int.random(in: 0...14, using: &random)).map { _ in
            words.randomElement(using: &random) ?? ""
        }
        let place = #""output_index":\#(index)"#
        var events: [String] = []
        func delta(_ type: String, _ text: String, _ more: String = "") -> String {
            #""type":"response.\#(type).delta",\#(place)\#(more),"delta":"\#(text)""#
        }
        let done: String
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            let item = #""id":"fc\#(index)","call_id":"call\#(index)","name":"f""#
            events.append(
                #""type":"response.output_item.added",\#(place),"item":{"type":"function_call",\#(item),"arguments":""}"#
            )
            events += pieces.map { delta("function_call_arguments", $0) }
            done = #"{"type":"function_call",\#(item),"arguments":"\#(pieces.joined())"}"#
        case 1:
            events += pieces.map { delta("reasoning_summary_text", $0, #","summary_index":0"#) }
            done =
                #"{"type":"reasoning","id":"rs\#(index)","summary":[{"type":"summary_text","text":"\#(pieces.joined())"}]}"#
        case 2:
            events.append(#""type":"response.web_search_call.searching",\#(place)"#)
            events.append(#""type":"response.made_up",\#(place)"#)
            done = #"{"type":"web_search_call","id":"w\#(index)","status":"completed"}"#
        default:
            texts[index] = Array(pieces.joined().utf8)
            events += pieces.map { delta("output_text", $0, #","content_index":0"#) }
            done =
                #"{"type":"message","id":"msg\#(index)","role":"assistant","content":[{"type":"output_text","text":"\#(pieces.joined())"}]}"#
        }
        // Some servers never say that an item is done.
        if Int.random(in: 0..<8, using: &random) > 0 {
            events.append(#""type":"response.output_item.done",\#(place),"item":\#(done)"#)
        }
        return events
    }
}

/// One upstream transfer: the bytes of an answer on their way through parser and reducer.
struct SimulatedTransfer {
    var answer: SimulatedAnswer
    var isConnected = false
    var isPaused = false
    var deadlines: UpstreamDeadlines
    private var parser = ServerSentEventParser(
        limits: .init(maximumLineBytes: 1 << 16, maximumEventBytes: 1 << 16))
    private var reducer = ResponsesReducer()
    private var sent = 0
    private var nextChunkAt: Instant

    init(_ answer: SimulatedAnswer, now: Instant) {
        self.answer = answer
        var limits = UpstreamDeadlines.Limits()
        limits.silence = .seconds(30)
        limits.notice = .seconds(3)
        deadlines = UpstreamDeadlines(limits: limits, now: now)
        nextChunkAt = now
    }

    /// What some bytes brought, with what its places point into.
    enum News {
        case output(ResponsesOutput, [UInt8])
        case deltas(DeltaBatch, [UInt8])
    }

    private func copy(_ bytes: Span<UInt8>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.append(bytes)
        return copy
    }

    /// What one turn came to.
    enum Progress { case nothing, some, ended, broken }

    /// Lets some bytes arrive.
    mutating func proceed(
        now: Instant, _ random: inout SeededGenerator,
        emit: (News) -> Void
    ) -> Progress {
        guard !isPaused, now >= nextChunkAt else { return .nothing }
        if sent == answer.body.count {
            return answer.fault == .silence ? .nothing : .ended
        }
        if sent == 0 { deadlines.receivedHead(now: now) }
        nextChunkAt = now + answer.pace
        let end = min(answer.body.count, sent + Int.random(in: 1...400, using: &random))
        let chunk = sent..<end
        sent = end
        var isEvent = false
        var isBroken = false
        let copy = copy
        // Local copies: the closure must not touch what `feed` changes.
        var parser = self.parser
        var reducer = self.reducer
        do {
            try parser.feed(answer.body.span.extracting(chunk)) { chunk, start in
                reducer.skim(
                    chunk, from: start,
                    batches: { deltas in
                        isEvent = true
                        emit(.deltas(deltas, copy(chunk)))
                    })
            } emit: { data, _, lead in
                do throws(ResponsesFailure) {
                    try reducer.reduce(data, lead: lead) { output in
                        isEvent = true
                        emit(.output(output, copy(data)))
                    }
                } catch {
                    isBroken = true
                    return .stop
                }
                return .proceed
            }
        } catch {
            isBroken = true
        }
        self.parser = parser
        self.reducer = reducer
        deadlines.received(isEvent: isEvent, now: now)
        if isBroken { return .broken }
        return reducer.isFinished ? .ended : .some
    }
}
