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
        var compacted: Set<Int> = []
        for record in responses {
            guard let end = record.endedAt,
                condition(EndedResponse(lastSequence: record.lastSequence, end: end))
            else { continue }
            let snapshot = snapshotObject(of: record)
            archive.append(ArchivedResponse(number: record.number, snapshot: snapshot))
            archivedBytes += snapshot.count
            compacted.insert(record.number)
        }
        guard !compacted.isEmpty else { return false }
        archive.sort { $0.number < $1.number }
        responses.removeAll { compacted.contains($0.number) }
        log.dropEvents(ofResponses: compacted)
        return true
    }

    /// Compacts everything that is finished, to give memory back; true when there was something.
    package mutating func compactFinished() -> Bool { compact { _ in true } }

    /// Brings the session below its limit: first compacting what ended first, then forgetting the oldest.
    ///
    /// The newest end is spared as long as that is possible: readers are about to read it, and a long chat
    /// at its limit would give them a whole snapshot instead, every time. What remains above the limit are
    /// running responses, each bounded by its own.
    mutating func enforceBounds() {
        while log.storedBytes + archivedBytes > settings.sessionBytes {
            if let through = compactionPoint {
                compact { $0.lastSequence <= through }
            } else if !archive.isEmpty {
                forgetOldest()
            } else if !compactFinished() {
                return
            }
        }
    }

    /// The end of the log's part to compact so that the session is below its limit, if that can be.
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

    private mutating func forgetOldest() {
        let excess = log.storedBytes + archivedBytes - settings.sessionBytes
        var freed = 0
        var count = 0
        while freed < excess, count < archive.count {
            freed += archive[count].snapshot.count
            count += 1
        }
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
        log.appendItems(of: record.extent, to: &object)
        log.appendPartial(of: record.extent, to: &object)
        log.appendComplete(of: record.extent, to: &object)
        object.append(UInt8(ascii: "}"))
        return object
    }
}
