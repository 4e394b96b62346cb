import Testing

@testable import GatewayCore

/// A log, and beside it what it must say: each event's number and line when rendered alone.
private struct ModelledLog {
    var log = ReplayLog(epoch: "e")
    /// What identifies a piece's text, then the piece; nil for lines.
    var events: [(key: RunKey?, response: Int, text: String)] = []

    mutating func line(_ text: String, _ kind: LogSegment.Kind = .response, response: Int = 0) {
        log.append(kind, type: "response", response: response) { $0.field("text", text) }
        events.append((nil, response, text))
    }

    mutating func piece(
        _ text: String, index: Int = 0, response: Int = 0, part: Int = 0,
        content: RunKey.Content = .delta(.text)
    ) {
        let key = RunKey(response: response, index: index, part: part, content: content)
        let bytes = Array(text.utf8)
        log.appendPiece(key, text: bytes.span, 0..<bytes.count) { header in
            header.field("response", "r\(response)")
            header.field("index", index)
            header.append(literal: ",\"part\":")
            header.append(decimal: part)
            if case .tool(let kind) = content {
                header.field("kind", kind)
                header.append(literal: ",\"delta\":\"")
            } else {
                header.append(literal: ",\"text\":\"")
            }
        }
        events.append((key, response, text))
    }

    /// Reads all from `cursor` on and compares it with the model; the frames are returned.
    @discardableResult
    func check(
        from cursor: Int, maximumBytes: Int, mergeAfter: Int,
        _ location: SourceLocation = #_sourceLocation
    ) throws -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var reached = cursor
        while reached < log.lastSequence {
            var frame: [UInt8] = []
            let merges = log.lastSequence - reached > mergeAfter
            let next = log.render(
                after: reached, into: &frame, maximumBytes: maximumBytes, mergeAfter: mergeAfter)
            let lines = try WireFrame.lines(frame)
            var fault = lines.count > 1 && frame.count > maximumBytes ? "too long" : nil
            for line in lines {
                fault = fault ?? self.fault(of: line, after: reached, merges: merges)
                reached = line.sequence ?? reached
            }
            if reached != next { fault = fault ?? "the cursor lies" }
            // One check for all: thousands of them would take most of the time.
            try #require(
                fault == nil,
                "from \(cursor), at most \(maximumBytes) bytes, merging after \(mergeAfter)",
                sourceLocation: location)
            frames.append(frame)
        }
        return frames
    }

    private func fault(of line: WireFrame, after reached: Int, merges: Bool) -> String? {
        guard let from = line.from, let through = line.sequence, from == reached + 1,
            (from...log.lastSequence).contains(through)
        else { return "a gap or an overlap after \(reached)" }
        if !merges, line.raw("from") != nil { return "\(through) is merged" }
        let covered = events[(from - 1)..<through]
        let key = covered.first?.key
        guard (line.text("text") ?? line.text("delta")) == covered.map(\.text).joined() else {
            return "the text of \(from)…\(through) is another"
        }
        if from < through, key == nil || covered.contains(where: { $0.key != key }) {
            return "\(from)…\(through) do not belong together"
        }
        guard let key else { return nil }
        let isTool = if case .tool = key.content { true } else { false }
        let isRight =
            line.type == (isTool ? "tool" : "delta") && line.integer("index") == key.index
            && line.text("response") == "r\(key.response)"
        return isRight ? nil : "\(from) has the wrong fields"
    }

    /// What the log holds, counted anew.
    var recount: Int { log.segments.reduce(0) { $0 + $1.storedBytes } }
}

@Suite("The replay log")
struct ReplayLogTests {
    /// Lines and runs of every sort, 31 events.
    private static let mixed: ModelledLog = {
        var log = ModelledLog()
        log.line("hello", .message)
        log.line("begins")
        for word in ["one ", "two ", "three ", "four ", "five "] { log.piece(word) }
        for word in ["a", "b", "c"] { log.piece(word, content: .delta(.reasoning)) }
        for word in ["{", "}", "1", "2"] {
            log.piece(word, index: 1, content: .tool(kind: "shell"))
        }
        for count in 0..<10 { log.piece("\(count)", index: count % 2) }
        for count in 0..<4 { log.piece("\(count)", part: count / 2) }
        log.line("item", .item)
        log.piece("last")
        log.line("end", .complete)
        return log
    }()

    @Test("numbers its events densely from 1")
    func dense() throws {
        let log = Self.mixed.log
        #expect(log.lastSequence == 31)
        var next = 1
        for segment in log.segments {
            #expect(segment.firstSequence == next)
            next = segment.lastSequence + 1
        }
        #expect(next == 32)
    }

