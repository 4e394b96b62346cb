/// What the shell asks of a session in the OpenAI dialect, by number or by upstream's id; and what it has it forget.
extension SessionMachine {
    /// True while a request of the dialect waits for its lane.
    package var isWaiting: Bool { !dialect.waiting.isEmpty }

    /// The response with upstream's id (raw JSON), the newest of that name.
    package func response(named id: [UInt8]) -> Int? {
        responses.last { $0.upstreamID == id }?.number
            ?? archive.last { $0.upstreamID == id }?.number
    }

    /// What a response goes on from, raw JSON.
    package func previous(of number: Int) -> [UInt8]? { dialect.record(number)?.previous }

    /// True when the log has no room for another response.
    package var isFull: Bool { log.storedBytes + archivedBytes > settings.sessionBytes }

    /// Whether a response's events go on, for whoever reads them: each event asks.
    package func stage(_ number: Int) -> DialectStage {
        guard let index = recordIndex(number) else { return .gone }
        return responses[index].isFinished
            ? .ended(lastSequence: responses[index].lastSequence) : .running
    }

    /// How far a response is, for whoever answers its request.
    package func progress(_ number: Int) -> DialectProgress? {
        guard let index = recordIndex(number) else {
            return archive.contains { $0.number == number }
                ? DialectProgress(isArchived: true) : nil
        }
        let record = responses[index]
        var progress = DialectProgress(isArchived: false)
        progress.hasBegun = record.firstEventAt != nil
        if record.isFinished { progress.lastSequence = record.lastSequence }
        guard let known = dialect.record(number) else { return progress }
        progress.refusal = known.refusal
        progress.failure = known.failure
        progress.fields = known.fields
        progress.isStored = known.isStored
        progress.isBackground = known.isBackground
        return progress
    }

    /// Forgets a response's name: nobody can ask for it any more.
    package mutating func forget(_ number: Int) {
        if let index = recordIndex(number) { responses[index].upstreamID = nil }
        guard let index = archive.firstIndex(where: { $0.number == number }) else { return }
        archivedBytes -= archive.remove(at: index).storedBytes
    }

    /// What stands for compacted events: the final objects of their responses.
    package func compactedFrame() -> [UInt8] {
        ServerFrames.frame("gateway.snapshot") { frame in
            frame.field("through", log.compactedThrough)
            frame.append(literal: ",\"responses\":[")
            var isFirst = true
            for archived in archive where !archived.snapshot.isEmpty {
                if !isFirst { frame.append(UInt8(ascii: ",")) }
                isFirst = false
                frame.append(contentsOf: archived.snapshot)
            }
            frame.append(UInt8(ascii: "]"))
        }
    }
}
