/// The checks on single parameters of a request body.
struct RequestCheck {
    let body: JSONValue

    func string(_ key: String) throws(APIError) -> String? {
        guard let value = body[key], !value.isNull else { return nil }
        guard let text = value.string else { throw .invalidType(key, expected: "a string") }
        return text
    }

    func bool(_ key: String) throws(APIError) -> Bool? {
        guard let value = body[key], !value.isNull else { return nil }
        guard let flag = value.bool else { throw .invalidType(key, expected: "a boolean") }
        return flag
    }

    func ranges() throws(APIError) {
        try number("temperature", 0...2)
        try number("top_p", 0...1)
        try Self.integer("top_logprobs", body["top_logprobs"], 0...20)
        try Self.integer("max_output_tokens", body["max_output_tokens"], 16...1_000_000_000)
        try Self.integer("max_tool_calls", body["max_tool_calls"], 1...1_000_000_000)
        for key in ["instructions", "safety_identifier", "prompt_cache_key", "service_tier"] {
            _ = try string(key)
        }
        _ = try bool("parallel_tool_calls")
        try member("include_obfuscation", of: "stream_options") { name, value throws(APIError) in
            guard value.bool != nil else { throw .invalidType(name, expected: "a boolean") }
        }
        try Self.word("truncation", body["truncation"], ["auto", "disabled"])
        try member("effort", of: "reasoning") { name, value throws(APIError) in
            try Self.word(name, value, Self.efforts)
        }
        try member("format", of: "text") { name, value throws(APIError) in
            guard value.members != nil else { throw .invalidType(name, expected: "an object") }
            try Self.word("\(name).type", value["type"], ["text", "json_object", "json_schema"])
        }
        try toolChoice()
        try tools()
        try metadata()
        if let conversation = body["conversation"], !conversation.isNull,
            let previous = body["previous_response_id"], !previous.isNull
        {
            throw .invalid(
                "'previous_response_id' and 'conversation' cannot be used together.",
                param: "previous_response_id", code: "mutually_exclusive_parameters")
        }
    }

    private static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh"]

    /// An integer, where there is one.
    static func integer(
        _ name: String, _ value: JSONValue?, _ range: ClosedRange<Int>
    ) throws(APIError) {
        guard let value, !value.isNull else { return }
        guard let number = value.integer else {
            throw .invalidType(name, expected: "an integer")
        }
        guard number >= range.lowerBound else {
            throw .invalid(
                "Invalid '\(name)': integer below minimum value. Expected a value >= "
                    + "\(range.lowerBound), but got \(number) instead.",
                param: name, code: "integer_below_min_value")
        }
        guard number <= range.upperBound else {
            throw .invalid(
                "Invalid '\(name)': integer above maximum value. Expected a value <= "
                    + "\(range.upperBound), but got \(number) instead.",
                param: name, code: "integer_above_max_value")
        }
    }

    /// One of `words`, where there is something.
    private static func word(
        _ name: String, _ value: JSONValue?, _ words: [String]
    ) throws(APIError) {
        guard let value, !value.isNull else { return }
        guard let text = value.string else { throw .invalidType(name, expected: "a string") }
        guard words.contains(text) else {
            throw .invalid(
                "Invalid value: '\(text)'. Supported values are: "
                    + words.map { "'\($0)'" }.joined(separator: ", ") + ".",
                param: name, code: "invalid_value")
        }
    }

    /// Checks that `key` is an object where it is there, and its member `name` by `check`.
    private func member(
        _ name: String, of key: String, _ check: (String, JSONValue) throws(APIError) -> Void
    ) throws(APIError) {
        guard let value = body[key], !value.isNull else { return }
        guard value.members != nil else { throw .invalidType(key, expected: "an object") }
        guard let inner = value[name], !inner.isNull else { return }
        try check("\(key).\(name)", inner)
    }

    private func toolChoice() throws(APIError) {
        guard let value = body["tool_choice"], value.members == nil else { return }
        guard value.isNull || value.string != nil else {
            throw .invalidType("tool_choice", expected: "a string or an object")
        }
        try Self.word("tool_choice", value, ["none", "auto", "required"])
    }

    private func number(_ key: String, _ range: ClosedRange<Double>) throws(APIError) {
        guard let value = body[key], !value.isNull else { return }
        guard let number = value.double else { throw .invalidType(key, expected: "a number") }
        guard number >= range.lowerBound else {
            throw .invalid(
                "Invalid '\(key)': below the minimum of \(range.lowerBound).", param: key,
                code: "decimal_below_min_value")
        }
        guard number <= range.upperBound else {
            throw .invalid(
                "Invalid '\(key)': above the maximum of \(range.upperBound).", param: key,
                code: "decimal_above_max_value")
        }
    }

    private func tools() throws(APIError) {
        guard let value = body["tools"], !value.isNull else { return }
        guard let tools = value.array else { throw .invalidType("tools", expected: "an array") }
        for (index, tool) in tools.enumerated() {
            if let type = tool["type"], !type.isNull, type.string == nil {
                throw .invalidType("tools[\(index)].type", expected: "a string")
            }
            guard let type = tool["type"]?.string else {
                throw .invalid(
                    "Missing required parameter: 'tools[\(index)].type'.",
                    param: "tools[\(index)].type", code: "missing_required_parameter")
            }
            guard Self.isTool(type) else {
                throw .invalid(
                    "Invalid value: '\(type)'. Supported values are: "
                        + Self.toolTypes.map { "'\($0)'" }.joined(separator: ", ") + ".",
                    param: "tools[\(index)].type", code: "invalid_value")
            }
            if type == "function" || type == "custom", tool["name"]?.string == nil {
                throw .invalid(
                    "Missing required parameter: 'tools[\(index)].name'.",
                    param: "tools[\(index)].name", code: "missing_required_parameter")
            }
        }
    }

    private static let toolTypes = [
        "function", "custom", "web_search", "file_search", "code_interpreter", "computer",
        "image_generation", "mcp", "local_shell", "shell", "apply_patch", "tool_search",
        "namespace",
    ]

    /// Versions of a tool carry their date or more behind its name: `web_search_preview_2025_03_11`.
    private static func isTool(_ type: String) -> Bool {
        toolTypes.contains { type == $0 || type.hasPrefix($0 + "_") }
    }

    private func metadata() throws(APIError) {
        guard let value = body["metadata"], !value.isNull else { return }
        guard let members = value.members else {
            throw .invalidType("metadata", expected: "an object")
        }
        guard members.count <= 16 else {
            throw .invalid(
                "Invalid 'metadata': too many properties, at most 16.", param: "metadata",
                code: "object_above_max_properties")
        }
        for member in members {
            guard let text = member.value.string else {
                throw .invalidType("metadata.\(member.key)", expected: "a string")
            }
            guard member.key.utf8.count <= 64, text.unicodeScalars.count <= 512 else {
                throw .invalid(
                    "Invalid 'metadata.\(member.key)': string too long.",
                    param: "metadata.\(member.key)", code: "string_above_max_length")
            }
        }
    }
}
