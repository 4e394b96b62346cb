import Testing

@testable import GatewayCore

@Suite("A session: cancel")
struct SessionCancelTests {
    /// How far a response is when it is cancelled.
    enum Stage: CaseIterable { case connecting, waiting, streaming }

    private static func script(at stage: Stage) -> SessionScript {
        var script = SessionScript()
        script.message("m1")
        if stage != .connecting { script.connected(0) }
        if stage == .streaming { script.says(0, "partial") }
        _ = script.took()
        return script
    }

    @Test(
        "by response, by message or without a name: closed at once, then one complete",
        arguments: Stage.allCases,
        [ClientCommand.CancelTarget.response("r0"), .message("m1"), .own])
    func cancels(stage: Stage, target: ClientCommand.CancelTarget) {
        var script = Self.script(at: stage)
        script.closesAtOnce = false
        script.cancel(target)
        #expect(script.took() == ["close 0"])
        script.says(0, "late")
        script.fails(0)
        script.cancel(target)
        script.ends(0)
        #expect(script.took() == [], "what is in flight is dropped")
        #expect(script.machine.isRunning)
        script.pass(.microseconds(250), ticks: false)
        script.closed(0)
        let bytes = stage == .streaming ? 7 : 0
        let sequence = stage == .streaming ? 4 : 3
        #expect(
            script.took() == [
                "\(sequence) complete r0 cancelled client bytes=\(bytes)", "ended r0 cancelled",
            ])
        #expect(script.event(sequence)?.integer("upstream_closed_us") == 250)
        #expect(script.summaries.first?.cancelToClose == .microseconds(250))
        script.closed(0)
        script.cancel(target)
        #expect(script.took() == [], "twice is as good as once")
    }

    @Test("from another connection, by name; without one only what is its own or nobody's")
    func otherConnection() {
        var script = SessionScript()
        script.attach(2)
        script.message("m1", from: 1)
        script.message("m2", from: 2)
        _ = script.took()
        script.cancel(.own, from: 2)
        #expect(script.took().first == "close 1")
        script.cancel(.response("r0"), from: 2)
        #expect(script.took().first == "close 0")
        script.message("m3", from: 1)
        script.detach(1)
        _ = script.took()
        script.cancel(.own, from: 2)
        #expect(script.took().first == "close 2", "its connection is gone")
    }

    @Test("ahead of its message: the response ends as soon as it begins, and upstream is not asked")
    func ahead() {
        var script = SessionScript()
        script.cancel(.message("m1"))
        script.cancel(.message("m1"))
        #expect(script.took() == [])
        script.message("m1")
        #expect(
            script.took() == [
                "1 message m1 Hello", "2 response r0 queued",
                "3 complete r0 cancelled client bytes=0", "ended r0 cancelled",
            ])
        script.message("m1")
        #expect(script.took() == ["c1: state r0 attached cancelled seq=1"])
        #expect(!script.machine.isRunning)
    }

    @Test("of cancels ahead only the newest 64 are remembered", arguments: [63, 64, 65])
    func manyAhead(count: Int) {
        var script = SessionScript()
        for number in 0..<count { script.cancel(.message("m\(number)")) }
        script.message("m0")
        let isForgotten = count > 64
        #expect(script.took().contains("open 0") == isForgotten)
    }

    @Test("of a finished response does nothing, of an unknown one is an error")
    func unknown() {
        var script = SessionScript()
        script.message("m1")
        script.ends(0)
        _ = script.took()
        script.cancel(.response("r0"))
        script.compact()
        script.cancel(.response("r0"))
        script.cancel(.message("m1"))
        script.cancel(.own)
        #expect(script.took() == [])
        script.cancel(.response("r_none"))
        #expect(script.took() == ["c1: error response_not_found"])
    }

    @Test("drain ends all that runs")
    func drain() {
        var script = SessionScript()
        script.message("m1")
        script.message("m2")
        _ = script.took()
        script.cancelAll(.draining)
        #expect(
            script.took() == [
                "close 0", "5 complete r0 cancelled draining bytes=0", "close 1",
                "6 complete r1 cancelled draining bytes=0", "ended r0 cancelled",
                "ended r1 cancelled",
            ])
    }

    @Test("what upstream cancelled was not the client")
    func byUpstream() {
        var script = SessionScript()
        script.message("m1")
        script.ends(0, "cancelled")
        #expect(script.took().dropLast().last == "3 complete r0 cancelled upstream bytes=0")
    }
}

