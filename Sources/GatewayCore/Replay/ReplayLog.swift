/// A session's append-only log of ready-to-send events, numbered 1, 2, 3 … within its epoch.
///
/// Readers keep a cursor, the sequence number they have reached, and ask for what follows it. Nothing is
/// copied per reader: `render` writes what is wanted into the caller's buffer. Adjacent pieces of one
/// text are stored as runs and rendered one event each, or merged into one that names its range.
package struct ReplayLog {
    /// Which life of the log it is.
    package let epoch: String
    /// The number of the newest event; 0 when there is none.
    package internal(set) var lastSequence = 0
    /// A cursor below this number needs a snapshot: some events before it have been dropped.
    ///
    /// What is left of the others is kept as content for snapshots, and is never rendered again.
    package private(set) var compactedThrough = 0
    /// What the log holds now, in bytes.
    package internal(set) var storedBytes = 0
    /// Bytes appended over the log's whole life: the scale that `position(after:)` and `startPosition` count on.
    package internal(set) var totalBytes = 0

    var segments: [LogSegment] = []

    /// Of a full-fidelity log: the shape of each response's last delta, and the lanes that have a name.
    var shapes: [Int: EventShape] = [:]
    var lanes: [Int: [UInt8]] = [:]
    /// At most one, from the first event of such a log on; a list, so that other logs reserve no room for it.
    private var cutters: [EventCutter] = []

    /// A run is cut after this many bytes of text: what its arrays grow in advance stays small.
    static let maximumRunBytes = 4 << 10

    /// Begins an empty log.
    package init(epoch: String) { self.epoch = epoch }

    // MARK: Appending

    /// Cuts the holes into an event; a result that is held while the next one is cut costs a copy.
    mutating func cut(_ event: Span<UInt8>) -> EventCutter {
        if cutters.isEmpty { cutters.append(EventCutter()) }
        cutters[0].cut(event)
        return cutters[0]
    }

    /// Gives back the room that the largest event has taken.
    mutating func dropCutter() { cutters = [] }

    /// Appends one event: `{"type":…,"seq":…` and the fields that `fields` appends, each led by a comma.
    ///
    /// `index` is the output index that it is about; of most kinds nobody asks for that.
    mutating func append(
        _ kind: LogSegment.Kind, type: String, response: Int, index: Int = 0,
        fields: (inout [UInt8]) -> Void
    ) {
        appendSegment(kind, type: type, response: response, index: index, capacity: 200) { bytes in
            fields(&bytes)
            return 0..<0
        }
    }

    /// Appends an output item's event: what `fields` appends, then the item as upstream wrote it.
    mutating func appendItem(
        response: Int, index: Int, item: Span<UInt8>, fields: (inout [UInt8]) -> Void
    ) {
        // One byte too few would make the array double for the closing brace.
        let capacity = item.count + 160
        appendSegment(
            .item, type: "item", response: response, index: index, capacity: capacity
        ) { bytes in
            fields(&bytes)
            bytes.append(literal: ",\"item\":")
            let start = bytes.count
            bytes.append(item)
            return start..<bytes.count
        }
    }

    /// Appends a segment of one line; `body` adds the fields behind `seq` and returns where the payload lies.
    private mutating func appendSegment(
        _ kind: LogSegment.Kind, type: String, response: Int, index: Int, capacity: Int,
        body: (inout [UInt8]) -> Range<Int>
    ) {
        lastSequence += 1
        var bytes: [UInt8] = []
        bytes.reserveCapacity(capacity)
        bytes.append(literal: "{\"type\":\"")
        bytes.append(literal: type)
        bytes.append(literal: "\",\"seq\":")
        bytes.append(decimal: lastSequence)
        let payload = body(&bytes)
        bytes.append(UInt8(ascii: "}"))
        Self.joinLines(&bytes)
        // What it was given in advance, or has grown, would be kept as long as the event.
        if (bytes.capacity - bytes.count) * 8 > bytes.count { bytes = bytes.exact }
        var segment = LogSegment(
            kind: kind, firstSequence: lastSequence, response: response,
            startPosition: totalBytes, bytes: bytes)
        segment.payload = payload
        segment.index = index
        totalBytes += bytes.count
        push(segment)
    }

    /// Adds a segment; the array grows by one at first, since nearly every log stays short.
    mutating func push(_ segment: LogSegment) {
        if segments.count == segments.capacity {
            segments.reserveCapacity(segments.count + max(1, segments.count / 4))
        }
        storedBytes += segment.storedBytes
        segments.append(segment)
    }

    /// Puts JSON that others wrote, perhaps over several lines, on one line: in a frame a line is an event.
    ///
    /// Outside of strings a line break is white space, and inside a string there can be none.
    private static func joinLines(_ bytes: inout [UInt8]) {
        var index = 0
        while let end = ByteScan.lineEnd(bytes.span, from: index) {
            bytes[end] = UInt8(ascii: " ")
            index = end + 1
        }
    }

    /// Appends one piece of text as its own event; `header` gives the fields before the text of a new run.
    ///
    /// `text` is raw JSON string contents and goes out as it came. The hot path: no allocation of its own.
    mutating func appendPiece(
        _ key: RunKey, text: Span<UInt8>, _ range: Range<Int>, header: (inout [UInt8]) -> Void
    ) {
        lastSequence += 1
        let last = segments.count - 1
        let isSame = last >= 0 && isRun(last, of: key)
        if !isSame || end(ofRun: last) != lastSequence
            || segments[last].bytes.count + range.count > Self.maximumRunBytes
        {
            var segment = LogSegment(
                kind: .run, firstSequence: lastSequence, response: key.response,
                startPosition: totalBytes, bytes: [])
            // The fields are those of the run before, where that is a full one of the same text.
            segment.begin(key, behind: isSame ? segments[last].header : Self.runHeader(header))
            push(segment)
        }
        let current = segments.count - 1
        segments[current].append(piece: text, range)
        storedBytes += range.count + LogSegment.bytesPerPiece
        totalBytes += range.count
    }

    /// Appends pieces of `deltas` from `first` on to the last run, each as its own event, and returns how many.
    ///
    /// None where that run is another text's, and no more than it has room for: `appendPiece` begins the next one.
    mutating func extendLastRun(
        _ key: RunKey, by deltas: DeltaBatch, from first: Int, in chunk: Span<UInt8>
    ) -> Int {
        let last = segments.count - 1
        guard last >= 0, isRun(last, of: key), end(ofRun: last) == lastSequence + 1 else {
            return 0
        }
        let added = segments[last].append(piecesOf: deltas, from: first, in: chunk)
        lastSequence += added.count
        storedBytes += added.byteCount + added.count * LogSegment.bytesPerPiece
        totalBytes += added.byteCount
        return added.count
    }

    /// What `header` appends, in an array that has no room for more.
    private static func runHeader(_ header: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes: [UInt8] = []
        header(&bytes)
        return bytes.exact
    }

    // What follows names the fields of a segment one by one: a method of the segment would be given a copy of
    // it, and retain and release each of its arrays, five times a delta.

    @inline(__always)
    private func isRun(_ segment: Int, of key: RunKey) -> Bool {
        guard Int(segments[segment].responseNumber) == key.response,
            Int(segments[segment].outputIndex) == key.index,
            Int(segments[segment].part) == key.part
        else { return false }
        switch key.content {
        case .delta(let kind): return segments[segment].deltaKind == kind
        case .tool: return segments[segment].key?.content == key.content
        }
    }

    /// The number after a run's last event.
    @inline(__always)
    func end(ofRun segment: Int) -> Int {
        segments[segment].firstSequence + segments[segment].starts.count
    }

    /// Where in a run's text the event at `sequence` begins.
    @inline(__always)
    func offset(of sequence: Int, inRun segment: Int) -> Int {
        let piece = sequence - segments[segment].firstSequence
        return piece < segments[segment].starts.count
            ? Int(segments[segment].starts[piece]) : segments[segment].bytes.count
    }

    // MARK: Reading

    /// Bytes of the log that lie after `cursor`: how far behind a reader there is.
    package func bytes(after cursor: Int) -> Int { totalBytes - position(after: cursor) }

    /// The log's position behind the event `cursor`.
    private func position(after cursor: Int) -> Int {
        // What was compacted is no longer unread; all of it may be, while a reader is behind.
        let next = max(cursor, compactedThrough) + 1
        guard next <= lastSequence else { return totalBytes }
        let index = segmentIndex(holding: next)
        return segments[index].startPosition + segments[index].offset(of: next)
    }

    /// The index of the segment that holds `sequence`, or of the last one before it.
    ///
    /// - Precondition: there are segments.
    func segmentIndex(holding sequence: Int) -> Int {
        var low = 0
        var high = segments.count - 1
        if high >= 0, sequence >= segments[high].firstSequence { return high }
        while low < high {
            let middle = (low + high + 1) / 2
            if segments[middle].firstSequence <= sequence {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return low
    }

    // MARK: Compaction

    /// Drops the events of finished responses; whoever needs their content has taken it.
    ///
    /// Responses that ran side by side have their events interleaved. Those of the others stay, for their
    /// own snapshots, but no cursor can go through them any more.
    mutating func dropEvents(ofResponses dropped: Set<Int>) {
        var freed = 0
        var through = compactedThrough
        segments.removeAll { segment in
            guard dropped.contains(segment.response) else { return false }
            freed += segment.storedBytes
            through = max(through, segment.lastSequence)
            return true
        }
        storedBytes -= freed
        compactedThrough = through
        if !lanes.isEmpty {
            for response in dropped { lanes[response] = nil }
        }
    }

    /// Gives back the room that a finished run's arrays grew in advance.
    mutating func trimLastRun() {
        guard let last = segments.indices.last, segments[last].isRun else { return }
        segments[last].trim()
    }
}
