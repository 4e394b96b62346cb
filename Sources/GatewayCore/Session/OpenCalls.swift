/// Tool calls of a conversation that nobody has answered.
///
/// Upstream refuses a request with a call that has no output. A client that answers with plain text instead says
/// that it will not run the call: the model is told so, and the chat goes on.
enum OpenCalls {
    /// What stands for the output of a call that was not run.
    static let output = "This call was not run."

    /// The items, with an output behind each call that nothing in them or in `further` answers.
    static func closed(_ items: [[UInt8]], before further: [[UInt8]]) -> [[UInt8]] {
        guard let first = items.firstIndex(where: { call($0) != nil }) else { return items }
        let answered = answeredCalls(in: items[first...] + further)
        var result: [[UInt8]] = []
        for item in items {
            result.append(item)
            if let call = call(item), !answered.contains(call.id) {
                result.append(output(of: call))
            }
        }
        return result
    }

    /// The calls among `items` that nothing in them answers.
    static func open(in items: [[UInt8]]) -> [OpenCall] {
        let answered = answeredCalls(in: items)
        return items.compactMap(call).filter { !answered.contains($0.id) }
    }

    /// Outputs for those of `calls` that `input` does not answer itself.
    static func outputs(for calls: [OpenCall], before input: [[UInt8]]) -> [[UInt8]] {
        let answered = answeredCalls(in: input)
        return calls.filter { !answered.contains($0.id) }.map(output)
    }

    private static func answeredCalls(in items: [[UInt8]]) -> Set<String> {
        Set(items.lazy.filter(isOutput).compactMap(callID))
    }

    private static func output(of call: OpenCall) -> [UInt8] {
        let type =
            switch call.kind {
            case .function: "function_call_output"
            case .custom: "custom_tool_call_output"
            }
        var item: [UInt8] = []
        item.append(literal: "{\"type\":\"")
        item.append(literal: type)
        item.append(literal: "\"")
        item.field("call_id", call.id)
        item.field("output", output)
        item.append(literal: "}")
        return item
    }

    /// The call that an item is; nil for what is no call that a client runs.
    private static func call(_ item: [UInt8]) -> OpenCall? {
        let kind: OpenCall.Kind
        if JSONValue.isItem(item, ofType: "function_call") {
            kind = .function
        } else if JSONValue.isItem(item, ofType: "custom_tool_call") {
            kind = .custom
        } else {
            return nil
        }
        return callID(of: item).map { OpenCall(kind, $0) }
    }

    private static func isOutput(_ item: [UInt8]) -> Bool {
        JSONValue.isItem(item, ofType: "function_call_output")
            || JSONValue.isItem(item, ofType: "custom_tool_call_output")
    }

    private static func callID(of item: [UInt8]) -> String? {
        let object = JSONValue(kind: .object, range: 0..<item.count)
        return object.member("call_id", in: item.span)?.decoded(in: item.span)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