@Suite("A session: limits")
struct SessionLimitTests {
    @Test("running responses of a session", arguments: [1, 2, 3])
    func perSession(limit: Int) {
        var script = SessionScript {
            $0.responsesPerSession = limit
            $0.responsesPerConnection = 9
        }
        script.attach(2)
        for number in 0..<3 {
            _ = script.took()
            script.message("m\(number)", from: 1 + number % 2)
            let isTaken = number < limit
            #expect(script.took().contains("open \(number)") == isTaken)
        }
        guard limit < 3 else { return }
        script.ends(0)
        script.message("m2")
        #expect(script.took().contains("open \(limit)"), "a refused id may be sent again")
    }

    @Test("running responses of one connection", arguments: [1, 2, 3])
    func perConnection(limit: Int) throws {
        var script = SessionScript {
            $0.responsesPerSession = 9
            $0.responsesPerConnection = limit
        }
        script.attach(2)
        for number in 0..<limit { script.message("m\(number)") }
        _ = script.took()
        script.message("more")
        #expect(script.took() == ["c1: error too_many_responses more"])
        script.message("more", from: 2)
        #expect(script.took().contains("open \(limit)"))
    }

    @Test(
        "an answer's bytes: what reaches the limit is taken, one byte more ends it",
        arguments: [-1, 0, 1])
    func responseBytes(difference: Int) throws {
        // What the entries before the last piece take, learned from a session without a limit.
        var free = SessionScript()
        free.message("m1")
        let message = free.machine.log.segments[0].storedBytes
        free.says(0, "0123456789")
        let limit = free.machine.log.storedBytes - message + 5

        var script = SessionScript { $0.responseBytes = limit }
        script.message("m1")
        script.says(0, "0123456789")
        _ = script.took()
        script.says(0, String(repeating: "x", count: 5 + difference))
        let took = script.took()
        if difference <= 0 {
            #expect(took.count == 1)
            #expect(script.machine.isRunning)
        } else {
            #expect(
                took == [
                    "close 0", "4 complete r0 failed bytes=10 error=response_too_large",
                    "ended r0 failed",
                ])
            let message = try #require(script.event(4)?.frame("error")?.text("message"))
            #expect(message == "the answer exceeds \(limit) bytes (limits.response_bytes)")
        }
    }

    @Test("an answer's events", arguments: [2, 3, 4])
    func responseEvents(limit: Int) {
        var script = SessionScript { $0.responseEvents = limit }
        script.message("m1")
        script.says(0, "a", "b", "c")
        let isOver = limit < 3
        #expect(script.took().contains("close 0") == isOver)
        #expect(script.machine.isRunning != isOver)
    }

    @Test("an answer of nothing but news is bounded like any other")
    func endlessNews() {
        var script = SessionScript { $0.responseBytes = 50_000 }
        script.message("m1")
        for number in 0..<1000 where script.machine.isRunning {
            script.upstream(
                0,
                #""type":"response.web_search_call.\#(number % 2 == 0 ? "searching" : "in_progress")","output_index":0"#
            )
        }
        #expect(!script.machine.isRunning)
        #expect(script.machine.log.storedBytes < 55_000)
        script.message("m2")
        for number in 0..<1000 where script.machine.isRunning {
            script.says(1, "x", index: number % 2)
        }
        #expect(!script.machine.isRunning, "a run a letter takes far more than its text")
    }

    @Test("message ids: the oldest finished one is forgotten first", arguments: [1, 2, 3])
    func messagesPerSession(limit: Int) {
        var script = SessionScript { $0.messagesPerSession = limit }
        for number in 0..<3 {
            script.message("m\(number)")
            script.ends(number)
        }
        #expect(script.machine.messages.count == limit)
        _ = script.took()
        script.message("m2")
        #expect(script.took() == ["c1: state r2 attached completed seq=7"])
        script.message("m0")
        #expect(script.took().contains("open 3") == (limit < 3))
    }

    @Test("the id of a running response is not forgotten: its repetition would be billed again")
    func runningIsRemembered() {
        var script = SessionScript { $0.messagesPerSession = 1 }
        script.message("m0")
        script.message("m1")
        script.message("m2")
        _ = script.took()
        script.message("m0")
        #expect(script.took() == ["c1: state r0 attached queued seq=1"])
    }
}

