/// Reduces any event stream, whole and cut, event by event and skimmed; checks what the reducer promises.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzReducer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let body = Array(UnsafeBufferPointer(start: start, count: count))
    let whole = reduce(body, chunk: max(body.count, 1))
    precondition(
        reduce(body, chunk: max(body.count, 1), skims: true) == whole,
        "the result depends on what is skimmed")
    precondition(reduce(body, chunk: 700, skims: true) == whole, "the result depends on the cuts")
    precondition(reduce(body, chunk: 1) == whole, "the result depends on the cuts")
    precondition(reduce(body, chunk: 13) == whole, "the result depends on the cuts")
    return 0
}

private struct Reduced: Equatable {
    var outputs: [ResponsesOutput] = []
    /// What the deltas said: where it stood depends on how it came.
    var texts: [[UInt8]] = []
    var failure: ResponsesFailure?
    var toldError: ToldError?
}

private func reduce(_ body: [UInt8], chunk: Int, skims: Bool = false) -> Reduced {
    var limits = ResponsesLimits()
    limits.maximumItems = 8
    limits.maximumOutputIndex = 20
    limits.maximumParts = 12
    limits.maximumPartIndex = 9
    limits.maximumIdentifierBytes = 64
    limits.maximumErrorBytes = 16
    limits.maximumDepth = 12
    var parser = ServerSentEventParser(
        limits: .init(maximumLineBytes: 4096, maximumEventBytes: 4096))
    var reducer = ResponsesReducer(limits: limits)
    var result = Reduced()
    var finals: Set<Int> = []
    var hasEnded = false
    func take(_ output: ResponsesOutput, _ data: Span<UInt8>) {
        precondition(!hasEnded, "output after the end")
        switch output {
        case .response(let id, let model, _):
            check(id, data)
            check(model, data)
        case .delta(let index, let kind, let part, let text):
            check(text, data)
            precondition(!text.isEmpty, "empty delta")
            var piece: [UInt8] = []
            piece.append(data, text)
            result.texts.append(piece)
            return result.outputs.append(
                .delta(index: index, kind: kind, part: part, text: 0..<text.count))
        case .toolDelta(_, let kind, _, let text):
            check(text, data)
            precondition(!text.isEmpty && !kind.isEmpty, "empty delta, or of no kind")
        case .tool(let tool):
            check(tool.arguments, data)
            check(tool.output, data)
            precondition(!finals.contains(tool.index), "news of a call that had ended")
            if tool.status.isFinal { finals.insert(tool.index) }
        case .item(_, let item): check(item, data)
        case .upstreamEvent: break
        case .finished(let end):
            check(end.reason, data)
            check(end.usage, data)
            check(end.responseID, data)
            hasEnded = true
        }
        result.outputs.append(output)
    }
    var index = 0
    while index < body.count {
        let end = min(body.count, index + chunk)
        try? parser.feed(body.span.extracting(index..<end)) { chunk, start in
            guard skims else { return start }
            var deltas = DeltaBatch()
            var index = start
            repeat {
                index = reducer.skim(chunk, from: index, kind: .text, into: &deltas)
                for piece in 0..<deltas.count {
                    take(
                        .delta(
                            index: deltas.index, kind: .text, part: deltas.part,
                            text: deltas[piece]), chunk)
                }
            } while deltas.isFull
            return index
        } emit: { data, _, lead in
            do throws(ResponsesFailure) {
                try reducer.reduce(data, lead: lead) { take($0, data) }
                return .proceed
            } catch {
                result.failure = error
                return .stop
            }
        }
        index = end
    }
    precondition(hasEnded == reducer.isFinished, "an end that nobody told")
    result.toldError = reducer.toldError
    return result
}

private func check(_ range: Range<Int>?, _ data: Span<UInt8>) {
    guard let range else { return }
    precondition(range.lowerBound >= 0 && range.upperBound <= data.count, "range outside the data")
}
