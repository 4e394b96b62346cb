/// The `input` of a request: its items, and what a scenario wants to know about them.
package struct InputItems: Sendable {
    /// The result of a tool, sent back by the client.
    package struct ToolOutput: Equatable, Sendable {
        package let callID: String
        package let text: String
    }

    /// The items as the client wrote them; a plain string is one user message.
    package let items: [JSONValue]
    /// The text of every user message, oldest first.
    package private(set) var userTexts: [String] = []
    /// Results of tools that came after the model's last word.
    package private(set) var newestOutputs: [ToolOutput] = []
    /// Calls that stand in the input itself, for clients that keep the conversation.
    package private(set) var calls: Set<String> = []
    package private(set) var outputs: [ToolOutput] = []
    package private(set) var imageCount = 0
    package private(set) var fileCount = 0
    /// Whether the newest thing said is a user's, not a tool's.
    package private(set) var endsWithUser = false

    package var newestText: String { endsWithUser ? userTexts.last ?? "" : "" }

    /// About four bytes a token, as a rule of thumb for English.
    package private(set) var tokenCount = 0

    package init(_ input: JSONValue) throws(APIError) {
        switch input {
        case .null:
            throw .invalid(
                "Missing required parameter: 'input'.", param: "input",
                code: "missing_required_parameter")
        case .string(let text):
            items = [
                .object([
                    .init("type", .string("message")), .init("role", .string("user")),
                    .init("content", .string(text)),
                ])
            ]
        case .array(let values): items = values
        case .bool, .number, .object:
            throw .invalidType("input", expected: "a string or an array of items")
        }
        for (index, item) in items.enumerated() { try read(item, index) }
    }

    private mutating func read(_ item: JSONValue, _ index: Int) throws(APIError) {
        guard item.members != nil else {
            throw .invalidType("input[\(index)]", expected: "an object")
        }
        tokenCount += 3
        switch item["type"]?.string ?? (item["role"] == nil ? nil : "message") {
        case "message": try readMessage(item, index)
        case "function_call_output", "custom_tool_call_output":
            guard let callID = item["call_id"]?.string else {
                throw .invalid(
                    "Missing required parameter: 'input[\(index)].call_id'.",
                    param: "input[\(index)].call_id", code: "missing_required_parameter")
            }
            let output = ToolOutput(callID: callID, text: text(of: item["output"] ?? .null))
            tokenCount += output.text.utf8.count / 4
            outputs.append(output)
            newestOutputs.append(output)
            endsWithUser = false
        case "function_call", "custom_tool_call":
            if let callID = item["call_id"]?.string { calls.insert(callID) }
            newestOutputs = []
            endsWithUser = false
        case nil:
            throw .invalid(
                "Missing required parameter: 'input[\(index)].type'.",
                param: "input[\(index)].type", code: "missing_required_parameter")
        case _:
            tokenCount += 10
        }
    }

    private mutating func readMessage(_ item: JSONValue, _ index: Int) throws(APIError) {
        let text = text(of: item["content"] ?? .null)
        tokenCount += (text.utf8.count + 3) / 4
        switch item["role"]?.string {
        case "user":
            userTexts.append(text)
            newestOutputs = []
            endsWithUser = true
        case "assistant":
            newestOutputs = []
            endsWithUser = false
        case "system", "developer": break
        case let role:
            throw .invalid(
                "Invalid value: '\(role ?? "null")'. Supported values are: 'assistant', 'system', "
                    + "'developer', and 'user'.",
                param: "input[\(index)].role", code: "invalid_value")
        }
    }

    private mutating func text(of content: JSONValue) -> String {
        guard let parts = content.array else { return content.string ?? "" }
        var text = ""
        for part in parts {
            switch part["type"]?.string {
            case "input_text", "output_text": text += part["text"]?.string ?? ""
            case "input_image": imageCount += 1
            case "input_file": fileCount += 1
            default: break
            }
        }
        return text
    }

    /// The items as `GET …/input_items` lists them: each with an id, strings spelled out as parts.
    package func listed(_ random: inout SeededRandom) -> [JSONValue] {
        items.map { item in
            var members = item.members ?? []
            if item["type"] == nil { members.insert(.init("type", .string("message")), at: 0) }
            if item["id"] == nil {
                members.insert(.init("id", .string(random.identifier("msg_"))), at: 0)
            }
            if let text = item["content"]?.string {
                let type = item["role"]?.string == "assistant" ? "output_text" : "input_text"
                let part = JSONValue.object([
                    .init("type", .string(type)), .init("text", .string(text)),
                ])
                members.removeAll { $0.key == "content" }
                members.append(.init("content", .array([part])))
            }
            if item["status"] == nil { members.append(.init("status", .string("completed"))) }
            return .object(members)
        }
    }
}