@Suite("A session: time")
struct SessionTimeTests {
    @Test(
        "nobody came back within the resume window: cancelled as abandoned", arguments: [-1, 0, 1])
    func abandoned(difference: Int) {
        var script = SessionScript { $0.resumeWindow = .seconds(10) }
        script.message("m1")
        script.says(0, "x")
        script.pass(.seconds(100))
        #expect(script.untilDeadline == nil, "somebody is there")
        script.detach(1)
        #expect(script.untilDeadline == .seconds(10))
        _ = script.took()
        script.pass(.seconds(10) + .nanoseconds(difference))
        let isOver = difference >= 0
        #expect(
            script.took()
                == (isOver
                    ? [
                        "close 0", "4 complete r0 cancelled abandoned bytes=1",
                        "ended r0 cancelled",
                    ]
                    : []))
    }

    @Test("who comes back in time stops the clock, and leaving again starts it anew")
    func cameBack() {
        var script = SessionScript { $0.resumeWindow = .seconds(10) }
        script.message("m1")
        script.detach(1)
        script.pass(.seconds(9))
        script.attach(2)
        #expect(script.untilDeadline == nil)
        script.pass(.seconds(60))
        script.detach(2)
        script.pass(.seconds(9))
        #expect(script.machine.isRunning)
        script.detach(2)  // It left already: that changes nothing.
        script.pass(.seconds(1))
        #expect(!script.machine.isRunning)
    }

    @Test("while its transfer is being closed an abandoned response sets no timer")
    func closingTakesTime() {
        var script = SessionScript { $0.resumeWindow = .seconds(10) }
        script.closesAtOnce = false
        script.message("m1")
        script.detach(1)
        script.pass(.seconds(10))
        #expect(script.took().last == "close 0")
        #expect(script.untilDeadline == nil)
        script.pass(.seconds(1))
        #expect(script.took() == [])
        script.closed(0)
        #expect(script.untilDeadline == .seconds(300), "now it is to be compacted")
    }

    @Test("under the policy to proceed a response goes on without anybody")
    func proceed() {
        var script = SessionScript {
            $0.resumeWindow = .seconds(10)
            $0.abandonPolicy = .proceed
        }
        script.message("m1")
        script.detach(1)
        #expect(script.untilDeadline == nil)
        script.pass(.seconds(5000))
        script.says(0, "x")
        script.ends(0)
        #expect(script.took().suffix(2).first == "4 complete r0 completed bytes=1")
    }

    @Test("a session ends when nobody is there and nothing runs for its retention")
    func expiry() {
        var script = SessionScript { $0.sessionRetention = .seconds(100) }
        script.detach(1)
        #expect(script.untilDeadline == .seconds(100))
        script.pass(.seconds(100) - .nanoseconds(1))
        #expect(script.took() == [])
        script.pass(.nanoseconds(1))
        #expect(script.took() == ["expire"])
        #expect(script.untilDeadline == nil)
        script.pass(.seconds(1))
        #expect(script.took() == [], "once")
    }

    @Test("the retention counts from the last response's end, compacted or not")
    func expiryAfterEnd() {
        var script = SessionScript {
            $0.abandonPolicy = .proceed
            $0.retention = .seconds(10)
            $0.sessionRetention = .seconds(100)
        }
        script.message("m1")
        script.detach(1)
        script.pass(.seconds(500))
        script.ends(0)
        _ = script.took()
        script.pass(.seconds(10))
        #expect(script.machine.responses.isEmpty, "compacted")
        #expect(script.untilDeadline == .seconds(90))
        script.pass(.seconds(90))
        #expect(script.took() == ["expire"])
    }

    @Test("no state of a session leaves a timer with nothing to do", arguments: 1...200)
    func neverSpins(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var script = SessionScript {
            $0.retention = .seconds(Int.random(in: 0...40, using: &random))
            $0.sessionRetention = .seconds(Int.random(in: 0...40, using: &random))
            $0.resumeWindow = .seconds(Int.random(in: 0...40, using: &random))
            $0.abandonPolicy = Bool.random(using: &random) ? .cancel : .proceed
            $0.responsesPerSession = 3
        }
        script.closesAtOnce = Bool.random(using: &random)
        for step in 0..<120 {
            let number = max(0, script.machine.nextNumber - Int.random(in: 1...3, using: &random))
            switch Int.random(in: 0..<9, using: &random) {
            case 0: script.attach(Int.random(in: 1...3, using: &random))
            case 1: script.detach(Int.random(in: 1...3, using: &random))
            case 2: script.message("m\(step)")
            case 3: script.says(number, "x")
            case 4: script.ends(number)
            case 5: script.cancel(.own)
            case 6: script.closed(number)
            case 7: if let rest = script.untilDeadline, rest > .zero { script.pass(rest) }
            default: script.pass(.milliseconds(Int.random(in: 0...20_000, using: &random)))
            }
            script.tick()
            if script.took().contains("expire") { return }
        }
    }
}

