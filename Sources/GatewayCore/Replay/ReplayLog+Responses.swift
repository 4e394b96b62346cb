/// What a log says about one response, read back from its segments.
extension ReplayLog {
    private func segments(of response: Int) -> some Sequence<LogSegment> {
        segments.lazy.filter { $0.response == response }
    }

    /// The whole output text: pieces of kind `text` in order of output index, then of arrival, as UTF-8.
    func text(ofResponse response: Int) -> [UInt8] {
        var indexes: Set<Int> = []
        for segment in segments(of: response) where segment.key?.content == .delta(.text) {
            if let key = segment.key { indexes.insert(key.index) }
        }
        var text: [UInt8] = []
        var decoder = JSONTextDecoder()
        for index in indexes.sorted() {
            for segment in segments(of: response)
            where segment.key?.content == .delta(.text) && segment.key?.index == index {
                decoder.feed(segment.bytes.span, into: &text)
            }
        }
        decoder.finish(into: &text)
        return text
    }

    /// Marks the newest entry as a tool event of an output index.
    mutating func noteTool(index: Int) {
        guard let last = segments.indices.last else { return }
        setIndex(index, ofSegment: last)
    }

    /// The response's answer as input items for a next request: finished items, then cut-off text.
    func conversationItems(ofResponse response: Int) -> [[UInt8]] {
        var items: [(index: Int, item: [UInt8])] = []
        for segment in segments(of: response) where segment.kind == .item {
            let item = Array(segment.bytes[segment.payload])
            if Self.isReplayable(item) { items.append((segment.index, item)) }
        }
        for text in openTexts(ofResponse: response) where text.key.content == .delta(.text) {
            var item: [UInt8] = []
            item.append(literal: "{\"role\":\"assistant\",\"content\":\"")
            item.append(contentsOf: text.bytes)
            item.append(literal: "\"}")
            items.append((text.key.index, item))
        }
        return items.sorted { $0.index < $1.index }.map(\.item)
    }

    /// Reasoning can be sent again only with its encrypted content: upstream has not kept the rest.
    private static func isReplayable(_ item: [UInt8]) -> Bool {
        let bytes = item.span
        let object = JSONValue(kind: .object, range: 0..<item.count)
        guard object.member("type", in: bytes)?.equals("reasoning", in: bytes) == true else {
            return true
        }
        return object.member("encrypted_content", in: bytes)?.kind == .string
    }

    // MARK: Parts of a snapshot

    /// The fields of the `message` event after its `seq` and `id`: `input` or `input_bytes`.
    func appendInput(ofResponse response: Int, to object: inout [UInt8]) {
        guard let segment = segments(of: response).first(where: { $0.kind == .message }) else {
            return
        }
        let bytes = segment.bytes.span
        let event = JSONValue(kind: .object, range: 0..<segment.bytes.count)
        if let input = event.member("input", in: bytes) {
            object.field("input", raw: bytes, input.range)
        } else if let count = event.member("input_bytes", in: bytes) {
            object.field("input_bytes", raw: bytes, count.range)
        }
    }

    /// `"items"`: the finished output items.
    func appendItems(ofResponse response: Int, to object: inout [UInt8]) {
        object.append(literal: ",\"items\":[")
        var isFirst = true
        for segment in segments(of: response) where segment.kind == .item {
            object.append(literal: isFirst ? "{\"index\":" : ",{\"index\":")
            isFirst = false
            object.append(decimal: segment.index)
            object.append(literal: ",\"item\":")
            object.append(contentsOf: segment.bytes[segment.payload])
            object.append(UInt8(ascii: "}"))
        }
        object.append(UInt8(ascii: "]"))
    }

    /// `"partial"`: what has streamed of items that are not finished, and the last event of open tools.
    func appendPartial(ofResponse response: Int, to object: inout [UInt8]) {
        object.append(literal: ",\"partial\":[")
        var isFirst = true
        for text in openTexts(ofResponse: response) {
            object.append(literal: isFirst ? "{\"index\":" : ",{\"index\":")
            isFirst = false
            object.append(decimal: text.key.index)
            if text.key.part != 0 { object.field("part", text.key.part) }
            switch text.key.content {
            case .delta(let kind): object.field("kind", kind.wireName)
            case .tool:
                object.field("kind", "tool")
                if let event = lastToolEvent(response, text.key.index) {
                    object.field("tool", raw: event)
                }
            }
            object.append(literal: ",\"text\":\"")
            object.append(contentsOf: text.bytes)
            object.append(literal: "\"}")
        }
        object.append(UInt8(ascii: "]"))
    }

    /// `"complete"`: the response's end, where it has come.
    func appendComplete(ofResponse response: Int, to object: inout [UInt8]) {
        guard let segment = segments(of: response).first(where: { $0.kind == .complete }) else {
            return
        }
        object.field("complete", raw: segment.bytes)
    }

    private func lastToolEvent(_ response: Int, _ index: Int) -> [UInt8]? {
        segments.last { $0.kind == .tool && $0.response == response && $0.index == index }?.bytes
    }

    /// The texts of items that have no `item` event, joined by what they belong to, in order of arrival.
    private func openTexts(ofResponse response: Int) -> [(key: RunKey, bytes: [UInt8])] {
        let finished = Set(segments(of: response).filter { $0.kind == .item }.map(\.index))
        var texts: [(key: RunKey, bytes: [UInt8])] = []
        for segment in segments(of: response) {
            guard let key = segment.key, !finished.contains(key.index) else { continue }
            if let known = texts.firstIndex(where: { $0.key == key }) {
                texts[known].bytes.append(contentsOf: segment.bytes)
            } else {
                texts.append((key, segment.bytes))
            }
        }
        return texts
    }
}
