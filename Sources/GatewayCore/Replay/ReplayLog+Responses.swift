/// Where in a log the events of one response lie, others among them.
struct ResponseExtent {
    /// The response's number within its session.
    let response: Int
    let firstSequence: Int
    let lastSequence: Int
}

/// What a log says about one response, read back from its segments.
extension ReplayLog {
    private func segments(of extent: ResponseExtent) -> some Sequence<LogSegment> {
        let range =
            segments.isEmpty
            ? 0..<0
            : segmentIndex(holding: extent.firstSequence)..<segmentIndex(
                holding: extent.lastSequence) + 1
        return segments[range].lazy.filter { $0.response == extent.response }
    }

    /// What the response counts against the log's limits, in bytes.
    func storedBytes(of extent: ResponseExtent) -> Int {
        segments(of: extent).reduce(0) { $0 + $1.storedBytes }
    }

    /// The whole output text: pieces of kind `text` in order of output index, then of arrival, as UTF-8.
    func text(of extent: ResponseExtent) -> [UInt8] {
        var runs: [(index: Int, sequence: Int, bytes: [UInt8])] = []
        for segment in segments(of: extent) {
            guard let key = segment.key, key.content == .delta(.text) else { continue }
            runs.append((key.index, segment.firstSequence, segment.bytes))
        }
        runs.sort { ($0.index, $0.sequence) < ($1.index, $1.sequence) }
        var text: [UInt8] = []
        // Decoding never makes it longer; growing by doubling would take three times a long answer.
        text.reserveCapacity(runs.reduce(0) { $0 + $1.bytes.count })
        var decoder = JSONTextDecoder()
        for run in runs { decoder.feed(run.bytes.span, into: &text) }
        decoder.finish(into: &text)
        return text
    }

    /// The response's answer as input items for a next request: finished items, then cut-off text.
    ///
    /// Of an answer that was cut short only what was said counts: a call without its output, or reasoning
    /// without what it led to, would make upstream refuse every later request.
    func conversationItems(of extent: ResponseExtent, isWhole: Bool) -> [[UInt8]] {
        var items: [(index: Int, item: [UInt8])] = []
        for segment in segments(of: extent) where segment.kind == .item {
            let item = Array(segment.bytes[segment.payload])
            if isWhole ? Self.isReplayable(item) : JSONValue.isItem(item, ofType: "message") {
                items.append((segment.index, item))
            }
        }
        for text in openTexts(of: extent) where text.kind == .text {
            var item: [UInt8] = []
            item.append(literal: "{\"role\":\"assistant\",\"content\":")
            // Decoded, because a text that ends inside a surrogate pair is no JSON upstream would take.
            item.append(jsonString: JSONText.decode(text.bytes.span, 0..<text.bytes.count).span)
            item.append(literal: "}")
            items.append((text.index, item))
        }
        return items.sorted { $0.index < $1.index }.map(\.item)
    }

    /// Reasoning can be sent again only with its encrypted content: upstream has not kept the rest.
    static func isReplayable(_ item: [UInt8]) -> Bool {
        guard JSONValue.isItem(item, ofType: "reasoning") else { return true }
        let object = JSONValue(kind: .object, range: 0..<item.count)
        return object.member("encrypted_content", in: item.span)?.kind == .string
    }

    // MARK: Parts of a snapshot

    /// The fields of the `message` event after its `seq` and `id`: `input` or `input_bytes`.
    func appendInput(of extent: ResponseExtent, to object: inout [UInt8]) {
        guard let segment = segments(of: extent).first(where: { $0.kind == .message }) else {
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
    func appendItems(of extent: ResponseExtent, to object: inout [UInt8]) {
        object.append(literal: ",\"items\":[")
        var isFirst = true
        for segment in segments(of: extent) where segment.kind == .item {
            object.append(literal: isFirst ? "{\"index\":" : ",{\"index\":")
            isFirst = false
            object.append(decimal: segment.index)
            object.append(literal: ",\"item\":")
            object.append(contentsOf: segment.bytes[segment.payload])
            object.append(UInt8(ascii: "}"))
        }
        object.append(UInt8(ascii: "]"))
    }

    /// `"partial"`: what has streamed of items that are not finished; of tools also the latest event.
    func appendPartial(of extent: ResponseExtent, to object: inout [UInt8]) {
        object.append(literal: ",\"partial\":[")
        var isFirst = true
        for text in openTexts(of: extent) {
            object.append(literal: isFirst ? "{\"index\":" : ",{\"index\":")
            isFirst = false
            object.append(decimal: text.index)
            if text.part != 0 { object.field("part", text.part) }
            object.field("kind", text.kind?.wireName ?? "tool")
            if let event = text.toolEvent { object.field("tool", raw: event) }
            object.append(literal: ",\"text\":\"")
            object.append(contentsOf: text.bytes)
            object.append(literal: "\"}")
        }
        object.append(UInt8(ascii: "]"))
    }

    /// `"complete"`: the response's end, where it has come.
    func appendComplete(of extent: ResponseExtent, to object: inout [UInt8]) {
        guard let segment = segments(of: extent).first(where: { $0.kind == .complete }) else {
            return
        }
        object.field("complete", raw: segment.bytes)
    }

    /// One text of an item that has no `item` event.
    private struct OpenText {
        let index: Int
        let part: Int
        /// What the text is; nil for the arguments of a tool.
        let kind: DeltaKind?
        var bytes: [UInt8] = []
        /// For the first part of a tool: its latest event.
        var toolEvent: [UInt8]?
    }

    /// The texts of items that have no `item` event, joined by what they belong to, in order of arrival.
    ///
    /// A tool that has streamed no arguments has an empty one.
    private func openTexts(of extent: ResponseExtent) -> [OpenText] {
        var finished: Set<Int> = []
        for segment in segments(of: extent) where segment.kind == .item {
            finished.insert(segment.index)
        }
        var texts: [OpenText] = []
        func place(_ index: Int, _ part: Int, _ kind: DeltaKind?) -> Int {
            let known = texts.lastIndex {
                $0.index == index && $0.part == part && $0.kind == kind
            }
            if let known { return known }
            texts.append(OpenText(index: index, part: part, kind: kind))
            return texts.count - 1
        }
        for segment in segments(of: extent) {
            if let key = segment.key, !finished.contains(key.index) {
                let kind: DeltaKind? = if case .delta(let kind) = key.content { kind } else { nil }
                texts[place(key.index, key.part, kind)].bytes.append(contentsOf: segment.bytes)
            } else if segment.kind == .tool, !finished.contains(segment.index) {
                texts[place(segment.index, 0, nil)].toolEvent = segment.bytes
            }
        }
        return texts
    }
}
