/// The body of one `POST /v1/responses`, and how its parts came together.
package struct UpstreamRequestBody: Equatable, Sendable {
    /// The JSON document.
    package var bytes: [UInt8]
}

/// Turns a message into an upstream request.
///
/// Values pass through as they were written: numbers keep their form, unknown options survive.
package struct UpstreamRequestBuilder: Sendable {
    /// Parameters for requests that do not name them, in order.
    package var defaults: [RequestOption] = []
    /// Whether upstream keeps responses; `previous_response_id` needs it.
    package var storesResponses = false
    package var conversation = SessionSettings.ConversationState.upstream

    /// Parameters that are the gateway's own business, whatever a client or the defaults say.
    private static let reserved: Set<String> = ["stream", "stream_options", "input"]

    /// Makes a builder without defaults.
    package init() {}

    /// Builds a request from the message's own input items, the kept ones before them, and options.
    func build(
        _ message: ClientCommand.Message, kept: [[UInt8]], previousResponse: [UInt8]?
    ) -> UpstreamRequestBody {
        var body: [UInt8] = []
        body.append(literal: "{\"stream\":true,\"stream_options\":{\"include_obfuscation\":false}")
        var seen = Self.reserved
        for option in message.options + defaults where seen.insert(option.name).inserted {
            body.append(UInt8(ascii: ","))
            body.append(jsonString: option.name)
            body.append(UInt8(ascii: ":"))
            body.append(contentsOf: option.value)
        }
        if !seen.contains("store") {
            body.append(literal: storesResponses ? ",\"store\":true" : ",\"store\":false")
        }
        if let previousResponse, !seen.contains("previous_response_id"),
            !seen.contains("conversation")
        {
            body.field("previous_response_id", raw: previousResponse)
        }
        body.append(literal: ",\"input\":")
        if kept.isEmpty {
            body.append(contentsOf: message.input)
        } else {
            body.append(UInt8(ascii: "["))
            for item in kept + Self.items(of: message.input) {
                if body.last != UInt8(ascii: "[") { body.append(UInt8(ascii: ",")) }
                body.append(contentsOf: item)
            }
            body.append(UInt8(ascii: "]"))
        }
        body.append(UInt8(ascii: "}"))
        return UpstreamRequestBody(bytes: body)
    }

    /// The input as items: a string is one user message.
    static func items(of input: [UInt8]) -> [[UInt8]] {
        guard input.first == UInt8(ascii: "[") else {
            var item: [UInt8] = []
            item.append(literal: "{\"role\":\"user\",\"content\":")
            item.append(contentsOf: input)
            item.append(UInt8(ascii: "}"))
            return [item]
        }
        var items: [[UInt8]] = []
        let bytes = input.span
        JSONValue(kind: .array, range: 0..<input.count).forEachElement(in: bytes) { element in
            var item: [UInt8] = []
            item.append(bytes, element.range)
            items.append(item)
        }
        return items
    }
}
