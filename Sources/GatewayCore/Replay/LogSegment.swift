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
/// of what the rendered events would take. An answer has some six segments, and a session keeps those of all
/// answers of its retention: numbers that are bounded elsewhere take four bytes (decision 58).
struct LogSegment {
    /// What a line is, as far as compaction and snapshots need to know.
    enum Kind: UInt8 {
        case message, response, run, tool, item, upstreamEvent, seam, complete
        /// Of a full-fidelity log: one upstream event, or a run of deltas of one shape.
        case event, eventRun
    }

    let firstSequence: Int
    /// Bytes of the log that lie before this segment, over the log's whole life.
    let startPosition: Int
    /// The line, or the text of the run, as raw JSON string contents.
    var bytes: [UInt8]
    /// For a run: the fields between `seq` and the text; runs of one text share them.
    private(set) var header: [UInt8] = []
    /// For a run: where each piece begins in `bytes`.
    ///
    /// Sixteen bits are enough: only the first piece, which begins at 0, may take a run past `ReplayLog.maximumRunBytes`.
    private(set) var starts: [UInt16] = []
    /// What few segments have: a shape or the kind of a tool.
    ///
    /// Not an enumeration of the two, which would mark the pointer: tools that look for leaks would not know it.
    private var extra: (any AnyObject & Sendable)?
    private var payloadStart: UInt32 = 0
    private var payloadEnd: UInt32 = 0
    let responseNumber: Int32
    private(set) var outputIndex: Int32 = 0
    private(set) var part: Int32 = 0
    private var number: Int32 = 0
    private var ownShapeBytes: UInt32 = 0
    let kind: Kind
    var payloadKind = EventCutter.Payload.none
    /// For a run of deltas: of which kind.
    private(set) var deltaKind: DeltaKind?

    /// The kind of the tool whose arguments a run holds.
    private final class ToolKind: Sendable {
        let name: String

        init(_ name: String) { self.name = name }
    }

    /// Begins a segment of `response`, a response's number within its session or -1 for none.
    init(
        kind: Kind, firstSequence: Int, response: Int, startPosition: Int, bytes: [UInt8]
    ) {
        self.kind = kind
        self.firstSequence = firstSequence
        self.startPosition = startPosition
        self.bytes = bytes
        responseNumber = Int32(clamping: response)
    }

    /// The response's number within its session; -1 for none.
    @inline(__always)
    var response: Int { Int(responseNumber) }

    /// For an item's line: where the item itself lies.
    var payload: Range<Int> {
        get { Int(payloadStart)..<Int(payloadEnd) }
        set {
            payloadStart = UInt32(clamping: newValue.lowerBound)
            payloadEnd = UInt32(clamping: newValue.upperBound)
        }
    }

    /// The output index of an item, a tool event or a run.
    @inline(__always)
    var index: Int {
        get { Int(outputIndex) }
        set { outputIndex = Int32(clamping: newValue) }
    }

    /// Of a full-fidelity log: where the holes are.
    var shape: EventShape? {
        get { extra as? EventShape }
        set { extra = newValue }
    }

    /// Of a full-fidelity log: the response's own number of the first event.
    var firstNumber: Int {
        get { Int(number) }
        set { number = Int32(clamping: newValue) }
    }

    /// What the shape counts here; 0 where an earlier segment has counted it.
    var shapeBytes: Int {
        get { Int(ownShapeBytes) }
        set { ownShapeBytes = UInt32(clamping: newValue) }
    }

    /// What the pieces of a native run have in common; nil for anything else.
    var key: RunKey? {
        guard kind == .run else { return nil }
        let content: RunKey.Content
        if let deltaKind {
            content = .delta(deltaKind)
        } else if let tool = extra as? ToolKind {
            content = .tool(kind: tool.name)
        } else {
            return nil
        }
        return RunKey(response: response, index: index, part: Int(part), content: content)
    }

    /// Makes it a run of `key`, which is of the segment's response, behind `header`.
    mutating func begin(_ key: RunKey, behind header: [UInt8]) {
        index = key.index
        part = Int32(clamping: key.part)
        self.header = header
        switch key.content {
        case .delta(let kind): deltaKind = kind
        case .tool(let kind): extra = ToolKind(kind)
        }
    }

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

    /// Appends pieces of `deltas` from `first` on, until there are no more or the run is full.
    ///
    /// Returns how many, and how many bytes of text they have.
    mutating func append(
        piecesOf deltas: DeltaBatch, from first: Int, in chunk: Span<UInt8>
    ) -> (count: Int, byteCount: Int) {
        let before = bytes.count
        var piece = first
        while piece < deltas.count,
            bytes.count + deltas[piece].count <= ReplayLog.maximumRunBytes
        {
            append(piece: chunk, deltas[piece])
            piece += 1
        }
        return (piece - first, bytes.count - before)
    }

    private mutating func growText(_ byteCount: Int) {
        let needed = bytes.count + byteCount
        // No further than a run gets: what a full one has grown would be kept as long as its text.
        let most = max(needed, ReplayLog.maximumRunBytes)
        bytes.reserveCapacity(min(needed + max(128, needed / 8), most))
    }

    private mutating func growStarts() {
        starts.reserveCapacity(starts.count + max(16, starts.count / 8))
    }

    /// Gives back the room that the arrays grew in advance.
    mutating func trim() {
        bytes = bytes.exact
        starts = starts.exact
    }

    /// Where in `bytes` the event at `sequence` begins; the count of bytes for the one after the last.
    @inline(__always)
    func offset(of sequence: Int) -> Int {
        let piece = sequence - firstSequence
        guard isRun else { return piece > 0 ? bytes.count : 0 }
        return piece < starts.count ? Int(starts[piece]) : bytes.count
    }
}
