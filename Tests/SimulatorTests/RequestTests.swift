import Testing

@testable import Simulator

@Suite("Requests")
struct RequestTests {
    @Test(
        "what OpenAI refuses is refused with its code",
        arguments: [
            (#"{"input":"x"}"#, "missing_required_parameter", "model"),
            (#"{"model":"m"}"#, "missing_required_parameter", "input"),
            (#"{"model":1,"input":"x"}"#, "invalid_type", "model"),
            (#"{"model":"m","input":7}"#, "invalid_type", "input"),
            (#"{"model":"m","input":"x","frobnicate":1}"#, "unknown_parameter", "frobnicate"),
            (
                #"{"model":"m","input":"x","temperature":2.5}"#, "decimal_above_max_value",
                "temperature"
            ),
            (
                #"{"model":"m","input":"x","max_output_tokens":15}"#, "integer_below_min_value",
                "max_output_tokens"
            ),
            (
                #"{"model":"m","input":"x","top_logprobs":21}"#, "integer_above_max_value",
                "top_logprobs"
            ),
            (#"{"model":"m","input":"x","top_logprobs":1.5}"#, "invalid_type", "top_logprobs"),
            (
                #"{"model":"m","input":"x","parallel_tool_calls":"yes"}"#, "invalid_type",
                "parallel_tool_calls"
            ),
            (#"{"model":"m","input":"x","stream_options":true}"#, "invalid_type", "stream_options"),
            (
                #"{"model":"m","input":"x","stream_options":{"include_obfuscation":1}}"#,
                "invalid_type", "stream_options.include_obfuscation"
            ),
            (#"{"model":"m","input":"x","tool_choice":7}"#, "invalid_type", "tool_choice"),
            (#"{"model":"m","input":"x","tool_choice":"some"}"#, "invalid_value", "tool_choice"),
            (
                #"{"model":"m","input":"x","reasoning":{"effort":"huge"}}"#, "invalid_value",
                "reasoning.effort"
            ),
            (
                #"{"model":"m","input":"x","reasoning":{"effort":1}}"#, "invalid_type",
                "reasoning.effort"
            ),
            (#"{"model":"m","input":"x","truncation":"some"}"#, "invalid_value", "truncation"),
            (
                #"{"model":"m","input":"x","tools":[{"type":"hammer"}]}"#, "invalid_value",
                "tools[0].type"
            ),
            (#"{"model":"m","input":"x","tools":[{"type":1}]}"#, "invalid_type", "tools[0].type"),
            (
                #"{"model":"m","input":"x","text":{"format":{"type":"xml"}}}"#, "invalid_value",
                "text.format.type"
            ),
            (#"{"model":"m","input":"x","text":{"format":"xml"}}"#, "invalid_type", "text.format"),
            (#"{"model":"m","input":[{"role":"wizard"}]}"#, "invalid_value", "input[0].role"),
            (#"{"model":"m","input":[{}]}"#, "missing_required_parameter", "input[0].type"),
            (#"{"model":"m","input":"x","stream":"yes"}"#, "invalid_type", "stream"),
        ])
    func refused(_ body: String, _ code: String, _ param: String) throws {
        let error = #expect(throws: APIError.self) { try makeRequest(body) }
        #expect(error?.status == 400)
        #expect(error?.code == code)
        #expect(error?.param == param)
    }

    @Test(
        "what OpenAI takes is taken",
        arguments: [
            #""tool_choice":{"type":"function","name":"f"}"#, #""tool_choice":"required""#,
            #""reasoning":{"effort":null,"summary":"auto"}"#, #""reasoning":{"effort":"xhigh"}"#,
            #""tools":[{"type":"web_search_preview_2025_03_11"},{"type":"mcp"}]"#,
            #""tools":[{"type":"computer_use_preview"},{"type":"custom","name":"f"}]"#,
            #""text":{"format":{"type":"json_object"},"verbosity":"low"}"#, #""text":{}"#,
            #""truncation":null,"stream_options":null,"parallel_tool_calls":null"#,
            #""max_output_tokens":16,"top_logprobs":20,"max_tool_calls":1"#,
        ])
    func taken(_ members: String) throws {
        #expect(throws: Never.self) { try makeRequest(#"{"model":"m","input":"x",\#(members)}"#) }
    }

    @Test(
        "text that is not JSON is refused",
        arguments: ["", "{", "[1,]", "{\"a\":01}", "nul", "1 2"])
    func notJSON(_ body: String) {
        #expect(throws: APIError.self) { try makeRequest(body) }
    }

    @Test("deep nesting is refused, not followed")
    func deepNesting() {
        let body = String(repeating: "[", count: 100_000)
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(Array(body.utf8)) }
    }

    @Test("JSON goes in and comes out the same")
    func roundTrip() throws {
        let text = #"{"a":[1.0,-2e5,true,null],"b":"\"\\\n\u0001é你👩","c":{}}"#
        #expect(try JSONParser.parse(Array(text.utf8)).bytes.text == text)
    }

    @Test("escapes are decoded, surrogate pairs joined, lone ones replaced")
    func escapes() throws {
        let value = try JSONParser.parse(Array(#""\ud83d\ude00\ud800x\u00e9\/""#.utf8))
        #expect(value == .string("😀\u{FFFD}xé/"))
    }

    @Test("a call without its output is refused, and an output without its call")
    func toolOutputs() throws {
        var history = History()
        history.pendingCalls = ["call_1"]
        let without = try makeRequest(#"{"model":"m","input":"x"}"#)
        #expect(throws: APIError.self) { try history.check(without.input) }
        let with = try makeRequest(
            #"{"model":"m","input":[{"type":"function_call_output","call_id":"call_1","output":""}]}"#
        )
        #expect(throws: Never.self) { try history.check(with.input) }
        #expect(throws: APIError.self) { try History().check(with.input) }
    }

    @Test("a conversation kept by the client counts all its user messages")
    func clientConversation() throws {
        let request = try makeRequest(
            #"""
            {"model":"m","input":[{"role":"user","content":"one"},
            {"role":"assistant","content":[{"type":"output_text","text":"[sim:failed]"}]},
            {"role":"user","content":[{"type":"input_text","text":"two"},{"type":"input_image","image_url":"data:,"}]}]}
            """#)
        #expect(request.input.userTexts == ["one", "two"])
        #expect(request.input.imageCount == 1)
        #expect(request.directives.words.isEmpty, "only the newest input's markers count")
    }
}