@Suite("A session: compaction and snapshots")
struct SessionSnapshotTests {
    @Test(
        "a finished response is compacted when its events have been kept long enough",
        arguments: [-1, 0, 1])
    func retention(difference: Int) {
        var script = SessionScript { $0.retention = .seconds(10) }
        script.message("m1")
        script.says(0, "x")
        script.ends(0)
        #expect(script.untilDeadline == .seconds(10))
        script.pass(.seconds(10) + .nanoseconds(difference))
        let isCompacted = difference >= 0
        #expect(script.machine.log.compactedThrough == (isCompacted ? 4 : 0))
        #expect(script.machine.needsSnapshot(at: 3) == isCompacted)
        #expect(!script.machine.needsSnapshot(at: 4))
        #expect(script.machine.log.bytes(after: 0) >= 0)
    }

    @Test("responses side by side: each goes at its own time, whichever began first")
    func sideBySide() {
        var script = SessionScript { $0.retention = .seconds(10) }
        script.message("m1")
        script.message("m2")
        script.says(0, "a")
        script.says(1, "b")
        script.pass(.seconds(1))
        script.ends(1)  // 7
        script.pass(.seconds(1))
        script.says(0, "c")  // 8
        script.ends(0)  // 9
        script.pass(.seconds(9))
        #expect(script.machine.log.compactedThrough == 7)
        #expect(script.events(after: 7).map(\.type) == ["delta", "complete"])
        #expect(script.untilDeadline == .seconds(1))
        #expect(
            script.snapshot?.frames("responses").map { $0.text("response") } == ["r0", "r1"],
            "in the order of their messages")
        script.pass(.seconds(1))
        #expect(script.machine.log.compactedThrough == 9)
        #expect(script.machine.log.storedBytes == 0)
        #expect(script.snapshot?.frames("responses").map { $0.text("response") } == ["r0", "r1"])
    }

    @Test("a response that never ends does not keep the others from being compacted")
    func besideALongOne() {
        var script = SessionScript {
            $0.sessionBytes = 60_000
            $0.responseBytes = 40_000
        }
        script.message("long")
        script.says(0, "begin")
        for number in 1...100 {
            script.message("m\(number)")
            script.says(number, String(repeating: "x", count: 1000))
            script.says(0, ".")
            script.ends(number)
            #expect(script.machine.log.storedBytes + script.machine.archivedBytes <= 60_000)
        }
        script.says(0, "end")
        script.ends(0)
        let text = "begin" + String(repeating: ".", count: 100) + "end"
        let complete = script.event(script.machine.log.lastSequence)
        #expect(
            complete?.text("text_sha256") == String(SHA256.hex(Array(text.utf8)).prefix(8)),
            "compaction around it has not touched its text")
        #expect(script.snapshot?.raw("truncated") == Array("true".utf8))
    }

    @Test("by bytes: what ended first goes first, only as much as needed")
    func byBytes() {
        var script = SessionScript { $0.sessionBytes = 32_000 }
        let text = String(repeating: "x", count: 3000)
        for number in 0..<5 {
            #expect(script.machine.log.compactedThrough == 0, "\(number)")
            script.message("m\(number)")
            script.says(number, text)
            script.said(number, text)
            script.ends(number)
        }
        #expect(script.machine.log.compactedThrough == 10, "two of five, for each leaves its item")
        #expect(script.machine.log.storedBytes + script.machine.archivedBytes <= 32_000)
    }

    @Test("a chat at its limit forgets its oldest rather than what has ended just now")
    func sparesTheNewest() {
        var script = SessionScript { $0.sessionBytes = 30_000 }
        for number in 0..<40 {
            script.message("m\(number)")
            script.says(number, String(repeating: "x", count: 2000))
            script.ends(number)
            let end = script.machine.log.lastSequence
            #expect(!script.machine.needsSnapshot(at: end - 1), "\(number)")
        }
        #expect(script.snapshot?.raw("truncated") == Array("true".utf8))
    }

    @Test("a snapshot holds a finished response whole")
    func finished() {
        var script = SessionScript()
        script.message("m1")
        script.begins(0)
        script.says(0, "Hel", "lo")
        script.said(0, "Hello")
        script.ends(0)
        let complete = script.event(7)?.line ?? ""
        let item =
            #"{"type":"message","id":"msg_0_0","role":"assistant","content":[{"type":"output_text","text":"Hello"}]}"#
        let expected =
            #"{"type":"snapshot","through":7,"truncated":false,"responses":[{"response":"r0","message":"m1","input":"Hello","model":"m","status":"completed","items":[{"index":0,"item":\#(item)}],"partial":[],"complete":\#(complete)}]}"#
        #expect(script.snapshot?.line == expected)
        script.compact()
        script.compact(expecting: false)
        #expect(script.snapshot?.line == expected, "the same before and after")
    }

    @Test("a snapshot holds what has streamed of a running response, texts apart and in order")
    func running() {
        var script = SessionScript { $0.echoBytes = 5 }
        script.message("m1")
        script.upstream(
            0,
            #""type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"hm""#
        )
        script.says(0, "Hel", index: 1)
        script.says(0, "x", index: 2)
        script.says(0, "lo", #"\ud83d"#, index: 1)
        script.said(0, "x", index: 2)
        #expect(
            script.snapshot?.frames("responses").first?.line
                == #"{"response":"r0","message":"m1","input_bytes":7,"status":"in_progress","items":[{"index":2,"item":{"type":"message","id":"msg_0_2","role":"assistant","content":[{"type":"output_text","text":"x"}]}}],"partial":[{"index":0,"part":1,"kind":"reasoning_summary","text":"hm"},{"index":1,"kind":"text","text":"Hello\ud83d"}]}"#
        )
    }

    @Test("a snapshot holds open tools, with arguments or without")
    func openTools() {
        var script = SessionScript()
        script.message("m1")
        script.upstream(
            0,
            #""type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"c","name":"f"}"#,
            #""type":"response.output_item.added","output_index":1,"item":{"type":"web_search_call","id":"w"}"#,
            #""type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc","delta":"{\"a\"""#,
            #""type":"response.web_search_call.searching","output_index":1,"item_id":"w""#,
            #""type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc","delta":":1""#
        )
        let partial = script.snapshot?.frames("responses").first?.frames("partial") ?? []
        #expect(partial.map { $0.text("kind") } == ["tool", "tool"])
        #expect(partial.map { $0.text("text") } == [#"{"a":1"#, ""])
        #expect(partial.map { $0.frame("tool")?.text("status") } == ["in_progress", "searching"])
        #expect(partial.first?.frame("tool")?.text("call_id") == "c")
        script.fails(0)
        let closed = script.snapshot?.frames("responses").first?.frames("partial") ?? []
        #expect(closed.map { $0.frame("tool")?.text("status") } == ["incomplete", "incomplete"])
    }

    @Test(
        "summaries up to their limit are kept, and the newest one beyond it",
        arguments: [-1, 0, 1])
    func summaries(difference: Int) {
        func script(_ summaryBytes: Int) -> SessionScript {
            var script = SessionScript {
                $0.retention = .zero
                $0.summaryBytes = summaryBytes
            }
            for number in 0..<3 {
                script.message("m\(number)")
                script.said(number, "x")
                script.ends(number)
                script.pass(.seconds(1))
            }
            return script
        }
        let all = script(1 << 20)
        #expect(all.machine.archive.count == 3)
        #expect(all.snapshot?.raw("truncated") == Array("false".utf8))
        let three = all.machine.archivedBytes
        let limited = script(three + difference)
        #expect(limited.machine.archive.count == (difference < 0 ? 2 : 3))
        #expect(limited.snapshot?.raw("truncated") == Array("\(difference < 0)".utf8))
        #expect(
            limited.machine.archivedBytes
                == limited.machine.archive.reduce(0) { $0 + $1.storedBytes })
        let newest = script(0)
        #expect(
            newest.snapshot?.frames("responses").map { $0.text("response") } == ["r2"],
            "whoever was away for the last answer gets it")
    }

    @Test("no summary is forgotten that a reader has not come to", arguments: [-1, 0, 1])
    func unreadSummaries(difference: Int) {
        var script = SessionScript {
            $0.retention = .zero
            $0.summaryBytes = 0
        }
        func answer(_ number: Int) {
            script.message("m\(number)")
            script.said(number, "x")
            script.ends(number)
            script.pass(.seconds(1))
        }
        script.flow(0, lowest: 0)
        for number in 0..<3 { answer(number) }
        #expect(script.machine.archive.count == 3)
        let first = script.machine.archive[0].lastSequence
        script.flow(first, lowest: first + difference)
        answer(3)
        #expect(script.machine.archive.first?.number == (difference < 0 ? 0 : 1))
    }

    @Test("the oldest are forgotten when even snapshots are too much, and the snapshot says so")
    func truncated() {
        var script = SessionScript { $0.sessionBytes = 5000 }
        for number in 0..<4 {
            script.message("m\(number)")
            script.said(number, String(repeating: "x", count: 2000))
            script.ends(number)
            #expect(script.machine.log.storedBytes + script.machine.archivedBytes <= 5000)
        }
        let snapshot = script.snapshot
        #expect(snapshot?.raw("truncated") == Array("true".utf8))
        #expect(snapshot?.frames("responses").last?.text("response") == "r3")
        #expect(snapshot?.integer("through") == script.machine.log.lastSequence)
    }
}

