import Testing

@testable import GatewayCore

@Suite("Calls that nobody has answered")
struct OpenCallsTests {
    private static let call =
        #"{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}"#
    private static let answer = #"{"type":"function_call_output","call_id":"c1","output":"7"}"#
    private static let custom =
        #"{"type":"custom_tool_call","call_id":"c2","name":"g","input":"x"}"#
    private static let text = #"{"role":"user","content":"Hi"}"#
    private static let closed =
        #"{"type":"function_call_output","call_id":"c1","output":"This call was not run."}"#

    private static func closed(_ items: [String], before further: [String]) -> [String] {
        OpenCalls.closed(items.map { Array($0.utf8) }, before: further.map { Array($0.utf8) })
            .map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("a call is followed by an output, unless there is one already or one comes")
    func calls() {
        #expect(
            Self.closed([Self.text, Self.call], before: [Self.text])
                == [Self.text, Self.call, Self.closed])
        #expect(Self.closed([Self.call], before: [Self.answer]) == [Self.call])
        #expect(
            Self.closed([Self.call, Self.answer, Self.text], before: [])
                == [Self.call, Self.answer, Self.text])
        #expect(Self.closed([Self.text], before: [Self.text]) == [Self.text])
        #expect(Self.closed([], before: [Self.answer]).isEmpty)
    }

    @Test("what is open, and outputs for what an input leaves open")
    func outputs() {
        let bytes = { (items: [String]) in items.map { Array($0.utf8) } }
        let open = OpenCalls.open(in: bytes([Self.text, Self.call, Self.custom]))
        #expect(open == [OpenCall(.function, "c1"), OpenCall(.custom, "c2")])
        #expect(OpenCalls.open(in: bytes([Self.call, Self.answer])).isEmpty)
        #expect(
            OpenCalls.outputs(for: [open[0]], before: bytes([Self.text])) == bytes([Self.closed]))
        #expect(OpenCalls.outputs(for: [open[0]], before: bytes([Self.text, Self.answer])).isEmpty)
    }

    @Test("an id is the same however it is spelled in JSON, and is spelled as JSON again")
    func spelling() {
        let open = OpenCalls.open(in: [
            Array(#"{"type":"function_call","call_id":"\u0063\"1"}"#.utf8)
        ])
        #expect(open == [OpenCall(.function, "c\"1")])
        let answer = #"{"type":"function_call_output","call_id":"c\u00221","output":""}"#
        #expect(OpenCalls.outputs(for: open, before: [Array(answer.utf8)]).isEmpty)
        #expect(
            OpenCalls.outputs(for: open, before: []) == [
                Array(
                    #"{"type":"function_call_output","call_id":"c\"1","output":"This call was not run."}"#
                        .utf8)
            ])
    }

    @Test("each kind of call gets its kind of output, and only the open ones")
    func kinds() {
        #expect(
            Self.closed([Self.call, Self.custom], before: [Self.answer]) == [
                Self.call, Self.custom,
                #"{"type":"custom_tool_call_output","call_id":"c2","output":"This call was not run."}"#,
            ])
    }
}
