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
        try number("top_logprobs", 0...20)
        try number("max_output_tokens", 16...1_000_000_000)
        for key in ["instructions", "safety_identifier", "prompt_cache_key", "service_tier"] {
            _ = try string(key)
        }
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
            guard let type = tool["type"]?.string else {
                throw .invalid(
                    "Missing required parameter: 'tools[\(index)].type'.",
                    param: "tools[\(index)].type", code: "missing_required_parameter")
            }
            if type == "function" || type == "custom", tool["name"]?.string == nil {
                throw .invalid(
                    "Missing required parameter: 'tools[\(index)].name'.",
                    param: "tools[\(index)].name", code: "missing_required_parameter")
            }
        }
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