    @Test("a segment takes little: a session keeps six for each answer of its retention")
    func segmentSize() {
        #expect(MemoryLayout<LogSegment>.stride <= 80)
    }

    /// glibc rounds up to 16 bytes, and adds the rest of a free block that is too small to be one: up to 16 more.
    private static let allocatorSlack = 32

    @Test("what is kept for long has room for nothing else", arguments: [0, 1, 2, 100, 4_000])
    func exact(count: Int) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(10_000)
        bytes.append(contentsOf: repeatElement(7, count: count))
        let exact = bytes.exact
        #expect(exact == bytes)
        #expect(exact.capacity < count + Self.allocatorSlack)
    }

    @Test("a finished run and a line give back the room that they grew in advance")
    func roomIsGivenBack() {
        var log = ModelledLog()
        for _ in 0..<500 { log.piece("seven b") }
        log.log.trimLastRun()
        log.line("a line of the log, which is not long")
        for segment in log.log.segments {
            #expect(segment.bytes.capacity < segment.bytes.count + Self.allocatorSlack)
            #expect(segment.starts.capacity < segment.starts.count + Self.allocatorSlack / 2)
        }
    }

    @Test("runs know what their pieces have in common")
    func keys() {
        let keys = Self.mixed.log.segments.filter { $0.kind == .run }.map(\.key)
        #expect(keys.allSatisfy { $0 != nil })
        #expect(keys.contains { $0?.content == .tool(kind: "shell") && $0?.index == 1 })
        #expect(keys.contains { $0?.content == .delta(.reasoning) })
        #expect(keys.contains { $0?.part == 1 })
        #expect(Self.mixed.log.segments.allSatisfy { $0.kind == .run || $0.key == nil })
    }

    @Test("an empty log has nothing to render")
    func empty() {
        var output: [UInt8] = []
        let log = ReplayLog(epoch: "e")
        #expect(log.render(after: 0, into: &output, maximumBytes: 100, mergeAfter: 1) == 0)
        #expect(output.isEmpty)
        #expect(log.bytes(after: 0) == 0)
    }

    @Test("from every cursor, at every merging threshold, each event comes exactly once")
    func everyCursor() throws {
        for cursor in 0...31 {
            let waiting = 31 - cursor
            for mergeAfter in [0, waiting - 1, waiting, waiting + 1] {
                for maximum in [0, 120, 400, 10_000] {
                    try Self.mixed.check(
                        from: cursor, maximumBytes: maximum, mergeAfter: mergeAfter)
                }
            }
        }
    }

    @Test("a frame is filled up to its maximum, and never beyond it", arguments: [1, 1000])
    func maximumBytes(mergeAfter: Int) throws {
        for maximum in stride(from: mergeAfter % 2, to: 700, by: 3) {
            try Self.mixed.check(from: 0, maximumBytes: maximum, mergeAfter: mergeAfter)
        }
    }

    @Test("a line that fits exactly is taken, one byte less leaves it for the next frame")
    func exactFit() throws {
        var log = ModelledLog()
        log.line("first")
        log.line("second")
        var whole: [UInt8] = []
        #expect(log.log.render(after: 0, into: &whole, maximumBytes: 1000, mergeAfter: 9) == 2)
        for (difference, reached) in [(-1, 1), (0, 2), (1, 2)] {
            var frame: [UInt8] = []
            let maximum = whole.count + difference
            #expect(
                log.log.render(after: 0, into: &frame, maximumBytes: maximum, mergeAfter: 9)
                    == reached, "\(difference)")
        }
    }

    @Test("renders behind what the buffer holds already")
    func appends() {
        var output = Array("xy".utf8)
        _ = Self.mixed.log.render(after: 0, into: &output, maximumBytes: 1, mergeAfter: 100)
        #expect(output.starts(with: Array("xy{\"type\":\"response\",\"seq\":1".utf8)))
    }

    @Test("merges when more events wait than the threshold, not when as many do")
    func mergeThreshold() throws {
        var log = ModelledLog()
        for word in ["a", "b", "c"] { log.piece(word) }
        for (mergeAfter, lines) in [(2, 1), (3, 3), (4, 3)] {
            let frames = try log.check(from: 0, maximumBytes: 1000, mergeAfter: mergeAfter)
            #expect(try WireFrame.lines(frames[0]).count == lines, "\(mergeAfter)")
        }
        let frames = try log.check(from: 1, maximumBytes: 1000, mergeAfter: 0)
        #expect(
            String(decoding: frames[0], as: UTF8.self)
                == #"{"type":"delta","from":2,"seq":3,"response":"r0","index":0,"part":0,"text":"bc"}"#
        )
    }

    @Test("a run is cut at 4 KiB, and its two halves read as one text")
    func runCut() throws {
        for (size, segments) in [(4095, 1), (4096, 1), (4097, 2)] {
            var log = ModelledLog()
            log.piece("x")
            log.piece(String(repeating: "y", count: size - 1))
            #expect(log.log.segments.count == segments, "\(size)")
            try log.check(from: 0, maximumBytes: 1 << 20, mergeAfter: 0)
        }
        var log = ModelledLog()
        log.piece(String(repeating: "z", count: 100_000))  // A single piece may be longer.
        log.piece("!")
        #expect(log.log.segments.count == 2)
        try log.check(from: 0, maximumBytes: 10, mergeAfter: 0)
    }

    @Test("a line break in what others wrote does not break the frame")
    func lineBreaks() throws {
        var log = ReplayLog(epoch: "e")
        let item = Array("{\r\n \"a\":\n1}".utf8)
        log.appendItem(response: 0, index: 0, item: item.span) { $0.field("index", 0) }
        var frame: [UInt8] = []
        _ = log.render(after: 0, into: &frame, maximumBytes: 1000, mergeAfter: 9)
        #expect(
            String(decoding: frame, as: UTF8.self)
                == #"{"type":"item","seq":1,"index":0,"item":{   "a": 1}}"#)
    }

    @Test("what lies behind a cursor shrinks as the cursor goes on")
    func bytesAfter() {
        var last = Int.max
        for cursor in 0...31 {
            let bytes = Self.mixed.log.bytes(after: cursor)
            #expect(bytes < last, "\(cursor)")
            last = bytes
        }
        #expect(last == 0)
        #expect(Self.mixed.log.bytes(after: 99) == 0)
    }

    @Test("a log that was compacted to nothing is not behind for any cursor")
    func compactedToNothing() {
        var log = Self.mixed
        log.log.dropEvents(ofResponses: [0])
        #expect(log.log.segments.isEmpty)
        #expect(log.log.storedBytes == 0)
        #expect(log.log.compactedThrough == 31)
        for cursor in 0...31 { #expect(log.log.bytes(after: cursor) == 0) }
        var output: [UInt8] = []
        #expect(log.log.render(after: 31, into: &output, maximumBytes: 9, mergeAfter: 9) == 31)
    }

    @Test("a run does not go on across events of others that were dropped")
    func noFalseRuns() throws {
        var log = ModelledLog()
        log.piece("a", response: 0)
        log.line("end", .complete, response: 1)
        log.log.dropEvents(ofResponses: [1])
        log.piece("b", response: 0)
        log.piece("c", response: 0)
        #expect(log.log.lastSequence == 4)
        try log.check(from: 2, maximumBytes: 1000, mergeAfter: 0)
        try log.check(from: 3, maximumBytes: 1000, mergeAfter: 0)
    }

    @Test("random logs: everything exactly once, and the account agrees", arguments: 1...20)
    func randomOperations(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var log = ModelledLog()
        var dropped: Set<Int> = []
        for step in 0..<200 {
            let response = (0..<6).filter { !dropped.contains($0) }.randomElement(using: &random)
            guard let response else { break }
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<70:
                let text = String(repeating: "x", count: Int.random(in: 0...9, using: &random))
                log.piece(
                    text + "\(step)", index: Int.random(in: 0...1, using: &random),
                    response: response, part: Int.random(in: 0...20, using: &random) / 20,
                    content: Bool.random(using: &random) ? .delta(.text) : .tool(kind: "shell"))
            case 70..<75: log.piece(String(repeating: "y", count: 20_000), response: response)
            case 75..<90: log.line("line \(step)", response: response)
            case 90..<98: log.log.trimLastRun()
            default:
                guard dropped.count < 5 else { continue }
                dropped.insert(response)
                let last = (log.events.lastIndex { $0.response == response } ?? -1) + 1
                let before = log.log.compactedThrough
                log.log.dropEvents(ofResponses: [response])
                #expect(log.log.compactedThrough == max(before, last))
            }
            #expect(log.log.storedBytes == log.recount, "step \(step)")
            #expect(log.log.lastSequence == log.events.count)
            let low = log.log.compactedThrough
            let cursor = Int.random(in: low...log.log.lastSequence, using: &random)
            try log.check(
                from: cursor, maximumBytes: Int.random(in: 0...3000, using: &random),
                mergeAfter: Int.random(in: 0...40, using: &random))
            #expect(log.log.bytes(after: cursor) <= log.log.bytes(after: max(0, cursor - 1)))
        }
        log.log.dropEvents(ofResponses: Set(0..<6))
        #expect(log.log.storedBytes == 0)
    }
}
