/// What makes streamed pieces belong together: they may share one run, and one merged event.
package struct RunKey: Equatable, Sendable {
    /// Whose text a run holds.
    package enum Content: Equatable, Sendable {
        case delta(DeltaKind)
        /// Pieces of a tool's arguments; the payload names the tool's kind.
        case tool(kind: String)
    }

    /// The response's number within its session.
    package var response: Int
    /// The output index.
    package var index: Int
    /// Content or summary part within the item.
    package var part: Int
    package var content: Content

    /// Names a run.
    package init(response: Int, index: Int, part: Int, content: Content) {
        self.response = response
        self.index = index
        self.part = part
        self.content = content
    }
}

/// One stretch of a replay log: a single ready line, or a run of adjacent pieces of one text.
///
/// A run keeps the raw JSON text of its pieces once, and two bytes a piece to cut it at: less than a tenth
/// of what the rendered events would take.
struct LogSegment {
    /// What a line is, as far as compaction and snapshots need to know.
    enum Kind: UInt8 {
        case message, response, run, tool, item, upstreamEvent, seam, complete
        /// Of a full-fidelity log: one upstream event, or a run of deltas of one shape.
        case event, eventRun
    }

    let kind: Kind
    let firstSequence: Int
    /// The response's number within its session; -1 for none.
    let response: Int
    /// Bytes of the log that lie before this segment, over the log's whole life.
    let startPosition: Int
    /// The line, or the text of the run, as raw JSON string contents.
    var bytes: [UInt8]
    /// For an item's line: where the item itself lies, and its output index.
    var payload: Range<Int> = 0..<0
    var index = 0
    /// For a run: the fields between `seq` and the text.
    var header: [UInt8] = []
    var key: RunKey? {
        didSet { isTool = if case .tool = key?.content { true } else { false } }
    }
    /// Whether `key` is a tool's, for the path that every delta takes.
    private(set) var isTool = false
    /// For a run: where each piece begins in `bytes`.
    ///
    /// Sixteen bits are enough: whatever length its first piece has, a run of `ReplayLog.maximumRunBytes` gets no more.
    private(set) var starts: [UInt16] = []

    /// Of a full-fidelity log: where the holes are, and the response's own number of the first event.
    var shape: EventShape?
    var firstNumber = 0
    /// What the shape counts here; 0 where an earlier segment has counted it.
    var shapeBytes = 0
    var payloadKind = EventCutter.Payload.none

    /// True for a segment of many events.
    var isRun: Bool { kind == .run || kind == .eventRun }

    /// Events in the segment.
    var count: Int { isRun ? starts.count : 1 }

    var lastSequence: Int { firstSequence + count - 1 }

    /// What the segment counts against the log's limits, in bytes.
    var storedBytes: Int {
        bytes.count + header.count + starts.count * Self.bytesPerPiece + shapeBytes
            + Self.overheadBytes
    }

    /// The segment itself and its arrays' headers, roughly.
    static let overheadBytes = 200

    /// What a piece takes beside its text.
    static let bytesPerPiece = 2

    /// Appends `range` of `text` as the run's next piece.
    ///
    /// The arrays grow by an eighth: doubling would waste half of a long answer.
    @inline(__always)
    mutating func append(piece text: Span<UInt8>, _ range: Range<Int>) {
        if bytes.count + range.count > bytes.capacity { growText(range.count) }
        if starts.count == starts.capacity { growStarts() }
        starts.append(UInt16(truncatingIfNeeded: bytes.count))
        bytes.append(text, range)
    }

    private mutating func growText(_ byteCount: Int) {
        let needed = bytes.count + byteCount
        bytes.reserveCapacity(needed + max(128, needed / 8))
    }

    private mutating func growStarts() {
        starts.reserveCapacity(starts.count + max(16, starts.count / 8))
    }

    /// Gives back the room that the arrays grew in advance.
    mutating func trim() {
        bytes = Array(bytes[...])
        starts = Array(starts[...])
    }

    /// Where in `bytes` the event at `sequence` begins; the count of bytes for the one after the last.
    @inline(__always)
    func offset(of sequence: Int) -> Int {
        let piece = sequence - firstSequence
        guard isRun else { return piece > 0 ? bytes.count : 0 }
        return piece < starts.count ? Int(starts[piece]) : bytes.count
    }
}
