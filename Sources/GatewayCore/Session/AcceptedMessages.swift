/// What is remembered of one message for idempotence.
struct AcceptedMessage: Equatable {
    /// The number of its response within the session.
    let response: Int
    let responseID: String
    /// The number of its `message` event.
    let sequence: Int
    let inputHash: UInt64
    /// How its response ended; nil while it runs.
    var outcome: ResponseOutcome?

    /// Stands for the hash of an input that an earlier process took.
    static let unknownInput: UInt64 = 0

    func hasInput(_ hash: UInt64) -> Bool { inputHash == hash || inputHash == Self.unknownInput }
}

/// The messages that a session has taken, oldest first, found by their ids or their responses' ids.
///
/// A chat that never ends remembers as many as `limits.messages_per_session` allows, so each takes little: 40 bytes
/// and the bytes of its two ids, one behind the other in one array. Nothing points into that array but
/// entries, and what is forgotten leaves it. There is no table: a message comes rarely, and the hashes of a
/// thousand ids are looked through in a microsecond (decision 58).
struct AcceptedMessages {
    private struct Entry {
        let inputHash: UInt64
        let sequence: Int
        /// Hashes of the two ids: nearly all others are told apart without a look at their bytes.
        let idHash: UInt32
        let responseHash: UInt32
        let response: Int32
        /// Where its ids begin in `ids`.
        var start: UInt32
        let idBytes: UInt32
        let responseBytes: UInt16
        var outcome: ResponseOutcome?
    }

    private var entries: [Entry] = []
    private var ids: [UInt8] = []

    /// How many are remembered.
    var count: Int { entries.count }

    /// What is remembered of a message; nil when it never came, or was forgotten.
    subscript(id: String) -> AcceptedMessage? {
        index(of: id).map { message(entries[$0]) }
    }

    /// True when a message that is remembered has this response.
    func hasResponse(_ id: String) -> Bool {
        let hash = Self.hash(id)
        return entries.contains { entry in
            entry.responseHash == hash && responseBytes(of: entry).elementsEqual(id.utf8)
        }
    }

    /// Remembers a message, which must not be remembered yet.
    ///
    /// With more than `limit` of them the oldest whose response has ended is forgotten.
    mutating func remember(_ id: String, _ message: AcceptedMessage, atMost limit: Int) {
        let start = ids.count
        reserve(id.utf8.count + message.responseID.utf8.count)
        ids.append(contentsOf: id.utf8)
        ids.append(contentsOf: message.responseID.utf8)
        entries.append(
            Entry(
                inputHash: message.inputHash, sequence: message.sequence, idHash: Self.hash(id),
                responseHash: Self.hash(message.responseID),
                response: Int32(clamping: message.response), start: UInt32(clamping: start),
                idBytes: UInt32(clamping: id.utf8.count),
                responseBytes: UInt16(clamping: message.responseID.utf8.count),
                outcome: message.outcome))
        // A running one is never forgotten: its repetition would start, and bill, a second response.
        if entries.count > limit, let oldest = entries.firstIndex(where: { $0.outcome != nil }) {
            forget(oldest)
        }
    }

    /// Notes how the response of a message has ended.
    mutating func end(_ id: String, _ outcome: ResponseOutcome) {
        if let index = index(of: id) { entries[index].outcome = outcome }
    }

    private mutating func forget(_ index: Int) {
        let entry = entries.remove(at: index)
        let count = Int(entry.idBytes) + Int(entry.responseBytes)
        ids.removeSubrange(Int(entry.start)..<Int(entry.start) + count)
        for later in index..<entries.count { entries[later].start -= UInt32(count) }
    }

    /// The arrays grow by an eighth: doubling would keep room for twice as many.
    private mutating func reserve(_ byteCount: Int) {
        if entries.count == entries.capacity {
            entries.reserveCapacity(entries.count + max(1, entries.count / 8))
        }
        if ids.count + byteCount > ids.capacity {
            ids.reserveCapacity(ids.count + max(byteCount, ids.count / 8))
        }
    }

    private func index(of id: String) -> Int? {
        let hash = Self.hash(id)
        // Asked for most often: the newest.
        return entries.lastIndex { entry in
            entry.idHash == hash
                && ids[Int(entry.start)..<Int(entry.start + entry.idBytes)].elementsEqual(id.utf8)
        }
    }

    private func responseBytes(of entry: Entry) -> ArraySlice<UInt8> {
        let start = Int(entry.start + entry.idBytes)
        return ids[start..<start + Int(entry.responseBytes)]
    }

    private func message(_ entry: Entry) -> AcceptedMessage {
        AcceptedMessage(
            response: Int(entry.response),
            responseID: String(decoding: responseBytes(of: entry), as: UTF8.self),
            sequence: entry.sequence, inputHash: entry.inputHash, outcome: entry.outcome)
    }

    private static func hash(_ text: String) -> UInt32 {
        UInt32(truncatingIfNeeded: FNV.hash(text.utf8.span))
    }
}
