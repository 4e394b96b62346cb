import Testing

@testable import GatewayCore

@Suite("A session: messages and what comes of them")
struct SessionMessageTests {
    @Test("a message becomes events, one after the other, and one complete")
    func wholeConversation() throws {
        var script = SessionScript()
        script.message("m1", options: [("model", "\"gpt\"")])
        #expect(
            script.took() == [
                "1 message m1 Hello", "2 response r0 queued model=gpt", "open 0",
                "all: state r0 connecting",
            ])
        script.pass(.milliseconds(5), ticks: false)
        script.connected(0)
        #expect(script.took() == ["all: state r0 waiting since_ms=5"])
        script.pass(.milliseconds(10), ticks: false)
        script.begins(0, model: "gpt-1")
        script.pass(.milliseconds(10), ticks: false)
        script.says(0, "Hel", "lo")
        script.said(0, "Hello")
        script.pass(.milliseconds(10), ticks: false)
        script.ends(0)
        #expect(
            script.took() == [
                "3 response r0 in_progress model=gpt-1", "4 delta r0 0 text Hel",
                "5 delta r0 0 text lo",
                #"6 item r0 0 {"type":"message","id":"msg_0_0","role":"assistant","content":[{"type":"output_text","text":"Hello"}]}"#,
                "7 complete r0 completed bytes=5", "ended r0 completed",
            ])
        let digest = SHA256.hex(Array("Hello".utf8)).prefix(8)
        #expect(
            script.event(7)?.line
                == #"{"type":"complete","seq":7,"response":"r0","message":"m1","status":"completed","usage":{"total_tokens":3},"timing":{"total_ms":35,"first_event_ms":15,"first_text_ms":25},"text_sha256":"\#(digest)","text_bytes":5,"upstream_response":"resp_0"}"#
        )
        let summary = try #require(script.summaries.first)
        #expect(summary.firstText == .milliseconds(25))
        #expect(summary.total == .milliseconds(35))
        #expect(summary.textBytes == 5)
        #expect(summary.model == "gpt-1")
        #expect(summary.upstreamID == "resp_0")
        #expect(!script.machine.isRunning)
        #expect(script.machine.runningResponses.isEmpty)
    }

    @Test(
        "of offered models one is taken; another, or none that is a name, is refused and changes nothing"
    )
    func offeredModels() throws {
        var requests = UpstreamRequestBuilder()
        requests.models = OfferedModels(["gpt", "o/1"])
        requests.defaults = [RequestOption(name: "model", value: Array("\"gpt\"".utf8))]
        var script = SessionScript(requests: requests)
        for (number, model) in ["\"gpt-5\"", "\"\"", "null", "7", "[\"gpt\"]"].enumerated() {
            script.message("x\(number)", options: [("model", model)])
            #expect(script.took() == ["c1: error model_not_allowed x\(number)"])
        }
        #expect(script.machine.log.lastSequence == 0)
        script.message("m1")
        #expect(script.took()[1] == "2 response r0 queued model=gpt")
        script.ends(0)
        // An id that was refused is free; escapes are read before names are compared.
        script.message("x0", options: [("model", "\"o\\/\\u0031\"")])
        #expect(script.requests[1]?.contains("\"model\":\"o\\/\\u0031\"") == true)
        // A repetition attaches, whatever its options say.
        script.ends(1)
        _ = script.took()
        script.message("m1", options: [("model", "\"gpt-5\"")])
        #expect(script.took().allSatisfy { !$0.contains("model_not_allowed") })
        #expect(OfferedModels().refused(Array("\"any\"".utf8)) == nil)
        #expect(
            requests.models.refused(Array("\"\(String(repeating: "é", count: 99))\"".utf8))?.count
                == 64)
    }

    @Test("nothing follows a complete, whatever upstream goes on to say or the client to ask")
    func nothingFollows() {
        var script = SessionScript()
        script.message("m1")
        script.says(0, "a")
        script.ends(0)
        let end = script.machine.log.lastSequence
        _ = script.took()
        script.fails(0)
        script.closed(0)
        script.connected(0)
        script.silent(0)
        script.cancel(.response("r0"))
        script.cancel(.message("m1"))
        script.cancel(.own)
        script.cancelAll(.draining)
        // A late delta, past the reducer.
        let data = Array("late".utf8)
        var actions: [SessionAction] = []
        script.machine.upstream(
            0, .delta(index: 0, kind: .text, part: 0, text: 0..<4), data: data.span,
            now: script.now, actions: &actions)
        script.machine.upstream(
            0, .finished(ResponseEnd(status: .failed)), data: data.span, now: script.now,
            actions: &actions)
        #expect(actions.isEmpty)
        #expect(script.took() == [])
        #expect(script.machine.log.lastSequence == end)
    }

    @Test("a repeated id attaches, from the same connection and from another, and starts nothing")
    func repeatedMessage() {
        var script = SessionScript()
        script.message("m1")
        _ = script.took()
        script.message("m1")
        #expect(script.took() == ["c1: state r0 attached queued seq=1"])
        script.attach(2)
        #expect(script.took() == ["c2: state r0 connecting since_ms=0"])
        script.says(0, "x")
        _ = script.took()
        script.message("m1", from: 2)
        #expect(script.took() == ["c2: state r0 attached in_progress seq=1"])
        script.ends(0)
        _ = script.took()
        script.message("m1", from: 2)
        #expect(script.took() == ["c2: state r0 attached completed seq=1"])
    }

    @Test(
        "a repeated id of a compacted response still tells how it ended",
        arguments: [
            "completed", "incomplete", "failed", "cancelled",
        ])
    func repeatedAfterCompaction(status: String) {
        var script = SessionScript()
        script.message("m1")
        script.says(0, "x")
        if status == "cancelled" { script.cancel(.own) } else { script.ends(0, status) }
        script.compact()
        _ = script.took()
        script.message("m1")
        #expect(script.took() == ["c1: state r0 attached \(status) seq=1"])
    }

    @Test("a repeated id with another input is refused")
    func conflict() {
        var script = SessionScript()
        script.message("m1")
        _ = script.took()
        script.message("m1", "\"Other\"")
        #expect(script.took() == ["c1: error message_id_conflict m1"])
        script.attach(2)
        _ = script.took()
        script.message("m1", "\"Other\"", from: 2)
        #expect(script.took() == ["c2: error message_id_conflict m1"])
    }

    @Test("a failure before any text ends the response with its error")
    func failureBeforeText() throws {
        var script = SessionScript()
        script.message("m1")
        _ = script.took()
        script.fails(0, "upstream_connect_refused")
        #expect(
            script.took() == [
                "3 complete r0 failed bytes=0 error=upstream_connect_refused", "ended r0 failed",
            ])
        let complete = try #require(script.event(3))
        #expect(complete.raw("upstream_response") == nil)
        #expect(complete.frame("timing")?.line == #"{"total_ms":0}"#)
        #expect(
            complete.frame("error")?.line
                == #"{"code":"upstream_connect_refused","message":"gone","retryable":true}"#)
    }

    @Test("a failure after some text keeps the text, and its digest proves it")
    func failureAfterText() throws {
        var script = SessionScript()
        script.message("m1")
        script.begins(0)
        script.says(0, "par", "tial")
        _ = script.took()
        script.fails(0)
        #expect(
            script.took() == [
                "6 complete r0 failed bytes=7 error=upstream_reset", "ended r0 failed",
            ])
        #expect(
            script.event(6)?.text("text_sha256")
                == String(SHA256.hex(Array("partial".utf8)).prefix(8)))
    }

    @Test(
        "upstream's own failure is told with its code, and whether to try again",
        arguments: [
            ("server_error", true), ("rate_limit_exceeded", true), ("content_policy", false),
        ])
    func upstreamFailure(code: String, isRetryable: Bool) {
        var script = SessionScript()
        script.message("m1")
        script.ends(0, "failed", #","error":{"code":"\#(code)","message":"no"}"#)
        let error = script.event(3)?.frame("error")
        #expect(error?.text("code") == "upstream_failed")
        #expect(error?.text("upstream_code") == code)
        #expect(error?.text("message") == "no")
        #expect(error?.raw("retryable") == Array("\(isRetryable)".utf8))
    }

    @Test("an incomplete response says why")
    func incomplete() {
        var script = SessionScript()
        script.message("m1")
        script.says(0, "cut")
        script.ends(0, "incomplete", #","incomplete_details":{"reason":"max_output_tokens"}"#)
        #expect(
            script.took().suffix(2) == [
                "4 complete r0 incomplete max_output_tokens bytes=3", "ended r0 incomplete",
            ])
        script.message("m2")
        script.ends(1, "incomplete")
        #expect(script.took().dropLast().last == "7 complete r1 incomplete unknown bytes=0")
    }

    @Test("events of upstream that nobody knows go on as they are")
    func unknownEvents() {
        var script = SessionScript()
        script.message("m1")
        _ = script.took()
        script.upstream(
            0, #""type":"response.new_thing","output_index":3,"x":"\ud83d""#,
            #""type":"response.other", "y":null"#)
        #expect(
            script.took() == [
                #"3 upstream_event r0 3 {"type":"response.new_thing","output_index":3,"x":"\ud83d"}"#,
                #"4 upstream_event r0 {"type":"response.other", "y":null}"#,
            ])
    }

    @Test(
        "the other tabs see a message, but of a long one its size only",
        arguments: [
            (-1, true), (0, true), (1, false),
        ])
    func echo(difference: Int, isWhole: Bool) {
        var script = SessionScript { $0.echoBytes = 10 }
        let text = String(repeating: "x", count: 8 + difference)
        script.message("m1", "\"\(text)\"")
        #expect(
            script.took().first == "1 message m1 \(isWhole ? text : "bytes=\(10 + difference)")")
    }

    @Test("a model that is no string is upstream's to refuse, and not shown as one")
    func oddModel() {
        var script = SessionScript()
        script.message("m1", options: [("model", "{\"a\":1}")])
        #expect(script.took().contains("2 response r0 queued"))
        #expect(script.requests[0]?.contains(#""model":{"a":1}"#) == true)
        script.fails(0)
        #expect(script.summaries.first?.model == nil)
    }

    @Test("input written over several lines is one line in the log")
    func inputOverLines() {
        var script = SessionScript()
        script.message("m1", "[\n {\"role\":\"user\",\r\n \"content\":\"a\\nb\"}\n]")
        #expect(
            script.event(1)?.line
                == #"{"type":"message","seq":1,"id":"m1","input":[  {"role":"user",   "content":"a\nb"} ]}"#
        )
    }
}

