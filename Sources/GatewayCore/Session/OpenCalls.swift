/// Tool calls of a conversation that nobody has answered.
///
/// Upstream refuses a request with a call that has no output. A client that answers with plain text instead says
/// that it will not run the call: the model is told so, and the chat goes on.
enum OpenCalls {
    /// What stands for the output of a call that was not run.
    static let output = "This call was not run."

    /// The items, each call behind which nothing in them or in `further` answers followed by an output.
    static func closed(_ items: [[UInt8]], before further: [[UInt8]]) -> [[UInt8]] {
        let calls = items.indices.filter { outputType(of: items[$0]) != nil }
        guard !calls.isEmpty else { return items }
        let answered = answeredCalls(in: items[calls[0]...] + further)
        var result: [[UInt8]] = []
        for item in items {
            result.append(item)
            guard let type = outputType(of: item), let id = callID(of: item),
                !answered.contains(id)
            else { continue }
            result.append(output(type, of: id))
        }
        return result
    }

    /// Outputs for the calls among `items` behind which nothing answers.
    static func outputs(for items: [[UInt8]]) -> [[UInt8]] {
        let answered = answeredCalls(in: items)
        return items.compactMap { item in
            guard let type = outputType(of: item), let id = callID(of: item),
                !answered.contains(id)
            else { return nil }
            return output(type, of: id)
        }
    }

    /// Of `outputs`, those for calls that `input` does not answer itself.
    static func unanswered(_ outputs: [[UInt8]], by input: [[UInt8]]) -> [[UInt8]] {
        let answered = answeredCalls(in: input)
        return outputs.filter { callID(of: $0).map { !answered.contains($0) } ?? false }
    }

    private static func answeredCalls(in items: [[UInt8]]) -> Set<[UInt8]> {
        Set(items.lazy.filter(isOutput).compactMap(callID))
    }

    private static func output(_ type: String, of callID: [UInt8]) -> [UInt8] {
        var item: [UInt8] = []
        item.append(literal: "{\"type\":\"")
        item.append(literal: type)
        item.append(literal: "\",\"call_id\":")
        item.append(contentsOf: callID)
        item.field("output", output)
        item.append(literal: "}")
        return item
    }

    /// The type of the item that answers a call; nil for what is no call that a client runs.
    private static func outputType(of item: [UInt8]) -> String? {
        if isOfType("function_call", item) { return "function_call_output" }
        if isOfType("custom_tool_call", item) { return "custom_tool_call_output" }
        return nil
    }

    private static func isOutput(_ item: [UInt8]) -> Bool {
        isOfType("function_call_output", item) || isOfType("custom_tool_call_output", item)
    }

    private static func isOfType(_ type: String, _ item: [UInt8]) -> Bool {
        let object = JSONValue(kind: .object, range: 0..<item.count)
        return object.member("type", in: item.span)?.equals(type, in: item.span) == true
    }

    /// The `call_id` as raw JSON.
    private static func callID(of item: [UInt8]) -> [UInt8]? {
        let object = JSONValue(kind: .object, range: 0..<item.count)
        return object.member("call_id", in: item.span).map { Array(item[$0.range]) }
    }
}
