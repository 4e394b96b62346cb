extension SessionMachine {
    /// A response that has ended and whose events are in the log.
    struct EndedResponse {
        let lastSequence: Int
        let end: Instant
    }

    /// Archives the finished responses that `condition` names; true when there was one.
    ///
    /// Readers at or before the last event of any of them need a snapshot from then on.
    @discardableResult
    mutating func compact(where condition: (EndedResponse) -> Bool) -> Bool {
        func isMeant(_ record: ResponseRecord) -> Bool {
            guard let end = record.endedAt else { return false }
            return condition(EndedResponse(lastSequence: record.lastSequence, end: end))
        }
        var compacted: Set<Int> = []
        switch settings.fidelity {
        case .native:
            for record in responses where isMeant(record) { compacted.insert(record.number) }
        case .full:
            var rest = responses[...]
            while let group = Self.firstGroup(of: rest), group.allSatisfy(isMeant) {
                compacted.formUnion(group.map(\.number))
                rest = rest.dropFirst(group.count)
            }
        }
        return archive(compacted)
    }

    /// The oldest responses that can only go together; nil when one of them runs, or there is none.
    ///
    /// A reader of the OpenAI dialect has no snapshot of what runs: it must be able to read all of the
    /// events between the responses that stay, so those that ran side by side go at once.
    private static func firstGroup(
        of responses: ArraySlice<ResponseRecord>
    ) -> ArraySlice<ResponseRecord>? {
        var lastSequence = 0
        for index in responses.indices {
            let record = responses[index]
            if index > responses.startIndex, record.firstSequence > lastSequence {
                return responses[..<index]
            }
            guard record.isFinished else { return nil }
            lastSequence = max(lastSequence, record.lastSequence)
        }
        return responses.isEmpty ? nil : responses
    }

    /// Of a full-fidelity session: when the responses that are compacted next had all ended.
    var firstGroupEnd: Instant? {
        Self.firstGroup(of: responses[...])?.lazy.compactMap(\.endedAt).max()
    }

    /// Archives what has been kept for `replay.retention_s`.
    ///
    /// For readers of the OpenAI dialect nothing stands for events: what an attached one has not had yet stays.
    mutating func compactDue(now: Instant) {
        let through = settings.fidelity == .native ? Int.max : lowestCursor
        compact { [settings] in
            now >= $0.end + settings.retention && $0.lastSequence <= through
        }
        guard settings.fidelity == .full else { return }
        dialect.heldThrough = nil
        if let firstGroupEnd, now >= firstGroupEnd + settings.retention {
            let group = Self.firstGroup(of: responses[...])
            dialect.heldThrough = group?.lazy.map(\.lastSequence).max()
        }
    }

    /// True while a reader keeps the responses that would be compacted next.
    var isHeldByReader: Bool { dialect.heldThrough.map { $0 > lowestCursor } ?? false }

    /// True when the reader that kept them has had them: the next `tick` is due.
    package var isReleasedByReader: Bool { dialect.heldThrough.map { $0 <= lowestCursor } ?? false }

    /// Archives finished responses by number; true when there was one.
    private mutating func archive(_ numbers: Set<Int>) -> Bool {
        guard !numbers.isEmpty else { return false }
        for record in responses where numbers.contains(record.number) {
            let isFull = settings.fidelity == .full
            let snapshot = isFull ? responseObject(of: record) ?? [] : snapshotObject(of: record)
            // Exactly: what it grew in advance would be kept as long.
            var archived = ArchivedResponse(
                number: record.number, lastSequence: record.lastSequence,
                snapshot: snapshot.exact)
            if isFull {
                archived.upstreamID = record.upstreamID
                dialect.removeRecord(record.number)
            }
            archive.append(archived)
            archivedBytes += archived.storedBytes
        }
        archive.sort { $0.number < $1.number }
        responses.removeAll { numbers.contains($0.number) }
        firstEnd = responses.lazy.compactMap(\.endedAt).min()
        log.dropEvents(ofResponses: numbers)
        // What a reader has not come to yet it gets from a summary only.
        let unread = archive.firstIndex { $0.lastSequence > lowestCursor } ?? archive.count
        forgetOldest(
            excess: archivedBytes - settings.summaryBytes, of: min(unread, archive.count - 1))
        return true
    }

    /// Compacts everything that is finished, to give memory back; true when there was something.
    ///
    /// The last resort where the process is full: it takes events from readers that have not had them, too.
    package mutating func compactFinished() -> Bool { compact { _ in true } }

    /// Brings the session below its limit: first compacting what ended first, then forgetting the oldest.
    ///
    /// The newest end is spared as long as that is possible: readers are about to read it, and a long chat
    /// at its limit would give them a whole snapshot instead, every time. What remains above the limit are
    /// running responses, each bounded by its own.
    mutating func enforceBounds() {
        guard settings.fidelity == .native else { return enforceFullBounds() }
        while log.storedBytes + archivedBytes > settings.sessionBytes {
            if let through = compactionPoint {
                compact { $0.lastSequence <= through }
            } else if !archive.isEmpty {
                forgetOldest(
                    excess: log.storedBytes + archivedBytes - settings.sessionBytes,
                    of: archive.count)
            } else if !compactFinished() {
                return
            }
        }
    }

    /// The same for the OpenAI dialect, whose readers have no snapshot to go on from: the newest response stays.
    private mutating func enforceFullBounds() {
        while log.storedBytes + archivedBytes > settings.sessionBytes {
            if let group = Self.firstGroup(of: responses[...]), group.count < responses.count {
                _ = archive(Set(group.map(\.number)))
            } else if !archive.isEmpty {
                forgetOldest(
                    excess: log.storedBytes + archivedBytes - settings.sessionBytes,
                    of: archive.count)
            } else {
                return
            }
        }
    }

    /// Up to which event to compact so that the session comes below its limit; nil when only the newest end is left.
    private var compactionPoint: Int? {
        var excess = log.storedBytes + archivedBytes - settings.sessionBytes
        var through: Int?
        let ended = responses.filter(\.isFinished).sorted { $0.lastSequence < $1.lastSequence }
        for record in ended.dropLast() where excess > 0 {
            excess -= log.storedBytes(of: record.extent)
            through = record.lastSequence
        }
        return through
    }

    /// Forgets the oldest summaries, at most `most` of them, until `excess` bytes are free.
    private mutating func forgetOldest(excess: Int, of most: Int) {
        var freed = 0
        var count = 0
        while freed < excess, count < most {
            freed += archive[count].storedBytes
            count += 1
        }
        guard count > 0 else { return }
        archive.removeFirst(count)
        archivedBytes -= freed
        isTruncated = true
    }

    /// True when a reader at `cursor` must be given a snapshot first.
    package func needsSnapshot(at cursor: Int) -> Bool { cursor < log.compactedThrough }

    /// A frame that stands for everything up to the end of the log.
    package func snapshotFrame() -> [UInt8] {
        ServerFrames.frame("snapshot") { frame in
            frame.field("through", log.lastSequence)
            frame.field("truncated", isTruncated)
            frame.append(literal: ",\"responses\":[")
            var isFirst = true
            func append(_ object: [UInt8]) {
                if !isFirst { frame.append(UInt8(ascii: ",")) }
                isFirst = false
                frame.append(contentsOf: object)
            }
            // In order of their messages: a response may outlast later ones.
            var rest = archive[...]
            for record in responses {
                while let older = rest.first, older.number < record.number {
                    append(older.snapshot)
                    rest.removeFirst()
                }
                append(snapshotObject(of: record))
            }
            for archived in rest { append(archived.snapshot) }
            frame.append(UInt8(ascii: "]"))
        }
    }

    private func snapshotObject(of record: ResponseRecord) -> [UInt8] {
        var object: [UInt8] = []
        object.append(literal: "{\"response\":")
        object.append(jsonString: record.id)
        object.field("message", record.messageID)
        log.appendInput(of: record.extent, to: &object)
        if let model = record.model { object.field("model", raw: model) }
        object.field("status", record.statusName)
        Self.appendSeams(of: record, to: &object)
        log.appendItems(of: record.extent, to: &object)
        log.appendPartial(of: record.extent, to: &object)
        log.appendComplete(of: record.extent, to: &object)
        object.append(UInt8(ascii: "}"))
        return object
    }
}
