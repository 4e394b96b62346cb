/// The body of `POST /v1/responses`, checked the way OpenAI checks it.
package struct ResponseRequest: Sendable {
    /// The whole body; parameters that are only echoed are read from here.
    package let body: JSONValue
    package let model: String
    package let input: InputItems
    package let isStream: Bool
    package let isBackground: Bool
    package let isStored: Bool
    package let wantsObfuscation: Bool
    package let previousResponseID: String?
    package let maximumOutputTokens: Int?
    /// What the newest input's markers and `metadata.sim` ask for.
    package let directives: Directives
    /// The newest user text without its markers.
    package let plainText: String

    /// Whether each text delta begins with the moment it was written.
    package var wantsTimestamps: Bool {
        model.hasSuffix("+ts") || body["metadata"]?["millrace_timestamps"]?.string == "1"
    }

    /// Tools of type `function`.
    package var functions: [JSONValue] { tools.filter { $0["type"]?.string == "function" } }

    package var tools: [JSONValue] { body["tools"]?.array ?? [] }

    package func includes(_ name: String) -> Bool {
        body["include"]?.array?.contains(.string(name)) ?? false
    }

    package init(_ bytes: [UInt8]) throws(APIError) {
        let body: JSONValue
        do throws(JSONParser.Failure) {
            body = try JSONParser.parse(bytes)
        } catch {
            throw .invalid(
                "We could not parse the JSON body of your request: \(error.reason) at byte "
                    + "\(error.offset).")
        }
        try self.init(body)
    }

    package init(_ body: JSONValue) throws(APIError) {
        guard let members = body.members else {
            throw .invalidType("body", expected: "an object")
        }
        for member in members where !Self.parameters.contains(member.key) {
            throw .invalid(
                "Unknown parameter: '\(member.key)'.", param: member.key, code: "unknown_parameter")
        }
        let check = RequestCheck(body: body)
        guard let model = try check.string("model") else {
            throw .invalid(
                "Missing required parameter: 'model'.", param: "model",
                code: "missing_required_parameter")
        }
        try check.ranges()
        self.body = body
        self.model = model
        input = try InputItems(body["input"] ?? .null)
        isStream = try check.bool("stream") ?? false
        isBackground = try check.bool("background") ?? false
        isStored = try check.bool("store") ?? true
        wantsObfuscation = body["stream_options"]?["include_obfuscation"]?.bool ?? true
        previousResponseID = try check.string("previous_response_id")
        maximumOutputTokens = body["max_output_tokens"]?.integer

        var (directives, plain) = Directives.extract(from: input.newestText)
        for output in input.newestOutputs {
            directives.merge(Directives.extract(from: output.text).directives)
        }
        if let text = body["metadata"]?["sim"]?.string { directives.add(text) }
        self.directives = directives
        plainText = plain
    }

    /// Every request parameter that OpenAI declares.
    private static let parameters: Set<String> = [
        "background", "context_management", "conversation", "include", "input", "instructions",
        "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation",
        "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier",
        "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice",
        "tools", "top_logprobs", "top_p", "truncation", "user",
        // Seen in the wild and accepted: the penalties come back in real response objects.
        "frequency_penalty", "presence_penalty",
    ]
}
