/// An answer that broke off and goes on at another upstream.
extension SessionMachine {
    /// The text of a response so far, as UTF-8; nil when it has ended.
    package func text(of number: Int) -> [UInt8]? {
        guard let index = recordIndex(number), responses[index].isStreaming else { return nil }
        return log.text(of: responses[index].extent)
    }

    /// Marks the place from which the answer is another upstream's; `reason` is the code of what broke.
    ///
    /// What follows has upstream's output indexes after the ones that were used.
    package mutating func upstreamSeam(_ number: Int, reason: String) {
        guard settings.fidelity == .native, let index = recordIndex(number),
            responses[index].isStreaming
        else { return }
        log.trimLastRun()
        let before = log.storedBytes
        let record = responses[index]
        log.append(.seam, type: "seam", response: number) { frame in
            frame.field("response", record.id)
            frame.field("index", record.nextIndex)
            frame.field("reason", reason)
        }
        responses[index].seams.append(record.nextIndex)
        noteEntry(index, since: before)
    }

    /// `"seams"`: the indexes from which the answer is another upstream's; nothing where it is all of one.
    static func appendSeams(of record: ResponseRecord, to object: inout [UInt8]) {
        guard !record.seams.isEmpty else { return }
        object.append(literal: ",\"seams\":[")
        for (position, index) in record.seams.enumerated() {
            if position > 0 { object.append(UInt8(ascii: ",")) }
            object.append(decimal: index)
        }
        object.append(UInt8(ascii: "]"))
    }
}

extension ResponsesOutput {
    /// The output index that it is about.
    var index: Int? {
        switch self {
        case .delta(let index, _, _, _), .toolDelta(let index, _, _, _), .item(let index, _): index
        case .tool(let update): update.index
        case .upstreamEvent(let index): index
        case .response, .finished: nil
        }
    }

    /// The same behind the output of an earlier upstream, which has used the indexes below `offset`.
    func shifted(by offset: Int) -> ResponsesOutput {
        switch self {
        case .delta(let index, let kind, let part, let text):
            return .delta(index: index + offset, kind: kind, part: part, text: text)
        case .toolDelta(let index, let kind, let part, let text):
            return .toolDelta(index: index + offset, kind: kind, part: part, text: text)
        case .tool(var update):
            update.index += offset
            return .tool(update)
        case .item(let index, let item): return .item(index: index + offset, item: item)
        case .upstreamEvent(let index): return .upstreamEvent(index: index.map { $0 + offset })
        case .response, .finished: return self
        }
    }
}
