/// Splits one `text/event-stream` body into events, wherever the network happened to cut it.
///
/// Performs no I/O, reads no clock, and copies nothing while a whole `data:` line lies in one
/// chunk. Bytes are lent as they came: whether they are UTF-8 is for the reader of the data to say.
/// An event that is not ended by a blank line is never lent. `id:` and `retry:` are ignored.
///
/// Source: WHATWG HTML, section 9.2.6, "Interpreting an event stream".
package struct ServerSentEventParser {
    /// The bounds of what one stream may make us keep.
    package struct Limits: Equatable, Sendable {
        /// The longest line, in bytes without its end; also comments and unknown fields.
        package var maximumLineBytes: Int
        /// The most data of one event, in bytes: its `data:` values and the LFs between them.
        package var maximumEventBytes: Int

        /// States both limits.
        package init(maximumLineBytes: Int, maximumEventBytes: Int) {
            self.maximumLineBytes = maximumLineBytes
            self.maximumEventBytes = maximumEventBytes
        }
    }

    /// A bound that the stream exceeded; what follows is not looked at.
    package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case lineTooLong(limitBytes: Int)
        case eventTooLong(limitBytes: Int)

        /// Names what was too long and the limit.
        package var description: String {
            switch self {
            case .lineTooLong(let limit):
                "a line of the event stream exceeds \(limit) bytes (maximumLineBytes)"
            case .eventTooLong(let limit):
                "the data of one event exceeds \(limit) bytes (maximumEventBytes)"
            }
        }
    }

    /// What the caller wants after an event.
    package enum Progress: Sendable {
        case proceed
        /// Looks at no further byte, of this chunk or any other.
        case stop
    }

    /// Where a value of the event in the making stands.
    private enum Place {
        case nowhere
        case inChunk(Range<Int>)
        case kept
    }

    private let limits: Limits
    /// The start of a line whose end has not come yet.
    private var line: [UInt8] = []
    private var data: Place = .nowhere
    private var keptData: [UInt8] = []
    private var name: Place = .nowhere
    private var keptName: [UInt8] = []
    private var endedWithReturn = false
    /// Chunks since one last ended inside an event.
    private var chunksSinceCut = 0
    /// How many bytes of a byte order mark came; 3 when the start of the stream is behind us.
    private var markBytes = 0

    /// How many comment lines came: a sign of life, but not of progress.
    package private(set) var commentCount = 0
    /// Whether the caller stopped it or a limit was exceeded.
    package private(set) var isStopped = false

    /// Makes a parser at the start of a stream.
    package init(limits: Limits) {
        self.limits = limits
    }

    /// Consumes `chunk`, lending each completed event in stream order: its data and its name.
    ///
    /// The name is what `event:` said, empty when it said nothing. Both are lent for the call only.
    /// After `.stop`, or after an error was thrown, every call returns without doing anything.
    package mutating func feed(
        _ chunk: Span<UInt8>, emit: (_ data: Span<UInt8>, _ name: Span<UInt8>) -> Progress
    ) throws(Failure) {
        try feed(chunk) { _, start in
            start
        } emit: { data, name, _ in
            emit(data, name)
        }
    }

    /// Consumes `chunk` for a reader that knows events by their bytes, and need not have them taken apart.
    ///
    /// Where an event begins, `skim` is lent the chunk and the place. It may take whole events that are written as one
    /// that was lent before, line by line, and returns the place behind them; the place itself when it takes none.
    /// `lead` is how an event was written up to its data, blank of the field included; empty where the event did not
    /// come whole in the chunk as one such line, one `data:` line and a blank one, ended by LF.
    package mutating func feed(
        _ chunk: Span<UInt8>, skim: (_ chunk: Span<UInt8>, _ start: Int) -> Int,
        emit: (_ data: Span<UInt8>, _ name: Span<UInt8>, _ lead: Span<UInt8>) -> Progress
    ) throws(Failure) {
        if isStopped { return }
        // No line of the chunk is too long then, whoever finds its end.
        let mayBeSkimmed = chunk.count <= min(limits.maximumLineBytes, limits.maximumEventBytes)
        var index = 0
        if markBytes < 3 { try skipMark(chunk, &index) }
        while index < chunk.count, !isStopped {
            if endedWithReturn {
                endedWithReturn = false
                if chunk[index] == UInt8(ascii: "\n") {
                    index += 1
                    continue
                }
            }
            if case .nowhere = data, case .nowhere = name, line.isEmpty {
                if mayBeSkimmed { index = skim(chunk, index) }
                if let event = Self.wholeEvent(chunk, index, limits) {
                    let lead = chunk.extracting(index..<event.data.lowerBound)
                    index = event.end
                    if case .stop = emit(
                        chunk.extracting(event.data), chunk.extracting(event.name), lead)
                    {
                        isStopped = true
                    }
                    continue
                }
                if index == chunk.count { break }
            }
            try takeLine(chunk, &index, emit)
        }
        keepPlaces(chunk)
        giveBackRoom()
    }

    /// Keeps no room for events that are cut, once they have come whole for a while.
    ///
    /// A paced stream brings an event a chunk; a fast one is cut every dozen events, and needs the room again.
    @inline(__always)
    private mutating func giveBackRoom() {
        guard line.isEmpty, case .nowhere = data, case .nowhere = name else {
            chunksSinceCut = 0
            return
        }
        chunksSinceCut += 1
        if chunksSinceCut == Self.chunksWithRoom { dropRoom() }
    }

    @inline(never)
    private mutating func dropRoom() {
        line = []
        keptData = []
        keptName = []
    }

    /// Chunks without a cut after which the room for one is given back.
    private static let chunksWithRoom = 64

    // MARK: Lines

    /// Takes one line, or keeps its beginning where its end has not come.
    @inline(__always)
    private mutating func takeLine(
        _ chunk: Span<UInt8>, _ index: inout Int,
        _ emit: (Span<UInt8>, Span<UInt8>, Span<UInt8>) -> Progress
    ) throws(Failure) {
        guard let end = ByteScan.lineEnd(chunk, from: index) else {
            try keepLine(chunk, index..<chunk.count)
            index = chunk.count
            return
        }
        endedWithReturn = chunk[end] == UInt8(ascii: "\r")
        if line.isEmpty {
            try checkLine(end - index)
            try field(chunk, index..<end, isChunk: true)
            if index == end { dispatch(chunk, emit) }
        } else {
            try keepLine(chunk, index..<end)
            let whole = exchange(&line, with: [])
            try field(whole.span, 0..<whole.count, isChunk: false)
            line = whole
            line.removeAll(keepingCapacity: true)
        }
        index = end + 1
    }

    private mutating func skipMark(_ chunk: Span<UInt8>, _ index: inout Int) throws(Failure) {
        while index < chunk.count, markBytes < 3 {
            let expected: UInt8 = markBytes == 0 ? 0xEF : markBytes == 1 ? 0xBB : 0xBF
            guard chunk[index] == expected else {
                // No mark: what looked like one is the start of the first line.
                if markBytes > 0 { line.append(0xEF) }
                if markBytes > 1 { line.append(0xBB) }
                markBytes = 3
                return try checkLine(line.count)
            }
            markBytes += 1
            index += 1
        }
    }

    private mutating func checkLine(_ count: Int) throws(Failure) {
        if count > limits.maximumLineBytes {
            isStopped = true
            throw .lineTooLong(limitBytes: limits.maximumLineBytes)
        }
    }

    private mutating func keepLine(
        _ chunk: Span<UInt8>, _ range: Range<Int>
    ) throws(Failure) {
        try checkLine(line.count + range.count)
        line.append(chunk, range)
    }

    // MARK: Fields

    private mutating func field(
        _ bytes: Span<UInt8>, _ range: Range<Int>, isChunk: Bool
    ) throws(Failure) {
        guard let first = range.first else { return }
        if bytes[first] == UInt8(ascii: ":") {
            commentCount += 1
            return
        }
        // Only two fields count, and their names are four and five bytes long.
        let isData = Self.isField("data", bytes, range)
        guard isData || Self.isField("event", bytes, range) else { return }
        var start = min(range.lowerBound + (isData ? 5 : 6), range.upperBound)
        if start < range.upperBound, bytes[start] == UInt8(ascii: " ") { start += 1 }
        let value = start..<range.upperBound
        if isData {
            try addData(bytes, value, isChunk: isChunk)
        } else if isChunk {
            name = .inChunk(value)
        } else {
            keptName.removeAll(keepingCapacity: true)
            keptName.append(bytes, value)
            name = .kept
        }
    }

    @inline(__always)
    private static func isField(
        _ field: String, _ bytes: Span<UInt8>, _ range: Range<Int>
    ) -> Bool {
        let end = range.lowerBound + field.utf8.count
        guard end <= range.upperBound else { return false }
        return ByteScan.equal(bytes, range.lowerBound..<end, field)
            && (end == range.upperBound || bytes[end] == UInt8(ascii: ":"))
    }

    private mutating func addData(
        _ bytes: Span<UInt8>, _ value: Range<Int>, isChunk: Bool
    ) throws(Failure) {
        switch data {
        case .nowhere:
            try checkEvent(value.count)
            if isChunk {
                data = .inChunk(value)
            } else {
                keptData.removeAll(keepingCapacity: true)
                keptData.append(bytes, value)
                data = .kept
            }
            return
        case .inChunk(let earlier):
            try checkEvent(earlier.count + 1 + value.count)
            // A line that began in an earlier chunk ended before any whole line of this one.
            keptData.removeAll(keepingCapacity: true)
            keptData.append(bytes, earlier)
            data = .kept
        case .kept:
            try checkEvent(keptData.count + 1 + value.count)
        }
        keptData.append(UInt8(ascii: "\n"))
        keptData.append(bytes, value)
    }

    private mutating func checkEvent(_ count: Int) throws(Failure) {
        if count > limits.maximumEventBytes {
            isStopped = true
            throw .eventTooLong(limitBytes: limits.maximumEventBytes)
        }
    }

    // MARK: Events

    @inline(__always)
    private mutating func dispatch(
        _ chunk: Span<UInt8>, _ emit: (Span<UInt8>, Span<UInt8>, Span<UInt8>) -> Progress
    ) {
        let progress: Progress
        let nothing = chunk.extracting(0..<0)
        switch (data, name) {
        case (.nowhere, _):
            name = .nowhere
            return
        case (.inChunk(let range), .inChunk(let title)):
            progress = emit(chunk.extracting(range), chunk.extracting(title), nothing)
        case (.inChunk(let range), .kept):
            progress = emit(chunk.extracting(range), keptName.span, nothing)
        case (.inChunk(let range), .nowhere):
            progress = emit(chunk.extracting(range), nothing, nothing)
        case (.kept, .inChunk(let title)):
            progress = emit(keptData.span, chunk.extracting(title), nothing)
        case (.kept, .kept):
            progress = emit(keptData.span, keptName.span, nothing)
        case (.kept, .nowhere):
            progress = emit(keptData.span, nothing, nothing)
        }
        data = .nowhere
        name = .nowhere
        switch progress {
        case .proceed: break
        case .stop: isStopped = true
        }
    }

    /// Copies what the event in the making still needs of a chunk that is about to go away.
    private mutating func keepPlaces(_ chunk: Span<UInt8>) {
        if case .inChunk(let range) = data {
            keptData.removeAll(keepingCapacity: true)
            keptData.append(chunk, range)
            data = .kept
        }
        if case .inChunk(let range) = name {
            keptName.removeAll(keepingCapacity: true)
            keptName.append(chunk, range)
            name = .kept
        }
    }
}