@Suite("A session: tools")
struct SessionToolTests {
    @Test("a function call: announced, streamed, finished once, then its item")
    func function() {
        var script = SessionScript()
        script.message("m1")
        _ = script.took()
        let item =
            #"{"type":"function_call","id":"fc","call_id":"call_1","name":"weather","arguments":"{\"a\":1}"}"#
        script.upstream(
            0,
            #""type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"call_1","name":"weather","arguments":""}"#,
            #""type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc","delta":"{\"a\"""#,
            #""type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc","delta":":1}""#,
            #""type":"response.function_call_arguments.done","output_index":0,"item_id":"fc","arguments":"{\"a\":1}""#
        )
        script.item(0, item)
        script.ends(0)
        #expect(
            script.took() == [
                "3 tool r0 0 function in_progress call_id=call_1 name=weather",
                #"4 tool r0 0 function in_progress delta={"a""#,
                "5 tool r0 0 function in_progress delta=:1}",
                #"6 tool r0 0 function completed call_id=call_1 name=weather arguments={"a":1}"#,
                "7 item r0 0 \(item)", "8 complete r0 completed bytes=0", "ended r0 completed",
            ])
    }

    @Test("a hosted tool tells how far it is", arguments: ["web_search", "file_search"])
    func hosted(kind: String) {
        var script = SessionScript()
        script.message("m1")
        _ = script.took()
        script.upstream(
            0,
            #""type":"response.output_item.added","output_index":0,"item":{"type":"\#(kind)_call","id":"x"}"#,
            #""type":"response.\#(kind)_call.searching","output_index":0,"item_id":"x""#,
            #""type":"response.\#(kind)_call.completed","output_index":0,"item_id":"x""#)
        script.item(0, #"{"type":"\#(kind)_call","id":"x","status":"completed"}"#)
        #expect(
            script.took() == [
                "3 tool r0 0 \(kind) in_progress", "4 tool r0 0 \(kind) searching",
                "5 tool r0 0 \(kind) completed",
                #"6 item r0 0 {"type":"\#(kind)_call","id":"x","status":"completed"}"#,
            ])
    }

    /// One way a response ends while tools are open.
    enum End: CaseIterable { case fails, cancelled, tooLarge, endTooLarge, completed }

    @Test(
        "a tool that was left open is incomplete before the end, however it ends",
        arguments: End.allCases)
    func openTools(end: End) {
        var script = SessionScript { $0.responseBytes = 3000 }
        script.message("m1")
        script.upstream(
            0,
            #""type":"response.output_item.added","output_index":1,"item":{"type":"web_search_call","id":"w"}"#,
            #""type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"c","name":"f"}"#,
            #""type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc","delta":"{""#
        )
        _ = script.took()
        switch end {
        case .fails: script.fails(0)
        case .cancelled: script.cancel(.own)
        case .endTooLarge:
            // The reducer has told the call's end, the log had no room for it.
            script.item(
                0,
                #"{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":"{\#(String(repeating: " ", count: 3000))}"}"#
            )
        case .tooLarge: script.says(0, String(repeating: "x", count: 3000), index: 2)
        case .completed: script.ends(0)
        }
        let took = script.took().filter { $0.first?.isNumber == true }
        let status = end == .completed ? "completed" : "incomplete"
        #expect(took.count == 3)
        #expect(
            Set(took.dropLast().map { $0.drop { $0 != " " } }) == [
                " tool r0 0 function \(status) call_id=c name=f", " tool r0 1 web_search \(status)",
            ])
        #expect(took.last?.contains("complete r0") == true)
    }
}

