import LoadClient
import Testing

@Suite("What a stream of OpenAI's WebSocket mode promises")
struct DialectStreamCheckerTests {
    private var checker = DialectStreamChecker(maximumResponseBytes: 1_000, sha256: Digest.sha256)

    static func session(_ seq: Int = 0, epoch: String = "e", recovered: Bool = false) -> String {
        #"{"type":"gateway.session","session":"s","epoch":"\#(epoch)","seq":\#(seq),"resume_token":"t","recovered":\#(recovered),"limits":{"lanes":32}}"#
    }

    /// One event: its place in the log, its type, its number in the response, and its other members.
    static func event(
        _ seq: Int, _ type: String, _ number: Int, _ members: String = "", lane: Int? = nil
    ) -> String {
        let stream = lane.map { #""stream_id":"lane\#($0)","# } ?? ""
        let rest = members.isEmpty ? "" : ",\(members)"
        return
            #"{\#(stream)"gateway_seq":\#(seq),"type":"\#(type)","sequence_number":\#(number)\#(rest)}"#
    }

    static func created(
        _ seq: Int, id: String = "r", message: String = "m1", lane: Int? = nil, number: Int = 0
    ) -> String {
        event(
            seq, "response.created", number,
            #""response":{"id":"\#(id)","status":"in_progress","output":[],"metadata":{"millrace_message":"\#(message)"}}"#,
            lane: lane)
    }

    static func delta(
        _ seq: Int, _ number: Int, _ text: String, output: Int = 0, content: Int = 0,
        lane: Int? = nil
    ) -> String {
        event(
            seq, "response.output_text.delta", number,
            #""item_id":"i","output_index":\#(output),"content_index":\#(content),"delta":"\#(text)","logprobs":[]"#,
            lane: lane)
    }

    static func done(_ seq: Int, _ number: Int, _ text: String) -> String {
        event(
            seq, "response.output_text.done", number,
            #""item_id":"i","output_index":0,"content_index":0,"text":"\#(text)","logprobs":[]"#)
    }

    static func terminal(
        _ seq: Int, _ number: Int, _ texts: [String], status: String = "completed",
        type: String? = nil, more: String = "", id: String = "r", lane: Int? = nil
    ) -> String {
        let items = texts.map {
            #"{"type":"message","content":[{"type":"output_text","text":"\#($0)","annotations":[]}]}"#
        }
        return event(
            seq, "response.\(type ?? status)", number,
            #""response":{"id":"\#(id)","status":"\#(status)"\#(more),"output":[\#(items.joined(separator: ","))]}"#,
            lane: lane)
    }

    private mutating func feed(_ lines: [String]) -> [Verdict] {
        lines.map { checker.handle(Array($0.utf8).span) }
    }

    /// The rule of the first violation in `lines`.
    private mutating func rule(_ lines: [String]) -> Violation.Rule? {
        for case .violation(let violation) in feed(lines) { return violation.rule }
        return nil
    }

    @Test("a whole response passes")
    mutating func whole() {
        let verdicts = feed([
            Self.session(), Self.created(1), Self.event(2, "response.in_progress", 1),
            Self.delta(3, 2, "Hel"), Self.delta(4, 3, "lo"), Self.done(5, 4, "Hello"),
            Self.terminal(6, 5, ["Hello"]),
        ])
        guard case .ready(let ready) = verdicts[0] else { return #expect(Bool(false)) }
        #expect(ready.seq == 0 && !ready.isRecovered && ready.resumeToken == "t")
        #expect(verdicts[1] == .started(message: "m1"))
        guard case .delta(let second) = verdicts[4] else { return #expect(Bool(false)) }
        #expect(second.message == "m1" && second.total == 2 && second.events == 1)
        guard case .completed(let completion) = verdicts[6] else { return #expect(Bool(false)) }
        #expect(completion.deltas == 2)
        #expect(completion.status == "completed")
        #expect(checker.lastSeq == 6 && checker.isIdle && checker.completed == 1)
    }

    @Test("text is joined by its place in the output, other kinds are not text")
    mutating func byPlace() {
        let lines = [
            Self.session(), Self.created(1), Self.delta(2, 1, "c", output: 1),
            Self.delta(3, 2, "b", content: 1), Self.delta(4, 3, "a"),
            Self.event(5, "response.reasoning_text.delta", 4, #""output_index":2,"delta":"no""#),
            Self.terminal(6, 5, ["ab", "c"]),
        ]
        #expect(rule(lines) == nil)
    }

    @Test("an escape pair may be split between two deltas")
    mutating func splitPair() {
        let lines = [
            Self.session(), Self.created(1), Self.delta(2, 1, #"\ud83d"#),
            Self.delta(3, 2, #"\ude00\n"#), Self.done(4, 3, #"😀\n"#),
            Self.terminal(5, 4, [#"😀\n"#]),
        ]
        #expect(rule(lines) == nil)
    }

    @Test("lanes run side by side, each with numbers of its own")
    mutating func lanes() {
        let lines = [
            Self.session(), Self.created(1, id: "a", message: "m1", lane: 0),
            Self.created(2, id: "b", message: "m2", lane: 1), Self.delta(3, 1, "x", lane: 1),
            Self.delta(4, 1, "y", lane: 0), Self.terminal(5, 2, ["x"], id: "b", lane: 1),
            Self.created(6, id: "c", message: "m3", lane: 1),
            Self.terminal(7, 2, ["y"], id: "a", lane: 0),
        ]
        let verdicts = feed(lines)
        #expect(rule([]) == nil)
        guard case .completed(let first) = verdicts[5], case .completed(let second) = verdicts[7]
        else { return #expect(Bool(false)) }
        #expect(first.message == "m2" && second.message == "m1")
        #expect(!checker.isIdle)
    }

    static let faults: [(Violation.Rule, [String])] = [
        (.beforeReady, [created(1)]),
        (.notJSON, [session(), "{\"type\":"]),
        (.malformed, [session(), #"{"gateway_seq":1,"sequence_number":0}"#]),
        (.gap, [session(), created(2)]),
        (.gap, [session(), #"{"type":"response.output_text.delta","sequence_number":0}"#]),
        (.gap, [session(), created(1), delta(2, 2, "x")]),
        (.gap, [session(), created(1, number: 1)]),
        (.gap, [session(), created(1), #"{"gateway_seq":2,"type":"response.in_progress"}"#]),
        (.repeated, [session(), created(1), delta(1, 1, "x")]),
        (.repeated, [session(), created(1), delta(2, 1, "x"), delta(3, 1, "x")]),
        (.unknownResponse, [session(), delta(1, 0, "x")]),
        (.unknownResponse, [session(), created(1), delta(2, 1, "x", lane: 3)]),
        (.unknownResponse, [session(), created(1), terminal(2, 1, [], id: "q")]),
        (.unknownResponse, [session(), event(1, "response.created", 0, #""response":{}"#)]),
        (.unfinished, [session(), created(1), created(2, id: "q", message: "m2")]),
        (.afterComplete, [session(), created(1), terminal(2, 1, []), delta(3, 2, "late")]),
        (.afterComplete, [session(), created(1), terminal(2, 1, []), created(3)]),
        (.completedTwice, [session(), created(1), terminal(2, 1, []), terminal(3, 2, [])]),
        (
            .completedTwice,
            [session(), created(1), terminal(2, 1, [], status: "failed"), terminal(3, 2, [])]
        ),
        (.textHash, [session(), created(1), delta(2, 1, "a"), terminal(3, 2, ["b"])]),
        (.textHash, [session(), created(1), delta(2, 1, "a"), terminal(3, 2, [])]),
        (.textHash, [session(), created(1), delta(2, 1, "a"), done(3, 2, "ab")]),
        (.textHash, [session(), created(1), done(2, 1, "ab")]),
        (
            .textTooLong,
            [session(), created(1), delta(2, 1, String(repeating: "a", count: 1_001))]
        ),
        (.resumed, [session(), session()]),
    ]

    @Test("each broken promise is found", arguments: faults.indices)
    mutating func fault(_ number: Int) {
        let (expected, lines) = Self.faults[number]
        #expect(rule(lines) == expected)
    }

    @Test("where `output` is left empty, the closing events prove the text")
    mutating func emptyOutput() {
        let lines = [
            Self.session(), Self.created(1), Self.delta(2, 1, "a"), Self.done(3, 2, "a"),
            Self.terminal(4, 3, []),
        ]
        #expect(rule(lines) == nil)
    }

    @Test("a cancelled or failed response need not repeat what came of it")
    mutating func partial() {
        let verdicts = feed([
            Self.session(), Self.created(1), Self.delta(2, 1, "a"),
            Self.terminal(
                3, 2, [], status: "cancelled", type: "incomplete",
                more: #","incomplete_details":{"reason":"cancelled"}"#),
            #"{"type":"gateway.cancelled","response_id":"r","upstream_closed_us":70}"#,
            Self.created(4, id: "q", message: "m2"), Self.delta(5, 1, "b"),
            Self.terminal(
                6, 2, [], status: "failed", more: #","error":{"code":"upstream_truncated"}"#,
                id: "q"),
        ])
        guard case .completed(let cancelled) = verdicts[3],
            case .completed(let failed) = verdicts[7]
        else { return #expect(Bool(false)) }
        #expect(cancelled.status == "cancelled" && cancelled.reason == "cancelled")
        #expect(verdicts[4] == .cancelled(upstreamClosedMicroseconds: 70))
        #expect(failed.errorCode == "upstream_truncated")
    }

    @Test("a resumed stream goes on where it was")
    mutating func resume() {
        #expect(rule([Self.session(), Self.created(1), Self.delta(2, 1, "a")]) == nil)
        checker.connected()
        let rest = [
            Self.session(4, recovered: true), Self.delta(3, 2, "b"), Self.terminal(4, 3, ["ab"]),
        ]
        #expect(rule(rest) == nil)
    }

    @Test("a log that shrank, changed or is skipped over is no recovery")
    mutating func shrunk() {
        #expect(rule([Self.session(), Self.created(1), Self.delta(2, 1, "a")]) == nil)
        checker.connected()
        #expect(rule([Self.session(1, recovered: true)]) == .resumed)
        checker.connected()
        #expect(rule([Self.session(9, epoch: "f", recovered: true)]) == .resumed)
        checker.connected()
        #expect(rule([Self.session(9, recovered: true), Self.delta(4, 2, "c")]) == .gap)
    }

    @Test("a snapshot stands for what it says")
    mutating func snapshot() {
        _ = feed([Self.session(), Self.created(1), Self.delta(2, 1, "a")])
        let snapshot =
            #"{"type":"gateway.snapshot","through":9,"responses":[{"id":"r","status":"completed","output":[],"metadata":{}},{"id":"q","status":"completed","output":[],"metadata":{"millrace_message":"m2"}}]}"#
        let verdicts = feed([snapshot, Self.created(10, id: "p", message: "m3")])
        guard case .snapshot(let completed) = verdicts[0] else { return #expect(Bool(false)) }
        #expect(completed.map(\.message) == ["m1", "m2"])
        #expect(completed.allSatisfy { $0.deltas == nil })
        #expect(verdicts[1] == .started(message: "m3"))
        #expect(rule([#"{"type":"gateway.snapshot","through":3,"responses":[]}"#]) == .repeated)
    }

    @Test("refusals name the lane in which nothing began")
    mutating func refusals() {
        let error = #""status":429,"error":{"type":"requests","code":"rate_limit_exceeded"}"#
        let verdicts = feed([
            Self.session(), #"{"type":"error",\#(error)}"#,
            #"{"stream_id":"lane2","gateway_seq":1,"type":"error",\#(error)}"#,
            Self.created(2), Self.event(3, "error", 1, #""error":{"code":"server_error"}"#),
        ])
        #expect(
            verdicts.dropFirst() == [
                .refused(code: "rate_limit_exceeded", lane: 0),
                .refused(code: "rate_limit_exceeded", lane: 2), .started(message: "m1"), .event,
            ])
    }

    @Test("frames without a place in the log")
    mutating func notices() {
        let verdicts = feed([
            Self.session(), #"{"type":"gateway.future"}"#,
            #"{"type":"gateway.going_away","reconnect_after_ms":7}"#,
            #"{"type":"gateway.token","resume_token":"n"}"#, #"{"type":"gateway.cancelled"}"#,
        ])
        #expect(
            verdicts.dropFirst() == [
                .notice, .goingAway(afterMilliseconds: 7), .token("n"), .notice,
            ])
    }

    @Test("no server can stop the client with bytes", arguments: 0..<8 as Range<UInt64>)
    mutating func damaged(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let lines = [
            Self.session(), Self.created(1), Self.delta(2, 999_999_999_999_999_999, #"\ud83d"#),
            Self.delta(3, 2, "x", output: 999_999_999_999_999_999), Self.done(4, 3, "x"),
            Self.terminal(5, 4, ["x"]),
            #"{"type":"gateway.snapshot","through":1e300,"responses":[{"id":3}]}"#,
            #"{"type":"error","stream_id":"lane999999999999999999999","error":{"code":[]}}"#,
        ]
        for _ in 0..<3_000 {
            var bytes = Array(lines[Int(random.next() % UInt64(lines.count))].utf8)
            for _ in 0...(random.next() % 3) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.removeSubrange(place..<min(place + 3, bytes.count))
                default: bytes.insert(contentsOf: bytes.prefix(place), at: place)
                }
                if bytes.isEmpty { bytes = [0x7B] }
            }
            if random.chance(0.05) { checker.connected() }
            _ = checker.handle(bytes.span)
        }
        #expect(checker.lastSeq >= 0)
    }
}
