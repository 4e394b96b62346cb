/// Many deltas at once, as one chunk of a stream brings them.
extension SessionMachine {
    /// Takes deltas that stood in one `chunk`, to the same effect as taking each by itself.
    package mutating func upstream(
        _ number: Int, _ deltas: DeltaBatch, of chunk: Span<UInt8>, now: Instant,
        actions: inout [SessionAction]
    ) {
        var taken = 0
        while taken < deltas.count {
            taken += extendRun(number, deltas, from: taken, chunk)
            guard taken < deltas.count else { return }
            let output = ResponsesOutput.delta(
                index: deltas.index, kind: deltas.kind, part: deltas.part, text: deltas[taken])
            upstream(number, output, data: chunk, now: now, actions: &actions)
            taken += 1
        }
    }

    /// Appends deltas to the run that they continue, and returns how many.
    ///
    /// None where there is no such run, or where the rest of the batch would meet a limit: then each is taken by itself.
    /// Where the run goes on, its first delta has noted all that a first one brings (`firstTextAt`, `nextIndex`).
    private mutating func extendRun(
        _ number: Int, _ deltas: DeltaBatch, from first: Int, _ chunk: Span<UInt8>
    ) -> Int {
        guard settings.fidelity == .native, let index = recordIndex(number),
            case .streaming = responses[index].phase, hasRoom(index, events: deltas.count),
            hasRoom(index, bytes: deltas.byteCount + deltas.count * LogSegment.bytesPerPiece)
        else { return 0 }
        let key = RunKey(
            response: number, index: deltas.index + responses[index].indexOffset,
            part: deltas.part, content: .delta(deltas.kind))
        let before = log.storedBytes
        let count = log.extendLastRun(key, by: deltas, from: first, in: chunk)
        if count > 0 {
            responses[index].eventCount += count
            noteEntry(index, since: before)
        }
        return count
    }
}