@Suite("A session: the conversation")
struct SessionConversationTests {
    private static let head =
        #"{"stream":true,"stream_options":{"include_obfuscation":false},"#

    @Test("kept upstream: each message names the last response that ended there")
    func upstreamState() {
        var requests = UpstreamRequestBuilder()
        requests.storesResponses = true
        var script = SessionScript(requests: requests)
        script.message("m1", options: [("model", "\"m\"")])
        #expect(script.requests[0] == Self.head + #""model":"m","store":true,"input":"Hello"}"#)
        script.begins(0)
        script.ends(0)
        script.message("m2", "[{\"a\":1}]")
        let second = Self.head + #""store":true,"previous_response_id":"resp_0","input":[{"a":1}]}"#
        #expect(script.requests[1] == second)
        script.begins(1)
        script.says(1, "x")
        script.cancel(.own)
        script.message("m3", "[{\"a\":1}]")
        #expect(script.requests[2] == second, "a cancelled response is no place to go on from")
        script.begins(2)
        script.fails(2)
        script.message("m4", "[{\"a\":1}]")
        #expect(script.requests[3] == second, "nor is a failed one")
        script.ends(3, "incomplete")
        #expect(script.machine.conversationPlace(at: nil)?.response == "resp_3")
        script.message("m5", options: [("previous_response_id", "null")])
        #expect(
            script.requests[4] == Self.head
                + #""previous_response_id":null,"store":true,"input":"Hello"}"#)
    }

