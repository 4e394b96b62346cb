import WebSocketServer

/// What waits for a client before any log event, oldest first.
///
/// Log events do not wait here: they are written from the session's cursor. What does wait is what the log does
/// not have, what precedes that in the log, and what other shards deliver.
///
/// A value without input or output: its connection writes what it says, and takes it out then.
struct Outbox {
    /// What a frame is, which decides what bounds it.
    enum Kind {
        /// A frame that is not in the log. Nothing else bounds these: beyond `maximumUnnumberedBytes` the
        /// client is not reading at all.
        case unnumbered
        /// Log events that leave together with such frames, one frame's worth at most.
        case events
        /// Log events of a session elsewhere, within the credit that it is given back when this was written.
        case delivery
        /// A frame of a session elsewhere that is not in the log: bounded as those of here, and its bytes are
        /// given back, too.
        case answer
        /// One line of such a delivery; its shard counts the newline, too.
        case deliveredLine

        var isUnnumbered: Bool { self == .unnumbered || self == .answer }
    }

    private struct Entry {
        let frame: [UInt8]
        let kind: Kind
    }

    /// Unnumbered frames that may wait for a reader.
    static let maximumUnnumberedBytes = 256 << 10

    private var entries: [Entry] = []
    private(set) var bytes = 0
    private var unnumberedBytes = 0

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// True when more waits than could for a client that reads.
    var isOverfull: Bool { unnumberedBytes > Self.maximumUnnumberedBytes }

    mutating func put(_ frame: [UInt8], _ kind: Kind) {
        entries.append(Entry(frame: frame, kind: kind))
        bytes += frame.count
        if kind.isUnnumbered { unnumberedBytes += frame.count }
    }

    /// The frame at `position`, counted from the oldest.
    subscript(position: Int) -> [UInt8] { entries[position].frame }

    /// Writes the oldest frames into one, each on a line; says how many they are.
    ///
    /// One at least, and no more than stay below `limit` bytes together.
    func gather(into frame: inout OutgoingFrame, limit: Int) -> Int {
        var count = 0
        repeat {
            if count > 0 { frame.bytes.append(UInt8(ascii: "\n")) }
            frame.bytes.append(contentsOf: entries[count].frame)
            count += 1
        } while count < entries.count && frame.count + entries[count].frame.count < limit
        return count
    }

    /// Takes out the `count` oldest frames, which were written, and returns the credit to give back for them.
    mutating func removeFirst(_ count: Int) -> Int {
        var credit = 0
        for entry in entries[..<count] {
            bytes -= entry.frame.count
            if entry.kind.isUnnumbered { unnumberedBytes -= entry.frame.count }
            switch entry.kind {
            case .unnumbered, .events: break
            case .delivery, .answer: credit += entry.frame.count
            case .deliveredLine: credit += entry.frame.count + 1
            }
        }
        // Without its storage: nearly always nothing waits then.
        if count == entries.count { entries = [] } else { entries.removeFirst(count) }
        return credit
    }
}
