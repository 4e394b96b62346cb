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
        var request = begin(message.options, besides: Self.reserved)
        if !request.names.contains("store") {
            // Upstream keeps background responses only when it may store them.
            request.bytes.field("store", storesResponses || request.isBackground)
        }
        let namesContext =
            request.names.contains("previous_response_id") || request.names.contains("conversation")
        if let previousResponse, !namesContext {
            request.bytes.field("previous_response_id", raw: previousResponse)
        }
        if kept.isEmpty {
            request.bytes.field("input", raw: message.input)
        } else {
            request.bytes.field("input", items: kept + Self.items(of: message.input))
        }
        request.bytes.append(UInt8(ascii: "}"))
        return UpstreamRequestBody(
            bytes: request.bytes, model: request.model, isBackground: request.isBackground,
            isTied: namesContext || previousResponse != nil)
    }

    /// Begins a request with parameters, and with the defaults that they do not name; leaves `reserved` ones out.
    func begin(
        _ parameters: [RequestOption], besides reserved: Set<String>
    ) -> UpstreamRequestBeginning {
        var request = UpstreamRequestBeginning(names: reserved)
        for parameter in parameters + defaults { request.take(parameter) }
        return request
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

/// The body of a request up to the last of its parameters.
struct UpstreamRequestBeginning {
    var bytes = Array(UpstreamRequestBody.streaming.utf8)
    /// Where the value of `model` stands in it.
    private(set) var model: Range<Int>?
    private(set) var isBackground = false
    /// Names of parameters that were taken, or are not to be.
    private(set) var names: Set<String>

    init(names: Set<String>) { self.names = names }

    /// Appends a parameter as it was written; of equal names the first one counts.
    mutating func take(_ parameter: RequestOption) {
        guard names.insert(parameter.name).inserted else { return }
        // Names come from clients: they are escaped, unlike those of `field`.
        bytes.append(jsonKey: parameter.name)
        bytes.append(contentsOf: parameter.value)
        let value = bytes.count - parameter.value.count..<bytes.count
        if parameter.name == "model" { model = value }
        if parameter.name == "background" {
            isBackground = parameter.value == Array("true".utf8)
        }
    }
}