    @Test("kept upstream: calls that the next message leaves open are closed, once")
    func openCalls() {
        var script = SessionScript()
        script.message("m1", #"[{"a":1}]"#)
        script.begins(0)
        script.item(
            0, #"{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"}"#)
        script.ends(0)
        let head = Self.head + #""store":false,"previous_response_id":"resp_0","input":["#
        let closed =
            #"{"type":"function_call_output","call_id":"c1","output":"This call was not run."}"#
        script.message("m2")
        #expect(
            script.requests[1] == head + closed + #",{"role":"user","content":"Hello"}]}"#)
        script.fails(1)
        let answer = #"{"type":"function_call_output","call_id":"c1","output":"7"}"#
        script.message("m3", "[\(answer)]")
        #expect(script.requests[2] == head + answer + "]}", "answered by the client itself")
        script.fails(2)
        script.message("m4", options: [("previous_response_id", "\"resp_x\"")])
        #expect(script.requests[3]?.contains("c1") == false, "another response is gone on from")
        script.ends(3)
        script.message("m5")
        #expect(script.requests[4]?.contains("c1") == false, "over with the next answer")
    }

    @Test("a session that goes on from a lost one names that one's last response")
    func continuing() {
        var script = SessionScript(continuing: ConversationPlace(response: "resp_old"))
        script.message("m1")
        #expect(
            script.requests[0] == Self.head
                + #""store":false,"previous_response_id":"resp_old","input":"Hello"}"#)
    }

    @Test("a session that goes on from a lost one closes the calls that were open there")
    func continuingOpenCalls() {
        var lost = SessionScript()
        lost.message("m1")
        lost.begins(0)
        lost.item(
            0, #"{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"}"#)
        lost.ends(0)
        let place = lost.machine.conversationPlace(at: "second")
        #expect(
            place
                == ConversationPlace(
                    response: "resp_0", upstream: "second", openCalls: [OpenCall(.function, "c1")]))
        var script = SessionScript(continuing: place)
        script.message("m2")
        #expect(
            script.requests[0] == Self.head
                + #""store":false,"previous_response_id":"resp_0","input":["#
                + #"{"type":"function_call_output","call_id":"c1","output":"This call was not run."},"#
                + #"{"role":"user","content":"Hello"}]}"#)
        #expect(
            script.machine.conversationPlace(at: "second") == place,
            "they are open until something is answered")
        script.begins(0)
        script.ends(0)
        #expect(script.machine.conversationPlace(at: nil) == ConversationPlace(response: "resp_0"))
    }

    @Test("kept nowhere: every message stands alone")
    func noState() {
        var script = SessionScript { $0.conversation = .none }
        script.message("m1")
        script.begins(0)
        script.ends(0)
        script.message("m2")
        #expect(script.requests[1] == Self.head + #""store":false,"input":"Hello"}"#)
    }

    @Test("defaults fill what the message does not say, and nobody touches the gateway's own")
    func options() {
        var requests = UpstreamRequestBuilder()
        requests.defaults = [
            RequestOption(name: "model", value: Array("\"d\"".utf8)),
            RequestOption(name: "top_p", value: Array("0.50".utf8)),
        ]
        var script = SessionScript(requests: requests)
        script.message(
            "m1",
            options: [("stream", "false"), ("input", "1"), ("model", "\"x\""), ("x\"y", "1E2")])
        #expect(
            script.requests[0] == Self.head
                + #""model":"x","x\"y":1E2,"top_p":0.50,"store":false,"input":"Hello"}"#)
        #expect(script.took().contains("2 response r0 queued model=x"))
    }

    @Test("kept here: items of finished turns go along, reasoning only with its encrypted content")
    func gatewayState() {
        var script = SessionScript { $0.conversation = .gateway }
        script.message("m1", "\"Hi\"")
        #expect(script.requests[0] == Self.head + #""store":false,"input":"Hi"}"#)
        script.item(0, #"{"type":"reasoning","id":"rs1","summary":[]}"#, index: 0)
        script.item(0, #"{"type":"reasoning","id":"rs2","encrypted_content":"e"}"#, index: 1)
        script.item(0, #"{"type":"message","id":"a","content":[]}"#, index: 2)
        script.item(0, #"{"type":"function_call","id":"b","call_id":"c"}"#, index: 3)
        script.ends(0)
        script.message(
            "m2",
            #"[{"type":"function_call_output","call_id":"c","output":"1"}, {"role":"user","content":"go"}]"#
        )
        let kept =
            Self.head
            + #""store":false,"input":[{"role":"user","content":"Hi"},{"type":"reasoning","id":"rs2","encrypted_content":"e"},{"type":"message","id":"a","content":[]},{"type":"function_call","id":"b","call_id":"c"},{"type":"function_call_output","call_id":"c","output":"1"},{"role":"user","content":"go"}"#
        #expect(script.requests[1] == kept + "]}")
        // Nothing came of it: it is as if it had not been said.
        script.fails(1)
        script.message(
            "m3",
            #"[{"type":"function_call_output","call_id":"c","output":"1"}, {"role":"user","content":"go"}]"#
        )
        #expect(script.requests[2] == kept + "]}")
        #expect(script.machine.conversationPlace(at: "second") == nil)
    }

    @Test("of a turn that was cut short only what was said is kept", arguments: [true, false])
    func cutShort(isCancelled: Bool) {
        var script = SessionScript { $0.conversation = .gateway }
        script.message("m1", "\"Hi\"")
        script.item(0, #"{"type":"reasoning","id":"rs","encrypted_content":"e"}"#, index: 0)
        script.item(0, #"{"type":"message","id":"a","content":[]}"#, index: 1)
        script.item(0, #"{"type":"function_call","id":"b","call_id":"c"}"#, index: 2)
        script.says(0, "cut ", #"\"off\" \ud83d"#, index: 3)
        if isCancelled { script.cancel(.own) } else { script.fails(0) }
        script.message("m2", "\"Go on\"")
        #expect(
            script.requests[1] == Self.head
                + #""store":false,"input":[{"role":"user","content":"Hi"},{"type":"message","id":"a","content":[]},{"role":"assistant","content":"cut \"off\" "#
                + "\u{FFFD}" + #""},{"role":"user","content":"Go on"}]}"#)
    }

    @Test(
        "a conversation beyond its bytes is refused, one byte less is taken", arguments: [-1, 0, 1])
    func conversationBytes(difference: Int) {
        // `{"role":"user","content":"Hi"}` and `{"role":"assistant","content":"ok"}` are kept.
        var script = SessionScript {
            $0.conversation = .gateway
            $0.conversationBytes = 30 + 35 + 7 + difference
        }
        script.message("m1", "\"Hi\"")
        script.says(0, "ok")
        script.fails(0)
        #expect(script.machine.conversationBytes == 65)
        _ = script.took()
        script.message("m2", "\"Hello\"")
        let isTaken = difference >= 0
        #expect(
            script.took().last
                == (isTaken ? "all: state r1 connecting" : "c1: error conversation_too_large m2"))
    }

    @Test("inputs of running responses count towards the conversation too")
    func pendingInputs() {
        var script = SessionScript {
            $0.conversation = .gateway
            $0.conversationBytes = 60
        }
        script.message("m1", "\"Hi\"")  // 30 bytes as an item.
        #expect(script.machine.storedBytes == script.machine.log.storedBytes + 30)
        _ = script.took()
        script.message("m2", "\"\(String(repeating: "x", count: 29))\"")
        #expect(script.took() == ["c1: error conversation_too_large m2"])
        script.cancel(.own)
        #expect(script.machine.storedBytes == script.machine.log.storedBytes)
    }
}
