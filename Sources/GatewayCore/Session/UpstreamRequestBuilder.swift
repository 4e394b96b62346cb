/// Turns a message into an upstream request.
///
/// Values pass through as they were written: numbers keep their form, unknown options survive.
package struct UpstreamRequestBuilder: Sendable {
    /// Parameters for requests that do not name them, in order.
    package var defaults: [RequestOption] = []
    /// The models that a request may name, or get by default.
    package var models = OfferedModels()
    /// Whether upstream keeps responses; `previous_response_id` needs it.
    package var storesResponses = false
    package var conversation = SessionSettings.ConversationState.upstream

    /// Parameters that are the gateway's own business, whatever a client or the defaults say.
    private static let reserved: Set<String> = ["stream", "stream_options", "input"]

    /// Makes a builder without defaults.
    package init() {}

    /// True when the message, or a default, says itself what it goes on from.
    func namesContext(of message: ClientCommand.Message) -> Bool {
        (message.options + defaults).contains {
            $0.name == "previous_response_id" || $0.name == "conversation"
        }
    }

    /// The model that is asked for, as raw JSON: the message's own, else the default; nil when upstream is to choose.
    func model(of message: ClientCommand.Message) -> [UInt8]? {
        message.options.first { $0.name == "model" }?.value ?? defaultModel
    }

    /// The model of requests that name none, as raw JSON.
    var defaultModel: [UInt8]? { defaults.first { $0.name == "model" }?.value }

    /// Builds a request from the message's own input items, the kept ones before them, and options.
    func build(
        _ message: ClientCommand.Message, kept: [[UInt8]], previousResponse: [UInt8]?
    ) -> UpstreamRequestBody {
        var body: [UInt8] = []
        body.append(literal: UpstreamRequestBody.streaming)
        var model: Range<Int>?
        var isBackground = false
        var seen = Self.reserved
        for option in message.options + defaults where seen.insert(option.name).inserted {
            body.append(UInt8(ascii: ","))
            body.append(jsonString: option.name)
            body.append(UInt8(ascii: ":"))
            let start = body.count
            body.append(contentsOf: option.value)
            if option.name == "model" { model = start..<body.count }
            if option.name == "background" { isBackground = option.value == Array("true".utf8) }
        }
        if !seen.contains("store") {
            // Upstream keeps background responses only when it may store them.
            let isStored = storesResponses || isBackground
            body.append(literal: isStored ? ",\"store\":true" : ",\"store\":false")
        }
        var isTied = seen.contains("previous_response_id") || seen.contains("conversation")
        if let previousResponse, !seen.contains("previous_response_id"),
            !seen.contains("conversation")
        {
            isTied = true
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
        return UpstreamRequestBody(
            bytes: body, model: model, isBackground: isBackground, isTied: isTied)
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
