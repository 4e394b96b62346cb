import LoadClient
import Testing

@Suite("What a stream of millrace.v1 promises")
struct NativeStreamCheckerTests {
    private var checker = NativeStreamChecker(maximumResponseBytes: 1_000, sha256: Digest.sha256)

    static let ready =
        #"{"type":"ready","session":"s","epoch":"e","seq":0,"resume_token":"t","recovered":false}"#
    static let began = [
        #"{"type":"message","seq":1,"id":"m1","input":"x"}"#,
        #"{"type":"response","seq":2,"response":"r","message":"m1","status":"in_progress"}"#,
    ]

    static func delta(_ seq: Int, _ text: String, from: Int? = nil, index: Int = 0) -> String {
        let range = from.map { #""from":\#($0),"# } ?? ""
        return
            #"{"type":"delta",\#(range)"seq":\#(seq),"response":"r","index":\#(index),"kind":"text","text":"\#(text)"}"#
    }

    static func complete(_ seq: Int, _ text: String, status: String = "completed") -> String {
        let hash = Hexadecimal.encode(Digest.sha256(Array(text.utf8)))
        return
            #"{"type":"complete","seq":\#(seq),"response":"r","message":"m1","status":"\#(status)","text_sha256":"\#(hash)","text_bytes":\#(text.utf8.count)}"#
    }

    /// The finished message at `index`, whose text is in `parts`.
    static func item(_ seq: Int, _ parts: [String], index: Int = 0) -> String {
        let content = parts.map { #"{"annotations":[],"type":"output_text","text":"\#($0)"}"# }
        return
            #"{"type":"item","seq":\#(seq),"response":"r","index":\#(index),"item":{"type":"message","content":[\#(content.joined(separator: ","))]}}"#
    }

    /// `line` without its member `key`, or with another string for it.
    static func without(_ key: String, _ line: String, instead: String? = nil) -> String {
        let member = instead.map { "\"\(key)\":\"\($0)\"," } ?? ""
        return line.replacing(#/"(\w+)":"[^"]*",/#) { match in
            match.1 == key ? member : String(match.0)
        }
    }

    /// A snapshot of one response that ended with `end` and said "done".
    static func snapshot(of end: String) -> String {
        """
        {"type":"snapshot","through":3,"truncated":false,"responses":[{"response":"r","message":"m1",\
        "status":"completed","items":[{"index":0,"item":{"type":"message","content":[{"type":\
        "output_text","text":"done"}]}}],"partial":[],"complete":\(end)}]}
        """
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
        let verdicts = feed(
            [Self.ready] + Self.began
                + [
                    Self.delta(3, "Hel"), Self.delta(6, "lo, wor", from: 4), Self.delta(7, "ld"),
                    Self.complete(8, "Hello, world"),
                ])
        #expect(verdicts[1] == .message(id: "m1"))
        #expect(verdicts[2] == .started(message: "m1"))
        guard case .delta(let merged) = verdicts[4] else { return #expect(Bool(false)) }
        #expect(merged.events == 3)
        guard case .completed(let completion) = verdicts[6] else { return #expect(Bool(false)) }
        #expect(completion.deltas == 5)
        #expect(completion.status == "completed")
        #expect(checker.lastSeq == 8)
    }

    @Test("text is joined by output index before it is hashed, other kinds are not")
    mutating func byIndex() {
        let reasoning =
            #"{"type":"delta","seq":5,"response":"r","index":2,"kind":"reasoning","text":"no"}"#
        let lines =
            [Self.ready] + Self.began
            + [
                Self.delta(3, "b", index: 1), Self.delta(4, "a"), reasoning,
                Self.delta(6, "c", index: 1), Self.complete(7, "abc"),
            ]
        #expect(rule(lines) == nil)
    }

    @Test("a surrogate pair may be split between two deltas")
    mutating func splitPair() {
        let lines =
            [Self.ready] + Self.began
            + [Self.delta(3, #"\ud83d"#), Self.delta(4, #"\ude00\n"#), Self.complete(5, "😀\n")]
        #expect(rule(lines) == nil)
    }

    @Test("a finished item may write its text with other escapes")
    mutating func sameItem() {
        let call =
            #"{"type":"item","seq":8,"response":"r","index":3,"item":{"type":"function_call","name":"f"}}"#
        let lines =
            [Self.ready] + Self.began
            + [
                Self.delta(3, #"\u00e9\ud83d"#), Self.delta(4, #"\ude00"#),
                Self.item(5, [#"é"#, #"😀"#]), Self.delta(6, "x", index: 2),
                Self.item(7, ["x"], index: 2), call, Self.complete(9, "é😀x"),
            ]
        #expect(rule(lines) == nil)
    }

    @Test("parts of an item may come in any order")
    mutating func partsInAnyOrder() {
        let lines =
            [Self.ready] + Self.began
            + [
                Self.delta(3, "begin"), Self.delta(4, "second part"), Self.delta(5, "ning"),
                Self.item(6, ["beginning", "second part"]),
                Self.complete(7, "beginsecond partning"),
            ]
        #expect(rule(lines) == nil)
    }

    static let faults: [(Violation.Rule, [String])] = [
        (.beforeReady, began),
        (.notJSON, [ready, "{\"type\":"]),
        (.gap, [ready, began[1]]),
        (.gap, [ready] + began + [delta(5, "x", from: 4)]),
        (.repeated, [ready, began[0], began[0]]),
        (.repeated, [ready] + began + [delta(3, "a"), delta(4, "b", from: 3)]),
        (.repeated, [ready] + began + [began[0].replacing(#""seq":1"#, with: #""seq":3"#)]),
        (.repeated, [ready] + began + [delta(3, "a"), item(4, ["a"]), item(5, ["a"])]),
        (.unknownResponse, [ready, #"{"type":"tool","seq":1,"response":"z"}"#]),
        (.afterComplete, [ready] + began + [complete(3, ""), delta(4, "late")]),
        (.completedTwice, [ready] + began + [complete(3, ""), complete(4, "")]),
        (
            .completedTwice,
            [ready] + began + [
                complete(3, ""), #"{"type":"response","seq":4,"response":"r2","message":"m1"}"#,
            ]
        ),
        (.textHash, [ready] + began + [delta(3, "a"), complete(4, "b")]),
        (.textHash, [ready] + began + [delta(3, "a"), item(4, ["b"])]),
        (.textHash, [ready] + began + [delta(3, "a"), item(4, ["a", "b"])]),
        (.textHash, [ready] + began + [delta(3, "a"), item(4, ["a"], index: 1)]),
        (
            .textHash,
            [ready] + began + [#"{"type":"complete","seq":3,"response":"r","status":"completed"}"#]
        ),
        (.malformed, [ready, #"{"seq":1,"id":"m1","input":"x"}"#]),
        (.malformed, [#"{"session":"s","epoch":"e","seq":0}"#]),
        (.malformed, [ready, #"{"type":7}"#]),
        (.malformed, [ready] + began + [complete(3, "", status: "complete")]),
        (.malformed, [ready] + began + [without("status", complete(3, ""))]),
        (.malformed, [ready] + began + [without("message", complete(3, ""))]),
        (.malformed, [ready] + began + [without("message", complete(3, ""), instead: "m2")]),
        (.malformed, [ready, snapshot(of: without("message", complete(3, "done")))]),
        (.malformed, [ready, snapshot(of: complete(3, "done", status: "done"))]),
        (.textTooLong, [ready] + began + [delta(3, String(repeating: "a", count: 1_001))]),
        (.resumed, [ready, ready]),
    ]

    @Test("each broken promise is found", arguments: faults.indices)
    mutating func fault(_ number: Int) {
        let (expected, lines) = Self.faults[number]
        #expect(rule(lines) == expected)
    }

    @Test("a resumed stream goes on where it was")
    mutating func resume() {
        let again =
            #"{"type":"ready","session":"s","epoch":"e","seq":4,"resume_token":"u","recovered":true}"#
        #expect(rule([Self.ready] + Self.began + [Self.delta(3, "a")]) == nil)
        checker.connected()
        #expect(rule([again, Self.delta(4, "b"), Self.complete(5, "ab")]) == nil)
    }

    @Test("a log that shrank or changed is no recovery")
    mutating func shrunk() {
        let again =
            #"{"type":"ready","session":"s","epoch":"f","seq":4,"resume_token":"u","recovered":true}"#
        #expect(rule([Self.ready] + Self.began) == nil)
        checker.connected()
        #expect(rule([again]) == .resumed)
    }

    @Test("a snapshot stands for what it says")
    mutating func snapshot() {
        let end = Self.without("message", Self.complete(3, "done"), instead: "m0")
        let snapshot = """
            {"type":"snapshot","through":6,"truncated":false,"responses":[{"response":"q","message":"m0",\
            "status":"completed","items":[{"index":0,"item":{"type":"message","content":[{"type":\
            "output_text","text":"done"}]}}],"partial":[],"complete":\(end)},{"response":"r","message":\
            "m1","status":"in_progress","items":[],"partial":[{"index":0,"kind":"text","text":"H\\ud83d"}]}]}
            """
        let verdicts = feed([Self.ready, snapshot])
        guard case .snapshot(let completed) = verdicts[1] else { return #expect(Bool(false)) }
        #expect(completed.map(\.message) == ["m0"])
        #expect(rule([Self.delta(7, #"\ude00"#), Self.complete(8, "H😀")]) == nil)
    }

    @Test("frames without a place in the log")
    mutating func notices() {
        let verdicts = feed([
            Self.ready, #"{"type":"pong"}"#, #"{"type":"state","state":"waiting"}"#,
            #"{"type":"state","state":"attached","message":"m1","seq":106}"#, #"{"type":"future"}"#,
            #"{"type":"going_away","reconnect_after_ms":7}"#,
            #"{"type":"token","resume_token":"n"}"#,
            #"{"type":"error","code":"rate_limited","message":"slow","message_id":"m7"}"#,
        ])
        #expect(
            verdicts.dropFirst() == [
                .notice, .notice, .attached(message: "m1"), .notice,
                .goingAway(afterMilliseconds: 7), .token("n"),
                .error(code: "rate_limited", message: "m7"),
            ])
    }

    @Test("no server can stop the client with bytes", arguments: 0..<8 as Range<UInt64>)
    mutating func damaged(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let snapshot =
            #"{"type":"snapshot","through":1e300,"responses":[{"partial":[{"index":1e99,"kind":"text"}]}]}"#
        let lines =
            [Self.ready] + Self.began
            + [
                Self.delta(3, #"\ud83d"#), Self.complete(4, "x"), snapshot,
                #"{"type":"going_away","reconnect_after_ms":999999999999999999}"#,
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
            DeliveryTimestamps.forEach(in: bytes.span) { _ in }
        }
        #expect(checker.lastSeq >= 0)
    }
}
