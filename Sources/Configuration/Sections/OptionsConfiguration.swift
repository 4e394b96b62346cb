/// Parameters of the upstream request.
package struct OptionsConfiguration: Sendable {
    /// Parameters that a client may set, by name.
    package let allow: [String]
    /// Models that a client may name, without repetition; none: any.
    package let models: [String]
    /// For messages that name none; one of `models`, where there are any.
    package let defaultModel: String?
    /// Parameters for messages that do not set them; each value is JSON text, sorted by name.
    package let defaults: [ConfigurationValue.Pair]
    /// `instructions` for messages that have none.
    package let instructions: String?

    /// Parameters that the gateway sets itself.
    package static let reserved: Set<String> = [
        "input", "stream", "stream_options", "store", "previous_response_id", "conversation",
    ]

    init(_ keys: inout ConfigurationReader) {
        keys.begin("options", "Parameters of the upstream request.")
        allow = keys.list(
            "allow", .parameter, atMost: 64,
            default: [
                "model", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text",
                "reasoning", "metadata", "max_output_tokens", "max_tool_calls", "temperature",
                "top_p", "top_logprobs", "include", "truncation",
            ],
            "Request parameters that a client may set in message.options. Others are refused.")
        models = keys.list(
            "models", .model, atMost: 64,
            "Models that a client may name; ready.options and GET /v1/models list them. Others are "
                + "refused. Empty: any.")
        let named = keys.optionalText(
            "default_model", .line,
            "Model for messages that name none. Unset: the first of options.models, else upstream "
                + "decides, or refuses.",
            .flag("model", environment: "MILLRACE_MODEL"))
        defaultModel = named ?? models.first
        defaults = keys.map(
            "defaults", .parameter, .json, atMost: 64,
            "Request parameters for messages that do not set them; each value is JSON text.")
        instructions = keys.optionalText(
            "instructions", .paragraph, "Instructions for messages that bring none.")
    }
}
