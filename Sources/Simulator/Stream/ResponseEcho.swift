/// The `response` object: an echo of the request around what has come out of it so far.
package struct ResponseEcho: Sendable {
    package let id: String
    package let request: ResponseRequest
    /// Unix seconds.
    package let createdAt: Int

    package init(id: String, request: ResponseRequest, createdAt: Int) {
        self.id = id
        self.request = request
        self.createdAt = createdAt
    }

    /// What changes while a response runs.
    struct State {
        var status: ResponseStatus
        var completedAt: Int?
        var error: (code: String, message: String)?
        var incompleteReason: String?
        var usage: Usage?
    }

    struct Usage {
        var input: Int
        var output: Int
        var reasoning: Int
    }

    /// Appends the whole object; `output` appends the items, without their brackets.
    func append(_ state: State, to out: inout [UInt8], output: (inout [UInt8]) -> Void) {
        let body = request.body
        out.put("{\"id\":\"\(id)\",\"object\":\"response\",\"created_at\":\(createdAt)")
        out.put(",\"status\":\"\(state.status.rawValue)\",\"background\":\(request.isBackground)")
        out.put(",\"completed_at\":\(state.completedAt.map { String($0) } ?? "null"),\"error\":")
        if let error = state.error {
            out.put("{\"code\":\"\(error.code)\",\"message\":")
            out.putQuoted(error.message)
            out.put("}")
        } else {
            out.put("null")
        }
        field("frequency_penalty", body, "0.0", &out)
        out.put(",\"incomplete_details\":")
        out.put(state.incompleteReason.map { "{\"reason\":\"\($0)\"}" } ?? "null")
        field("instructions", body, "null", &out)
        field("max_output_tokens", body, "null", &out)
        field("max_tool_calls", body, "null", &out)
        out.put(",\"model\":")
        out.putQuoted(request.model)
        out.put(",\"output\":[")
        output(&out)
        out.put("]")
        field("parallel_tool_calls", body, "true", &out)
        field("presence_penalty", body, "0.0", &out)
        field("previous_response_id", body, "null", &out)
        field("prompt_cache_key", body, "null", &out)
        field("prompt_cache_retention", body, "null", &out)
        out.put(",\"reasoning\":")
        out.put(defaulted(body["reasoning"], ["effort": .null, "summary": .null]))
        field("safety_identifier", body, "null", &out)
        out.put(",\"service_tier\":\"\(state.usage == nil ? "auto" : "default")\"")
        field("store", body, "true", &out)
        field("temperature", body, "1.0", &out)
        out.put(",\"text\":")
        let format = JSONValue.object([.init("type", .string("text"))])
        out.put(defaulted(body["text"], ["format": format, "verbosity": .string("medium")]))
        field("tool_choice", body, "\"auto\"", &out)
        out.put(",\"tools\":")
        out.put(.array(request.tools.map(Self.effective)))
        field("top_logprobs", body, "0", &out)
        field("top_p", body, "1.0", &out)
        field("truncation", body, "\"disabled\"", &out)
        appendUsage(state.usage, to: &out)
        field("user", body, "null", &out)
        field("metadata", body, "{}", &out)
        if let conversation = body["conversation"], !conversation.isNull {
            let id = conversation["id"] ?? conversation
            out.put(",\"conversation\":")
            out.put(.object([.init("id", id)]))
        }
        out.put("}")
    }

    private func appendUsage(_ usage: Usage?, to out: inout [UInt8]) {
        guard let usage else {
            out.put(",\"usage\":null")
            return
        }
        out.put(",\"usage\":{\"input_tokens\":\(usage.input),\"input_tokens_details\":")
        out.put("{\"cached_tokens\":0},\"output_tokens\":\(usage.output)")
        out.put(",\"output_tokens_details\":{\"reasoning_tokens\":\(usage.reasoning)}")
        out.put(",\"total_tokens\":\(usage.input + usage.output)}")
    }

    private func field(
        _ name: String, _ body: JSONValue, _ missing: String, _ out: inout [UInt8]
    ) {
        out.put(",\"\(name)\":")
        if let value = body[name], !value.isNull { out.put(value) } else { out.put(missing) }
    }

    /// The client's object with the keys it left out.
    private func defaulted(
        _ value: JSONValue?, _ defaults: KeyValuePairs<String, JSONValue>
    ) -> JSONValue {
        var members = value?.members ?? []
        for (key, value) in defaults where !members.contains(where: { $0.key == key }) {
            members.append(.init(key, value))
        }
        return .object(members)
    }

    /// A function tool comes back with its defaults spelled out.
    private static func effective(_ tool: JSONValue) -> JSONValue {
        guard tool["type"]?.string == "function", var members = tool.members else { return tool }
        if tool["description"] == nil { members.append(.init("description", .null)) }
        if tool["strict"] == nil { members.append(.init("strict", .bool(true))) }
        return .object(members)
    }
}
