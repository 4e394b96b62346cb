/// Deltas that need not be looked for in the event stream.
extension ResponsesReducer {
    /// Takes the deltas of `kind` that begin at `start` of a chunk and are written as the last one was, event by event,
    /// with the same lines around them (``DeltaTemplate``); returns the place behind them.
    ///
    /// `deltas` holds what `reduce` would have made of them, and nothing else. Stops at the first event that is written
    /// otherwise or has not come whole, at an empty piece of text, and when the batch is full.
    package mutating func skim(
        _ chunk: Span<UInt8>, from start: Int, kind: DeltaKind, into deltas: inout DeltaBatch
    ) -> Int {
        let target = template.target
        deltas.begin(index: target.index, kind: target.kind, part: target.part)
        guard template.isSet, !isFinished, target.kind == kind else { return start }
        // Kept apart meanwhile: in the list of texts each of its steps would be looked up again.
        var fingerprint = parts[target.place].fingerprint
        var end = start
        while end < chunk.count, !deltas.isFull, let event = template.event(in: chunk, at: end),
            !event.text.isEmpty
        {
            // Audio is not repeated as a whole anywhere, as in `add`.
            if kind != .audio { fingerprint.feed(chunk, event.text) }
            deltas.append(event.text)
            end = event.end
        }
        parts[target.place].fingerprint = fingerprint
        return end
    }
}
