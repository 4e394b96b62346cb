extension SessionMachine {
    /// How many of the oldest records can be dropped from the log together; nil when none can.
    ///
    /// Responses that ran side by side have their events interleaved, so they go together.
    var oldestCompactable: Int? {
        var through = 0
        var lastSequence = 0
        for (index, record) in responses.enumerated() {
            if index > 0, record.firstSequence > lastSequence { through = index }
            if through > 0 { return through }
            guard record.isFinished else { return nil }
            lastSequence = max(lastSequence, record.lastSequence)
        }
        return responses.isEmpty ? nil : responses.count
    }

    /// Compacts the responses whose events have been kept long enough.
    mutating func compactExpired(now: Instant) {
        while let count = oldestCompactable,
            let end = responses[..<count].compactMap({ end(of: $0) }).max(),
            now >= end + settings.retention
        {
            compact(count)
        }
    }

    /// Brings the session below its limit: first compacting, then forgetting the oldest summaries.
    mutating func enforceBounds() {
        while log.storedBytes + archivedBytes > settings.sessionBytes {
            if let count = oldestCompactable {
                compact(count)
            } else if !archive.isEmpty {
                archivedBytes -= archive.removeFirst().snapshot.count
                isTruncated = true
            } else {
                return  // One running response; its own limit bounds it.
            }
        }
    }

    /// Compacts everything that is finished, to give memory back; true when there was something.
    package mutating func compactFinished() -> Bool {
        var didCompact = false
        while let count = oldestCompactable {
            compact(count)
            didCompact = true
        }
        return didCompact
    }

    private mutating func compact(_ count: Int) {
        var lastSequence = 0
        for record in responses[..<count] {
            let snapshot = snapshotObject(of: record)
            archive.append(ArchivedResponse(number: record.number, snapshot: snapshot))
            archivedBytes += snapshot.count
            lastSequence = max(lastSequence, record.lastSequence)
        }
        responses.removeFirst(count)
        log.dropEvents(through: lastSequence)
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
            for archived in archive {
                if !isFirst { frame.append(UInt8(ascii: ",")) }
                isFirst = false
                frame.append(contentsOf: archived.snapshot)
            }
            for record in responses {
                if !isFirst { frame.append(UInt8(ascii: ",")) }
                isFirst = false
                frame.append(contentsOf: snapshotObject(of: record))
            }
            frame.append(UInt8(ascii: "]"))
        }
    }

    private func snapshotObject(of record: ResponseRecord) -> [UInt8] {
        var object: [UInt8] = []
        object.append(literal: "{\"response\":")
        object.append(jsonString: record.id)
        object.field("message", record.messageID)
        log.appendInput(ofResponse: record.number, to: &object)
        if let model = record.model { object.field("model", raw: model) }
        object.field("status", "\(record.statusName)")
        log.appendItems(ofResponse: record.number, to: &object)
        log.appendPartial(ofResponse: record.number, to: &object)
        log.appendComplete(ofResponse: record.number, to: &object)
        object.append(UInt8(ascii: "}"))
        return object
    }
}