@Suite("A session: readers and backpressure")
struct SessionFlowTests {
    private static func script(
        _ policy: SessionSettings.AbandonPolicy = .cancel
    ) -> SessionScript {
        var script = SessionScript {
            $0.highWatermarkBytes = 100
            $0.lowWatermarkBytes = 40
            $0.abandonPolicy = policy
        }
        script.message("m1")
        script.flow(2)
        _ = script.took()
        return script
    }

    @Test("above the high watermark upstream is paused, at the low one it goes on")
    func watermarks() {
        var script = Self.script()
        script.says(0, String(repeating: "x", count: 100))  // 3
        script.flow(2)
        #expect(script.took().count == 1, "as much as the watermark is not above it")
        script.says(0, "y")  // 4
        script.flow(2)
        #expect(script.took().dropFirst() == ["pause", "all: state r0 paused"])
        script.flow(2)
        #expect(script.took() == [], "once")
        script.says(0, String(repeating: "z", count: 41))  // 5
        _ = script.took()
        script.flow(4)
        #expect(script.took() == [], "41 bytes are above the low watermark")
        script.says(0, "z")
        script.flow(5)
        #expect(script.took().last == "resume")
    }

    @Test("a response that begins while the others are paused is paused with its first event")
    func beginsWhilePaused() {
        var script = Self.script()
        script.says(0, String(repeating: "x", count: 101))
        script.flow(2)
        script.message("m2")
        _ = script.took()
        script.connected(1)
        script.begins(1)
        #expect(
            script.took() == [
                "all: state r1 waiting since_ms=0", "6 response r1 in_progress model=m", "pause",
            ])
        script.says(1, "a")
        #expect(script.took().count == 1)
        script.flow(99)
        #expect(script.took() == ["resume"])
    }

    @Test(
        "without readers: unread counts under the policy to cancel, not under that to proceed",
        arguments: [SessionSettings.AbandonPolicy.cancel, .proceed])
    func withoutReaders(policy: SessionSettings.AbandonPolicy) {
        var script = Self.script(policy)
        script.detach(1)
        script.says(0, String(repeating: "x", count: 500))
        script.flow(2)
        #expect(script.took().contains("pause") == (policy == .cancel))
    }

    @Test("when the last reader leaves, a paused response may proceed where the policy says so")
    func leavesWhilePaused() {
        var script = Self.script(.proceed)
        script.says(0, String(repeating: "x", count: 500))
        script.flow(2)
        script.detach(1)
        _ = script.took()
        script.flow(2)
        #expect(script.took() == ["resume"])
    }

    @Test("nothing that runs, nothing to pause; compaction sets the readers free")
    func compaction() {
        var script = Self.script()
        script.says(0, String(repeating: "x", count: 500))
        script.flow(2)
        script.ends(0)
        script.compact()
        _ = script.took()
        script.flow(2)
        #expect(script.took() == ["resume"])
        script.flow(0)
        #expect(script.took() == [])
    }

    @Test("who attaches is told what running responses wait for")
    func attach() {
        var script = SessionScript()
        script.message("m1")
        script.message("m2")
        script.message("m3")
        script.connected(1)
        script.says(2, "x")
        _ = script.took()
        script.pass(.milliseconds(7), ticks: false)
        script.attach(2)
        #expect(
            script.took() == [
                "c2: state r0 connecting since_ms=7", "c2: state r1 waiting since_ms=7",
            ])
        script.silent(2)
        #expect(script.took() == ["all: state r2 upstream_silent since_ms=7"])
    }

    @Test("storms of arrivals and departures leave nothing behind")
    func storm() {
        var script = SessionScript()
        script.message("m1")
        for round in 0..<1000 {
            script.attach(2 + round)
            script.attach(2 + round)
            script.detach(1 + round)
        }
        #expect(script.machine.connections == [SessionScript.connection(1001)])
        #expect(script.untilDeadline == nil)
        script.detach(1001)
        #expect(script.untilDeadline == .seconds(120))
    }
}
