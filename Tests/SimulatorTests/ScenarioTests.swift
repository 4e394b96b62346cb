import Testing

@testable import Simulator

@Suite("Scenarios")
struct ScenarioTests {
    @Test("every scenario is a valid stream with one true end", arguments: Scenario.allCases)
    func everyScenarioIsValid(_ scenario: Scenario) throws {
        let stream = try makeStream(
            #"{"model":"\#(scenario.model)","input":"Tell me about mills","stream":true}"#)
        let transcript = try Transcript(collect(stream))
        try transcript.check()
        let terminal =
            switch scenario {
            case .incomplete: "response.incomplete"
            case .failed, .quota: "response.failed"
            default: "response.completed"
            }
        #expect(transcript.terminals == [terminal])
    }

    @Test("the same seed gives the same bytes, another seed others", arguments: Scenario.allCases)
    func deterministic(_ scenario: Scenario) throws {
        let json = #"{"model":"\#(scenario.model)","input":"Tell me about mills","stream":true}"#
        let first = try collect(makeStream(json))
        #expect(try collect(makeStream(json)) == first)
        #expect(try collect(makeStream(json, seed: 8)) != first)
    }

    @Test("an unknown model answers in Markdown and mentions what the user said")
    func unknownModel() throws {
        let stream = try makeStream(#"{"model":"gpt-5.5","input":"Why do wheels turn?"}"#)
        let text = try Transcript(collect(stream)).text
        #expect(text.contains("Why do wheels turn?"))
        #expect(text.contains("| :--- |"))
        #expect(text.contains("```swift"))
    }

    @Test("a marker chooses the scenario and is not part of the text")
    func marker() throws {
        let request = try makeRequest(
            #"{"model":"gpt-5.5","input":"Hi [sim:reasoning rate=3] there"}"#)
        #expect(Scenario.chosen(by: request) == .reasoning)
        #expect(request.plainText == "Hi  there")
        #expect(request.directives["rate"] == "3")
    }

    @Test("obfuscation is there unless it was refused")
    func obfuscation() throws {
        let with = try collect(makeStream(#"{"model":"sim-hello","input":"x"}"#))
        #expect(with.text.contains(#""obfuscation":""#))
        let without = try collect(
            makeStream(
                #"{"model":"sim-hello","input":"x","stream_options":{"include_obfuscation":false}}"#
            ))
        #expect(!without.text.contains(#""obfuscation":""#))
    }

    @Test("paced text has the asked number of deltas and bytes")
    func paced() throws {
        let stream = try makeStream(
            #"{"model":"sim-paced","input":"deltas=250 rate=100 bytes=33"}"#)
        #expect(stream.answer.pacing.deltasPerSecond == 100)
        let transcript = try Transcript(collect(stream))
        try transcript.check()
        let deltas = transcript.events.filter { $0["delta"] != nil }
        #expect(deltas.count == 250)
        #expect(deltas.allSatisfy { $0["delta"]?.string?.utf8.count == 33 })
    }

    @Test("a long paced text is spread over items and leaves the final output empty")
    func hugePaced() throws {
        let stream = try makeStream(
            #"{"model":"sim-paced","input":"deltas=600 rate=0 bytes=10000"}"#)
        let transcript = try Transcript(collect(stream))
        try transcript.check()
        #expect(transcript.text.utf8.count == 6_000_000)
        #expect(transcript.terminalResponse?["output"]?.array == [])
    }

    @Test("timestamps are part of the text, and of the closing events")
    func timestamps() throws {
        let stream = try makeStream(#"{"model":"sim-paced+ts","input":"deltas=3 rate=0 bytes=4"}"#)
        let transcript = try Transcript(collect(stream))
        try transcript.check()
        #expect(transcript.text.hasPrefix("⟦1004⟧the ⟦1005⟧"))
        let asked = try makeStream(
            #"{"model":"sim-hello","input":"x","metadata":{"millrace_timestamps":"1"}}"#)
        #expect(try Transcript(collect(asked)).text.hasPrefix("⟦1004⟧Hello"))
    }

    @Test("the first timestamp also says when the request was there")
    func received() throws {
        let stream = try makeStream(
            #"{"model":"sim-paced+ts","input":"deltas=3 rate=0 bytes=4"}"#, receivedAt: 900)
        let transcript = try Transcript(collect(stream))
        try transcript.check()
        #expect(transcript.text.hasPrefix("⟦1004;900⟧the ⟦1005⟧"))
    }

    @Test("deltas are due at an even rate that does not drift")
    func pacing() throws {
        var stream = try makeStream(#"{"model":"sim-paced","input":"deltas=101 rate=50"}"#)
        var due: [UInt64] = []
        var bytes: [UInt8] = []
        let moment = Moment(monotonic: 0, unixSeconds: 0)
        while true {
            let planned = stream.nextDue
            guard let event = stream.next(into: &bytes, at: moment) else { break }
            if event == .delta { due.append(planned) }
        }
        #expect(due.first == 0)
        #expect(due.last == 2_000_000_000)
    }

    @Test("max_output_tokens cuts the answer, closes the item and says why")
    func maximumOutputTokens() throws {
        let stream = try makeStream(
            #"{"model":"sim-markdown","input":"x","max_output_tokens":16}"#)
        let transcript = try Transcript(collect(stream))
        try transcript.check()
        let response = try #require(transcript.terminalResponse)
        #expect(response["incomplete_details"]?["reason"] == .string("max_output_tokens"))
        #expect(response["usage"]?["output_tokens"] == .integer(16))
        #expect(response["output"]?.array?.first?["status"] == .string("incomplete"))
    }

    @Test("a background response is queued first")
    func background() throws {
        let stream = try makeStream(#"{"model":"sim-hello","input":"x","background":true}"#)
        let types = try Transcript(collect(stream)).types
        #expect(
            types.prefix(3) == ["response.created", "response.queued", "response.in_progress"])
    }

    @Test("the response object echoes numbers as they were written")
    func echoedRequest() throws {
        let stream = try makeStream(
            #"{"model":"sim-hello","input":"x","temperature":0.70,"metadata":{"a":"b"},"tools":[{"type":"function","name":"f","parameters":{}}]}"#
        )
        let response = try #require(Transcript(collect(stream)).terminalResponse)
        #expect(response["temperature"] == .number("0.70"))
        #expect(response["top_p"] == .number("1.0"))
        #expect(response["metadata"]?["a"] == .string("b"))
        #expect(response["tools"]?.array?.first?["strict"] == .bool(true))
    }

    @Test("arguments fit the schema of the function")
    func functionArguments() throws {
        let stream = try makeStream(
            #"""
            {"model":"gpt-5.5","input":"What is the weather in Oslo","tools":[{"type":"function",
            "name":"get_weather","parameters":{"type":"object","properties":{
            "city":{"type":"string"},"unit":{"type":"string","enum":["c"]},
            "days":{"type":"integer","minimum":3,"maximum":3},"tags":{"type":"array",
            "items":{"$ref":"#/$defs/tag"},"minItems":1,"maxItems":1}},
            "$defs":{"tag":{"type":["null","boolean"]}}}}]}
            """#)
        let item = try #require(
            Transcript(collect(stream)).terminalResponse?["output"]?.array?.first)
        #expect(item["name"] == .string("get_weather"))
        let arguments = try JSONParser.parse(Array((item["arguments"]?.string ?? "").utf8))
        #expect(arguments["city"] == .string("Oslo"))
        #expect(arguments["unit"] == .string("c"))
        #expect(arguments["days"] == .integer(3))
        #expect(arguments["tags"]?.array?.count == 1)
    }

    @Test("a tool's output is answered with text")
    func functionOutput() throws {
        let stream = try makeStream(
            #"{"model":"sim-function","input":[{"type":"function_call_output","call_id":"call_1","output":"rain"}]}"#
        )
        #expect(try Transcript(collect(stream)).text.contains("`call_1`: rain"))
    }

    @Test("structured output is JSON of the schema")
    func structured() throws {
        let stream = try makeStream(
            #"{"model":"gpt-5.5","input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object","properties":{"ok":{"const":true}}}}}}"#
        )
        let text = try Transcript(collect(stream)).text
        #expect(text == #"{"ok":true}"#)
    }

    @Test("echo counts the turns and repeats the last inputs")
    func echo() throws {
        let history = History().appending(["first", "second"])
        let stream = try makeStream(
            #"{"model":"sim-echo","input":"third","instructions":"be brief"}"#, history: history)
        #expect(
            try Transcript(collect(stream)).text
                == "turns: 3\ninstructions: be brief\n1: first\n2: second\n3: third\n")
    }
}
