/// What a reader of the native protocol is sent: events behind its cursor, one a line.
extension ReplayLog {
    /// Appends events after `cursor` to `output`, one a line, and returns the number of the last one.
    ///
    /// Writes at least one event and then as many as fit into `maximumBytes`. When more than `mergeAfter`
    /// events wait, adjacent pieces of one text become a single event with `from`.
    /// - Precondition: `cursor` is at least `compactedThrough`.
    package func render(
        after cursor: Int, into output: inout [UInt8], maximumBytes: Int, mergeAfter: Int
    ) -> Int {
        precondition(cursor >= compactedThrough, "a cursor inside the compacted part")
        guard cursor < lastSequence else { return cursor }
        let start = output.count
        let merges = lastSequence - cursor > mergeAfter
        var next = cursor + 1
        var index = segmentIndex(holding: next)
        while index < segments.count {
            let isFirst = output.count == start
            let room = maximumBytes - (output.count - start)
            if segments[index].kind != .run {
                guard isFirst || segments[index].bytes.count < room else { break }
                if !isFirst { output.append(UInt8(ascii: "\n")) }
                output.append(contentsOf: segments[index].bytes)
                next += 1
            } else {
                guard
                    let reached = renderRun(
                        index, from: next, into: &output, start: start, maximumBytes: maximumBytes,
                        merges: merges)
                else { break }
                next = reached + 1
                guard next == end(ofRun: index) else { break }
            }
            index += 1
        }
        return next - 1
    }

    /// Renders pieces of one run from `sequence` on and returns the last, or nil when not one fits.
    private func renderRun(
        _ index: Int, from sequence: Int, into output: inout [UInt8], start: Int,
        maximumBytes: Int, merges: Bool
    ) -> Int? {
        let lastSequence = end(ofRun: index) - 1
        // The fields around a piece of text take about this much beside the run's own header.
        let envelope = segments[index].header.count + 64
        var next = sequence
        while next <= lastSequence {
            var through = next
            let begin = offset(of: next, inRun: index)
            if merges {
                let room = maximumBytes - (output.count - start) - envelope
                through = lastPiece(of: index, from: next, within: begin + max(room, 0))
            }
            let end = offset(of: through + 1, inRun: index)
            if output.count > start {
                guard output.count - start + envelope + end - begin <= maximumBytes else { break }
                output.append(UInt8(ascii: "\n"))
            }
            appendPieces(index, begin..<end, from: next, through: through, to: &output)
            next = through + 1
        }
        return next == sequence ? nil : next - 1
    }

    /// The last piece from `sequence` on that ends at or before `offset`; `sequence` itself at least.
    private func lastPiece(of index: Int, from sequence: Int, within offset: Int) -> Int {
        var low = sequence
        var high = end(ofRun: index) - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if self.offset(of: middle + 1, inRun: index) <= offset {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return low
    }

    /// Writes the pieces of a run from `from` to `through`, whose text is at `range`, as one event.
    @inline(__always)
    private func appendPieces(
        _ index: Int, _ range: Range<Int>, from: Int, through: Int, to output: inout [UInt8]
    ) {
        let header = segments[index].header
        let text = segments[index].bytes
        // A run of no kind of delta holds a tool's arguments.
        let isTool = segments[index].deltaKind == nil
        let size = header.count + range.count + Self.mostAroundPieces
        output.append(addingCapacity: size) { room in
            if !isTool, from == through {
                room.append(bytes: Self.deltaStart.span)
            } else {
                room.append(
                    bytes: isTool ? Self.toolType.span : Self.deltaType.span)
                if through > from {
                    room.append(bytes: Self.fromKey.span)
                    room.append(decimal: from)
                }
                room.append(bytes: Self.sequenceKey.span)
            }
            room.append(decimal: through)
            room.append(bytes: header.span)
            room.append(bytes: text.span.extracting(range))
            room.append(UInt8(ascii: "\""))
            room.append(UInt8(ascii: "}"))
        }
    }

    /// How nearly every event begins.
    private static let deltaStart = deltaType + sequenceKey
    private static let deltaType = Array("{\"type\":\"delta\"".utf8)
    private static let toolType = Array("{\"type\":\"tool\"".utf8)
    private static let fromKey = Array(",\"from\":".utf8)
    private static let sequenceKey = Array(",\"seq\":".utf8)
    /// What stands in an event of pieces besides their text and the run's header, at most: keys and two numbers.
    private static let mostAroundPieces = 80
}
