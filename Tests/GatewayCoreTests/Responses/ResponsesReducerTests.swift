import Testing

@testable import GatewayCore

@Suite("Responses reducer")
struct ResponsesReducerTests {
    /// Runs `events` and checks that cutting the stream changes nothing.
    private func transcript(
        _ events: [String], limits: ResponsesLimits = ResponsesLimits()
    ) -> StreamResult {
        let body = stream(events)
        let whole = run(body, limits: limits)
        #expect(run(body, .every(1), limits: limits) == whole)
        return whole
    }

    private let created =
        #"{"type":"response.created","response":{"id":"resp_1","model":"m","status":"in_progress"}}"#
    private let completed =
        #"{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],"usage":{"total_tokens":3}}}"#
    private let createdLine = #"response in_progress id="resp_1" model="m""#
    private let completedLine = #"finished completed usage={"total_tokens":3} id="resp_1""#

    private func delta(_ text: String, index: Int = 0, part: Int = 0) -> String {
        #"{"type":"response.output_text.delta","item_id":"msg_1","output_index":\#(index),"content_index":\#(part),"delta":"\#(text)"}"#
    }

    private func message(_ text: String, id: String = "msg_1") -> String {
        #"{"id":"\#(id)","type":"message","role":"assistant","content":[{"type":"output_text","text":"\#(text)","annotations":[]}]}"#
    }

