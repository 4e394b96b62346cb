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

    @Test("outputs for what is open, and of them those that an input leaves open")
    func outputs() {
        let bytes = { (items: [String]) in items.map { Array($0.utf8) } }
        let open = OpenCalls.outputs(for: bytes([Self.text, Self.call]))
        #expect(open == bytes([Self.closed]))
        #expect(OpenCalls.outputs(for: bytes([Self.call, Self.answer])).isEmpty)
        #expect(OpenCalls.unanswered(open, by: bytes([Self.text])) == open)
        #expect(OpenCalls.unanswered(open, by: bytes([Self.text, Self.answer])).isEmpty)
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
