/// The body of one `POST /v1/responses`, and how its parts came together.
package struct UpstreamRequestBody: Equatable, Sendable {
    /// The JSON document, which asks for a stream.
    package var bytes: [UInt8]
    /// Where the value of `model` stands in it; nil when upstream is to choose.
    package var model: Range<Int>?
    /// Upstream is to go on without us: `background` is true.
    package var isBackground = false
    /// The first event counts as output: whoever asked waits for nothing else.
    package var isShownAtOnce = false
    /// It names something that one upstream keeps: a previous response or a conversation.
    package var isTied = false

    /// Of a background response that runs already: it is never sent.
    package static let running = UpstreamRequestBody(bytes: [], isBackground: true)

    static let streaming = "{\"stream\":true,\"stream_options\":{\"include_obfuscation\":false}"
    private static let whole = "{\"stream\":false"

    /// The model's name; nil when there is none, or none that is a string.
    package var modelName: String? {
        model.flatMap { JSONValue(kind: .string, range: $0).decoded(in: bytes.span) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Forgets the document but for the model's name: it will not be sent any more.
    ///
    /// A conversation can be large, and the answer to it long.
    package mutating func forget() {
        bytes = model.map { Array(bytes[$0]) } ?? []
        model = model.map { 0..<$0.count }
    }

    /// The document with another model, or without streaming.
    package func bytes(model name: String?, isStreaming: Bool) -> [UInt8] {
        guard name != nil || !isStreaming else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 64)
        result.append(literal: isStreaming ? Self.streaming : Self.whole)
        var position = Self.streaming.utf8.count
        if let name, let model {
            result.append(contentsOf: bytes[position..<model.lowerBound])
            result.append(jsonString: name)
            position = model.upperBound
        }
        result.append(contentsOf: bytes[position...])
        if let name, model == nil, result.last == UInt8(ascii: "}") {
            result.removeLast()
            result.append(literal: ",\"model\":")
            result.append(jsonString: name)
            result.append(UInt8(ascii: "}"))
        }
        return result
    }
}