    @Test("a short answer")
    func shortAnswer() {
        let result = transcript([
            created,
            #"{"type":"response.in_progress","response":{"id":"resp_1","status":"in_progress"}}"#,
            #"{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","content":[]}}"#,
            #"{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#,
            delta("Hel"), delta("lo \\\"you\\\" 😀"),
            #"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Hello \"you\" 😀"}"#,
            #"{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hello \"you\" \ud83d\ude00"}}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(message(#"Hello \"you\" 😀"#))}"#,
            completed,
        ])
        #expect(
            result.lines == [
                createdLine, "delta 0.0 text Hel", #"delta 0.0 text lo \"you\" 😀"#,
                "item 0 \(message(#"Hello \"you\" 😀"#))", completedLine,
            ])
        #expect(String(decoding: result.joinedText, as: UTF8.self) == #"Hello "you" 😀"#)
        #expect(result.mismatchedTexts == 0 && result.completions == 0)
    }

    @Test("queued, then in progress: told when it changes, and only then")
    func queued() {
        let result = transcript([
            #"{"type":"response.created","response":{"id":"a","status":"queued"}}"#,
            #"{"type":"response.queued","response":{"id":"b","status":"queued"}}"#,
            #"{"type":"response.in_progress","response":{"id":"c","status":"in_progress"}}"#,
            #"{"type":"response.in_progress","response":{"id":"d","created_at":1.5}}"#,
        ])
        #expect(
            result.lines == [
                #"response queued id="a""#, #"response in_progress id="c""#, "truncated code=-",
            ])
    }

    @Test("a function call: announced, streamed, one final status before its item")
    func functionCall() {
        let done =
            #"{"type":"function_call","id":"fc_1","status":"in_progress","call_id":"call_1","name":"f","arguments":"{\"a\":1}"}"#
        let result = transcript([
            #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":""}}"#,
            #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\""}"#,
            #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":":1}"}"#,
            #"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":1}"}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(done)}"#,
            #"{"type":"response.completed","response":{"status":"completed","output":[\#(done)]}}"#,
        ])
        #expect(
            result.lines == [
                #"tool 0 function in_progress call="call_1" name="f""#,
                #"tool 0 + {\"a\""#, "tool 0 + :1}",
                #"tool 0 function completed call="call_1" name="f" arguments="{\"a\":1}""#,
                "item 0 \(done)", "finished completed",
            ])
    }

    @Test("interleaved calls keep apart by output_index, whatever the ids do")
    func interleaved() {
        func item(_ call: Int, _ id: String, _ arguments: String) -> String {
            #"{"type":"function_call","id":"\#(id)","call_id":"call_\#(call)","name":"f","arguments":"\#(arguments)"}"#
        }
        let result = transcript([
            #"{"type":"response.output_item.added","output_index":1,"item":\#(item(1, "x1", ""))}"#,
            #"{"type":"response.output_item.added","output_index":3,"item":\#(item(3, "x2", ""))}"#,
            #"{"type":"response.function_call_arguments.delta","item_id":"x3","output_index":1,"delta":"a"}"#,
            #"{"type":"response.function_call_arguments.delta","item_id":"x4","output_index":3,"delta":"b"}"#,
            #"{"type":"response.function_call_arguments.delta","item_id":"x5","output_index":1,"delta":"c"}"#,
            #"{"type":"response.output_item.done","output_index":3,"item":\#(item(3, "x6", "b"))}"#,
            #"{"type":"response.output_item.done","output_index":1,"item":\#(item(1, "x7", "ac"))}"#,
            #"{"type":"response.completed","response":{"output":[\#(item(1, "x8", "ac")),\#(item(3, "x9", "b"))]}}"#,
        ])
        #expect(
            result.lines.filter { !$0.hasPrefix("item") } == [
                #"tool 1 function in_progress call="call_1" name="f""#,
                #"tool 3 function in_progress call="call_3" name="f""#,
                "tool 1 + a", "tool 3 + b", "tool 1 + c",
                #"tool 3 function completed call="call_3" name="f" arguments="b""#,
                #"tool 1 function completed call="call_1" name="f" arguments="ac""#,
                "finished completed",
            ])
        #expect(result.lines.count { $0.hasPrefix("item") } == 2)
        #expect(result.mismatchedTexts == 0 && result.completions == 0)
    }

    @Test("hosted tools carry upstream's status words; the final one waits for the item")
    func hostedTool() {
        let done =
            #"{"id":"ws","type":"web_search_call","status":"completed","action":{"type":"search"}}"#
        let result = transcript([
            #"{"type":"response.output_item.added","output_index":0,"item":{"id":"ws","type":"web_search_call","status":"in_progress"}}"#,
            #"{"type":"response.web_search_call.in_progress","output_index":0,"item_id":"ws"}"#,
            #"{"type":"response.web_search_call.searching","output_index":0,"item_id":"ws"}"#,
            #"{"type":"response.web_search_call.completed","output_index":0,"item_id":"ws"}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(done)}"#,
            #"{"type":"response.magic_call.conjuring","output_index":1}"#,
            #"{"type":"response.magic_call.generating","output_index":1}"#,
            #"{"type":"response.magic_call.failed","output_index":1}"#,
            completed,
        ])
        #expect(
            result.lines == [
                "tool 0 web_search in_progress", "tool 0 web_search searching",
                "tool 0 web_search completed", "item 0 \(done)",
                #"event index=1 {"type":"response.magic_call.conjuring","output_index":1}"#,
                "tool 1 magic generating", "tool 1 magic failed", completedLine,
            ])
    }

    @Test(
        "kinds of tools, their whole arguments and outputs",
        arguments: [
            (
                #"{"type":"custom_tool_call","call_id":"c","name":"n","input":"x"}"#,
                #"tool 0 custom completed call="c" name="n" arguments="x""#
            ),
            (
                #"{"type":"code_interpreter_call","status":"completed","code":"1","outputs":[{}]}"#,
                #"tool 0 code_interpreter completed arguments="1" output=[{}]"#
            ),
            (
                #"{"type":"file_search_call","status":"incomplete","results":null}"#,
                "tool 0 file_search incomplete"
            ),
            (
                #"{"type":"mcp_call","name":"n","arguments":"{}","output":"o","error":null}"#,
                #"tool 0 mcp completed name="n" arguments="{}" output="o""#
            ),
            (
                #"{"type":"mcp_call","name":"n","output":null,"error":{"type":"http_error"}}"#,
                #"tool 0 mcp failed name="n" output={"type":"http_error"}"#
            ),
            (
                #"{"type":"tool_search_call","call_id":null,"arguments":{"q":1},"status":"completed"}"#,
                #"tool 0 tool_search completed arguments={"q":1}"#
            ),
            (
                #"{"type":"apply_patch_call","call_id":"c","operation":{"diff":"+a"},"status":"failed"}"#,
                #"tool 0 apply_patch failed call="c" arguments="+a""#
            ),
            (
                #"{"type":"local_shell_call","call_id":"c"}"#,
                #"tool 0 local_shell completed call="c""#
            ),
            (
                #"{"type":"function\u005fcall","call_id":7,"name":null}"#,
                "tool 0 function completed"
            ),
        ])
    func toolKinds(_ item: String, _ expected: String) {
        let result = transcript([
            #"{"type":"response.output_item.done","output_index":0,"item":\#(item)}"#, completed,
        ])
        #expect(result.lines == [expected, "item 0 \(item)", completedLine])
    }

    @Test("items that are no calls are forwarded when they begin")
    func otherItems() {
        let reasoning =
            #"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","summary":[]}}"#
        let listing =
            #"{"type":"response.output_item.added","output_index":1,"item":{"type":"mcp_list_tools"}}"#
        let output =
            #"{"type":"response.output_item.added","output_index":2,"item":{"type":"shell_call_output"}}"#
        let result = transcript([reasoning, listing, output, completed])
        #expect(
            result.lines == [
                "event index=0 \(reasoning)", "event index=1 \(listing)", "event index=2 \(output)",
                completedLine,
            ])
    }

    @Test("unknown types, object deltas and annotations are forwarded whole")
    func forwarded() {
        let events = [
            #"{"type":"response.output_text.annotation.added","output_index":0,"annotation":{}}"#,
            #"{"type":"response.shell_call_output_content.delta","output_index":1,"delta":{"stdout":"x"}}"#,
            #"{"type":"response.image_generation_call.partial_image","output_index":2,"partial_image_b64":"AA"}"#,
            #"{"type":"codex.rate_limits","plan":1.0}"#,
            #"{"type":"response.output_text.delta","output_index":0,"delta":{"text":"x"}}"#,
            #"{"type":"response.mcp_list_tools.completed","output_index":0}"#,
        ]
        let result = transcript(events + [completed])
        #expect(
            result.lines == [
                "event index=0 \(events[0])", "event index=1 \(events[1])",
                "event index=2 \(events[2])", "event \(events[3])", "event index=0 \(events[4])",
                "event index=0 \(events[5])", completedLine,
            ])
        #expect(result.unknownEvents == 1)
    }

    @Test("keepalives, empty data, [DONE] and what follows the end give nothing")
    func nothing() {
        let result = transcript([
            #"{"type":"keepalive","sequence_number":2}"#, "", "[DONE]", delta(""), completed,
            #"{"type":"response.done","response":{"id":"resp_1"}}"#, delta("late"), "[DONE]", "{",
        ])
        #expect(result.lines == [completedLine])
        #expect(result.error == nil)
    }

    @Test("bare deltas, as servers without item events send them")
    func bareDeltas() {
        let result = transcript([
            #"{"type":"response.output_text.delta","delta":"Hel"}"#,
            #"{"delta":"lo","id":"x","type":"response.output_text.delta"}"#,
            #"{"type":"response.completed","response":{"output":[\#(message("Hello", id: "y"))]}}"#,
        ])
        #expect(
            result.lines == [
                "delta 0.0 text Hel", "delta 0.0 text lo", "item 0 \(message("Hello", id: "y"))",
                "finished completed",
            ])
        #expect(result.mismatchedTexts == 0 && result.completions == 0)
    }

    @Test("bare deltas of reasoning and text are not told twice when the items come at the end")
    func bareDeltasOfTwoItems() {
        let reasoning = #"{"type":"reasoning","content":[{"type":"reasoning_text","text":"hm"}]}"#
        let result = transcript([
            #"{"type":"response.reasoning_text.delta","delta":"hm"}"#,
            #"{"type":"response.output_text.delta","delta":"Hi"}"#,
            #"{"type":"response.completed","response":{"output":[\#(reasoning),\#(message("Hi"))]}}"#,
        ])
        #expect(
            result.lines == [
                "delta 0.0 reasoning hm", "delta 0.0 text Hi", "item 0 \(reasoning)",
                "item 1 \(message("Hi"))", "finished completed",
            ])
    }

    @Test("deltas without output_index belong to the open item")
    func missingIndexOnDeltas() {
        let result = transcript([
            #"{"type":"response.output_item.added","output_index":0,"item":{"id":"rs","type":"reasoning"}}"#,
            #"{"type":"response.output_item.added","output_index":1,"item":{"id":"msg_1","type":"message"}}"#,
            #"{"type":"response.output_text.delta","item_id":"other","delta":"Hi"}"#,
            #"{"type":"response.output_item.done","output_index":1,"item":\#(message("Hi"))}"#,
            completed,
        ])
        #expect(
            result.lines.dropFirst() == [
                "delta 1.0 text Hi", "item 1 \(message("Hi"))", completedLine,
            ])
    }

    @Test("deltas without content_index that fill several parts are compared as one text")
    func missingPartIndex() {
        let item =
            #"{"type":"message","content":[{"type":"output_text","text":"ab"},{"type":"output_text","text":"cd"}]}"#
        let result = transcript([
            #"{"type":"response.output_text.delta","output_index":0,"delta":"ab"}"#,
            #"{"type":"response.output_text.delta","output_index":0,"delta":"c"}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(item)}"#,
        ])
        #expect(
            result.lines.prefix(4) == [
                "delta 0.0 text ab", "delta 0.0 text c", "delta 0.0 text d", "item 0 \(item)",
            ])
        #expect(result.mismatchedTexts == 0)
    }

    @Test("audio has neither item nor index")
    func audio() {
        let result = transcript([
            #"{"type":"response.audio.delta","delta":"AAAA"}"#,
            #"{"type":"response.audio.transcript.delta","delta":"Hi"}"#,
            #"{"type":"response.audio.done"}"#, #"{"type":"response.audio.transcript.done"}"#,
            completed,
        ])
        #expect(
            result.lines == [
                "delta 0.0 audio AAAA", "delta 0.0 audio_transcript Hi", completedLine,
            ])
    }

    // MARK: Text that deltas did not give

    @Test(
        "what deltas did not give comes as a delta, once",
        arguments: [
            #"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Hello 😀"}"#,
            #"{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hello 😀"}}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"Hello 😀"}]}}"#,
        ],
        [
            [], ["Hel"], ["H", "ello"], ["Hello 😀"], [#"\u0048ello \ud83d\ude00"#],
            [#"Hello \ud83d"#, #"\ude00"#],
        ])
    func missingText(_ whole: String, _ given: [String]) {
        let final =
            #"{"type":"response.completed","response":{"output":[\#(message(#"Hello \ud83d\ude00"#, id: "z"))]}}"#
        let result = transcript(given.map { delta($0) } + [whole, whole, final])
        #expect(String(decoding: result.joinedText, as: UTF8.self) == "Hello 😀")
        #expect(result.lines.count { $0.hasPrefix("item") } == 1)
        #expect(result.mismatchedTexts == 0)
        #expect(result.end == .completed)
    }

    @Test("a server that sends only the terminal event loses nothing")
    func onlyTerminal() {
        let call = #"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#
        let reasoning =
            #"{"type":"reasoning","summary":[{"type":"summary_text","text":"s0"},{"type":"summary_text","text":"s1"}]}"#
        let refusal = #"{"type":"message","content":[{"type":"refusal","refusal":"no"}]}"#
        let result = transcript([
            #"{"type":"response.completed","response":{"output":[\#(reasoning),null,\#(message("Hi")),\#(call),\#(refusal)]}}"#
        ])
        #expect(
            result.lines == [
                "delta 0.0 reasoning_summary s0", "delta 0.1 reasoning_summary s1",
                "item 0 \(reasoning)", "delta 2.0 text Hi", "item 2 \(message("Hi"))",
                #"tool 3 function completed call="c" name="f" arguments="{}""#, "item 3 \(call)",
                "delta 4.0 refusal no", "item 4 \(refusal)", "finished completed",
            ])
    }

    @Test("of a final text that the deltas do not begin nothing is told: the deltas count")
    func mismatch() {
        let result = transcript([
            delta("Hello"),
            #"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Jello there"}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(message("Hell"))}"#,
            completed,
        ])
        #expect(
            result.lines == ["delta 0.0 text Hello", "item 0 \(message("Hell"))", completedLine])
        #expect(result.mismatchedTexts == 1)
    }

    @Test("arguments that came without deltas come as one")
    func missingArguments() {
        let result = transcript([
            #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}"#,
            #"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{}"}"#,
            completed,
        ])
        #expect(
            result.lines == [
                #"tool 0 function in_progress call="c" name="f""#, "tool 0 + {}",
                #"tool 0 function completed call="c" name="f""#, completedLine,
            ])
    }

    // MARK: Items that share or lack an index

    @Test("several items at one output_index get indexes of their own")
    func sharedIndex() {
        func item(_ call: String, _ arguments: String) -> String {
            #"{"type":"function_call","call_id":"\#(call)","name":"f","arguments":"\#(arguments)"}"#
        }
        let result = transcript([
            #"{"type":"response.output_item.added","output_index":0,"item":\#(item("a", ""))}"#,
            #"{"type":"response.output_item.added","output_index":0,"item":\#(item("b", ""))}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(item("a", "1"))}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(item("b", "2"))}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(item("b", "2"))}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(message("Hi"))}"#,
            completed,
        ])
        #expect(
            result.lines == [
                #"tool 0 function in_progress call="a" name="f""#,
                #"tool 1 function in_progress call="b" name="f""#,
                #"tool 0 function completed call="a" name="f" arguments="1""#,
                "item 0 \(item("a", "1"))",
                #"tool 1 function completed call="b" name="f" arguments="2""#,
                "item 1 \(item("b", "2"))", "delta 2.0 text Hi", "item 2 \(message("Hi"))",
                completedLine,
            ])
    }

    @Test("text and a tool's arguments at one output_index are two items")
    func textAndToolAtOneIndex() {
        let call = #"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#
        let result = transcript([
            delta("Hi"),
            #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{"}"#,
            delta("!"),
            #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"}"}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(message("Hi!"))}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(call)}"#,
            completed,
        ])
        #expect(
            result.lines == [
                "delta 0.0 text Hi", "tool 1 function in_progress", "tool 1 + {",
                "delta 0.0 text !", "tool 1 + }", "item 0 \(message("Hi!"))",
                #"tool 1 function completed call="c" name="f" arguments="{}""#, "item 1 \(call)",
                completedLine,
            ])
    }

    @Test("arguments of an item that is no call are forwarded, and make no call")
    func argumentsOfOtherItem() {
        let added =
            #"{"type":"response.output_item.added","output_index":0,"item":{"type":"mcp_approval_request"}}"#
        let piece = #"{"type":"response.mcp_call_arguments.delta","output_index":0,"delta":"{}"}"#
        let result = transcript([added, piece, completed])
        #expect(
            result.lines == ["event index=0 \(added)", "event index=0 \(piece)", completedLine])
    }

    @Test("an item that is null takes no place")
    func nullItem() {
        let result = transcript([
            #"{"type":"response.output_item.added","output_index":0,"item":null}"#,
            delta("Hi", index: 1),
            #"{"type":"response.completed","response":{"output":[\#(message("Hi"))]}}"#,
        ])
        #expect(
            result.lines == [
                "delta 1.0 text Hi", "item 1 \(message("Hi"))", "finished completed",
            ])
    }

    @Test("duplicate keys: the last one counts; keys and types may be escaped")
    func duplicateKeys() {
        let result = transcript([
            #"{"type":"x","delta":"no","\u0074ype":"response.output_text\u002edelta","delta":"yes","output_index":9,"output_index":2}"#
        ])
        #expect(result.lines.first == "delta 2.0 text yes")
    }

    // MARK: Ends

    @Test(
        "how a response ends",
        arguments: [
            (
                #""response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}"#,
                #"finished incomplete reason="max_output_tokens""#
            ),
            (
                #""response.completed","response":{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}"#,
                #"finished incomplete reason="content_filter""#
            ),
            (
                #""response.completed","response":{"status":"failed","error":{"code":"server_error","message":"m"}}"#,
                "finished failed code=server_error message=m"
            ),
            (
                #""response.completed","response":{"status":"cancelled","output":null}"#,
                "finished cancelled"
            ),
            (
                #""response.failed","response":{"status":"completed","error":{"code":404,"message":"m"}}"#,
                "finished failed code=404 message=m"
            ),
            (#""response.failed","response":{"error":"text"}"#, "finished failed message=text"),
            (#""response.failed""#, "finished failed"),
            (#""response.completed""#, "finished completed"),
            (
                #""response.done","response":{"id":"r","status":"completed"}"#,
                #"finished completed id="r""#
            ),
            (#""response.done","response":{"id":"r"}"#, "truncated code=-"),
        ])
    func ends(_ event: String, _ line: String) {
        #expect(transcript([#"{"type":\#(event)}"#]).lines == [line])
    }

    @Test(
        "an error event is told with the failure that follows it, or with the cut stream",
        arguments: [
            (
                #""error":{"type":"t","code":"insufficient_quota","message":"m\u00e9"}"#,
                "insufficient_quota", "mé"
            ),
            (#""code":"rate","message":"m","param":null"#, "rate", "m"),
            (#""error":{"type":"t","code":null,"message":"m"}"#, "t", "m"),
            (#""error":{"code":400,"message":"m"}"#, "400", "m"),
            (#""code":null,"message":"m","error":null"#, nil, "m"),
            (#""error":"m""#, nil, "m"),
        ] as [(String, String?, String)])
    func errors(_ fields: String, _ code: String?, _ message: String) {
        let error = #"{"type":"error","sequence_number":2,\#(fields)}"#
        let failed = transcript([error, #"{"type":"response.failed","response":{"error":null}}"#])
        #expect(
            failed.lines == [
                "finished failed" + (code.map { " code=\($0)" } ?? "") + " message=\(message)"
            ])
        #expect(transcript([error]).lines == ["truncated code=\(code ?? "-")"])
        #expect(transcript([error, completed]).lines == [completedLine])
    }

    @Test(
        "an error without a type is an error event",
        arguments: [
            (#"{"error":{"message":"m","type":"t","code":null}}"#, "t"),
            (#"{"error":{"code":429,"message":"m"},"status":429}"#, "429"),
            (#"{"error":"m"}"#, "-"),
        ])
    func untypedErrors(_ event: String, _ code: String) {
        #expect(transcript([event]).lines == ["truncated code=\(code)"])
        #expect(transcript([event, completed]).lines == [completedLine])
    }

    @Test("a stream that breaks off is truncated, never complete; its open calls stay open here")
    func truncated() {
        let result = transcript([
            created,
            #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}"#,
            delta("par", index: 1),
        ])
        #expect(
            result.lines == [
                createdLine, #"tool 0 function in_progress call="c" name="f""#,
                "delta 1.0 text par", "truncated code=-",
            ])
    }

    @Test(
        "calls left open end as the response does",
        arguments: [
            ("completed", "completed"), ("incomplete", "incomplete"), ("failed", "incomplete"),
        ])
    func openCalls(_ end: String, _ status: String) {
        let result = transcript([
            #"{"type":"response.output_item.added","output_index":4,"item":{"type":"mcp_call"}}"#,
            #"{"type":"response.\#(end)","response":{}}"#,
        ])
        #expect(
            result.lines == [
                "tool 4 mcp in_progress", "tool 4 mcp \(status)", "finished \(end)",
            ])
    }

    // MARK: What it refuses

    @Test(
        "broken events",
        arguments: [
            ("[1]", .notAnObject), ("\"x\"", .notAnObject), ("null", .notAnObject),
            ("{}", .missingType), (#"{"error":null}"#, .missingType),
            (#"{"type":null,"error":{"code":"c"}}"#, .missingType),
            (#"{"type":null}"#, .missingType), (#"{"type":7}"#, .missingType),
            (#"{"type":"x""#, .invalidJSON(.init(reason: .unexpectedEnd, offset: 11))),
            (#"{"type":"x"}{"#, .invalidJSON(.init(reason: .trailingBytes, offset: 12))),
            (
                #"{"type":"response.output_text.delta","delta":"x","output_index":-1}"#,
                .limitExceeded(.outputIndex, limit: 4095)
            ),
            (
                #"{"type":"response.output_text.delta","delta":"x","output_index":1.5}"#,
                .limitExceeded(.outputIndex, limit: 4095)
            ),
        ] as [(String, ResponsesFailure)])
    func broken(_ event: String, _ failure: ResponsesFailure) {
        var reducer = ResponsesReducer()
        let bytes = Array(event.utf8)
        #expect(throws: failure) { try reducer.reduce(bytes.span) { _ in } }
        #expect(!reducer.isFinished)
    }

    @Test("invalid UTF-8")
    func invalidUTF8() {
        var reducer = ResponsesReducer()
        let bytes = Array(#"{"type":"x","a":""#.utf8) + [0xFF] + Array(#""}"#.utf8)
        #expect(throws: ResponsesFailure.invalidJSON(.init(reason: .invalidUTF8, offset: 17))) {
            try reducer.reduce(bytes.span) { _ in }
        }
    }

    @Test("every limit holds at its value and not above", arguments: [0, 1])
    func limits(_ over: Int) {
        var limits = ResponsesLimits()
        limits.maximumItems = 2
        limits.maximumOutputIndex = 5
        limits.maximumPartIndex = 3
        limits.maximumParts = 2
        limits.maximumIdentifierBytes = 20
        limits.maximumDepth = 4
        func failure(_ events: [String]) -> String? { transcript(events, limits: limits).error }
        func expect(_ events: [String], _ name: String) {
            let error = failure(events)
            if over == 0 { #expect(error == nil) } else { #expect(error?.contains(name) == true) }
        }
        expect((0..<(2 + over)).map { delta("x", index: $0) }, "maximumItems")
        expect([delta("x", index: 5 + over)], "maximumOutputIndex")
        expect([#"{"type":"unknown","output_index":\#(5 + over)}"#], "maximumOutputIndex")
        expect([delta("x", part: 3 + over)], "maximumPartIndex")
        expect((0..<(2 + over)).map { delta("x", part: $0) }, "maximumParts")
        let name = String(repeating: "n", count: 20 + over)
        for field in ["name", "call_id"] {
            expect(
                [
                    #"{"type":"response.output_item.done","item":{"type":"function_call","\#(field)":"\#(name)"}}"#
                ],
                "maximumIdentifierBytes")
        }
        expect(
            [#"{"type":"response.output_item.done","item":{"type":"\#(name.dropLast(5))_call"}}"#],
            "maximumIdentifierBytes")
        let empty = Array(repeating: #"{"type":"x"}"#, count: 2 + over).joined(separator: ",")
        expect(
            [#"{"type":"response.completed","response":{"output":[\#(empty)]}}"#], "maximumItems")
        let depth = 3 + over
        expect(
            [
                #"{"type":"x","a":"# + String(repeating: "[", count: depth)
                    + String(repeating: "]", count: depth) + "}"
            ], "deeper than 4")
    }

    @Test("the key is taken out of errors before they are cut, which would leave half of it")
    func keyAcrossCut() throws {
        var limits = ResponsesLimits()
        limits.maximumErrorBytes = 12
        var reducer = ResponsesReducer(limits: limits, mask: KeyMask("secret/0123456"))
        let bytes = Array(
            #"{"type":"error","code":"secret\/0123456","message":"no secret/0123456"}"#.utf8)
        #expect(!reducer.mayHoldKey)
        try reducer.reduce(bytes.span) { _ in }
        #expect(reducer.toldError == ToldError(code: "************", message: "no *********"))
        #expect(reducer.mayHoldKey, "the event as it is")
    }

    @Test("long errors are cut before a character")
    func longError() {
        var limits = ResponsesLimits()
        limits.maximumErrorBytes = 6
        let result = transcript(
            [#"{"type":"response.failed","response":{"error":{"message":"12345é78"}}}"#],
            limits: limits)
        #expect(result.lines == ["finished failed message=12345"])
    }
}
