import Testing

@testable import GatewayCore

@Suite("server-sent events")
struct ServerSentEventParserTests {
    struct Parsed: Equatable {
        var events: [String] = []
        var comments = 0
        var failure: ServerSentEventParser.Failure?
    }

    private static func parse(
        _ body: [UInt8], _ chunking: Chunking, line: Int = 1 << 20, event: Int = 1 << 20,
        stopAfter: Int = .max
    ) -> Parsed {
        var parser = ServerSentEventParser(
            limits: .init(maximumLineBytes: line, maximumEventBytes: event))
        var parsed = Parsed()
        for range in chunking.ranges(body.count) {
            do {
                try parser.feed(body.span.extracting(range)) { data, name in
                    var text: [UInt8] = []
                    text.append(name)
                    text.append(literal: "|")
                    text.append(data)
                    parsed.events.append(String(decoding: text, as: UTF8.self))
                    return parsed.events.count == stopAfter ? .stop : .proceed
                }
            } catch {
                parsed.failure = error
            }
        }
        parsed.comments = parser.commentCount
        return parsed
    }

    @Test(
        "follows the WHATWG rules, wherever the body is cut",
        arguments: [
            ("data: a\n\n", ["|a"]), ("data:a\n\n", ["|a"]), ("data:  a\n\n", ["| a"]),
            ("data: a\r\n\r\n", ["|a"]), ("data: a\r\r", ["|a"]),
            ("data: a\r\n\r\ndata: b\r\r", ["|a", "|b"]),
            ("data: a\n\rdata: b\r\n\n", ["|a", "|b"]), ("data: a\ndata: b\n\n", ["|a\nb"]),
            ("data: a\ndata\ndata:\n\n", ["|a\n\n"]), ("data\n\n", ["|"]), ("data:\n\n", ["|"]),
            ("data: \n\n", ["|"]), ("data: a\n", []), ("data: a", []),
            ("data: a\n\ndata: b\n", ["|a"]),
            ("event: x\ndata: a\n\ndata: b\n\n", ["x|a", "|b"]),
            ("event: x\n\ndata: a\n\n", ["|a"]),
            ("data: a\nevent: x\nevent: y\n\n", ["y|a"]), ("event:x\nevent\ndata: a\n\n", ["|a"]),
            (": c\n\n:\n:c\ndata: a\n: c\n\n", ["|a"]), ("id: 1\nretry: 5\ndata: a\n\n", ["|a"]),
            ("id: 1\n\n\n\n", []), ("dataa: x\ndat: x\n data: x\nDATA: x\n\n", []),
            ("data : x\n\n", []), ("\n\n\ndata: a\n\n\n\n", ["|a"]),
            ("\u{FEFF}data: a\n\n", ["|a"]), ("\u{FEFF}\u{FEFF}data: a\n\n", []),
            ("data: \u{FEFF}a\n\n", ["|\u{FEFF}a"]), ("data: a\n\n\u{FEFF}data: b\n\n", ["|a"]),
            ("data: x\u{2028}y\u{85}z\u{B}\u{C}\u{0}\n\n", ["|x\u{2028}y\u{85}z\u{B}\u{C}\u{0}"]),
            ("data: 你好 😀\n\n", ["|你好 😀"]), ("data: a: b\n\n", ["|a: b"]), ("", []),
            ("\u{FEFF}", []),
        ])
    func follows(_ body: String, _ events: [String]) {
        let bytes = Array(body.utf8)
        let whole = Self.parse(bytes, .whole)
        #expect(whole.events == events)
        for cut in 0...bytes.count {
            #expect(Self.parse(bytes, .at(cut)) == whole, "cut at \(cut)")
        }
        for size in 1...9 { #expect(Self.parse(bytes, .every(size)) == whole, "by \(size)") }
    }

    @Test("half a byte order mark is the beginning of a line")
    func halfMark() {
        for mark in [[0xEF], [0xEF, 0xBB], [0xEF, 0xBB, 0xBB], [0xBB], [0xEF, 0xEF, 0xBB, 0xBF]]
            as [[UInt8]]
        {
            let body = mark + Array("data: a\n\ndata: b\n\n".utf8)
            let whole = Self.parse(body, .whole)
            #expect(whole.events == ["|b"])
            for cut in 0...body.count { #expect(Self.parse(body, .at(cut)) == whole) }
        }
    }

    @Test("counts comments")
    func comments() {
        let body = Array(": OPENROUTER PROCESSING\n\n:\ndata: a\n:x\n\n".utf8)
        #expect(Self.parse(body, .whole).comments == 3)
        #expect(Self.parse(body, .every(1)).comments == 3)
    }

    /// What a reader gets that skims each `data: s` event, and where it was offered one.
    private static func skim(_ body: String, _ chunking: Chunking, line: Int = 1 << 20) -> (
        taken: [String], offered: [Int]
    ) {
        let bytes = Array(body.utf8)
        let known = Array("data: s\n\n".utf8)
        var parser = ServerSentEventParser(
            limits: .init(maximumLineBytes: line, maximumEventBytes: 1 << 20))
        var taken: [String] = []
        var offered: [Int] = []
        for range in chunking.ranges(bytes.count) {
            try? parser.feed(bytes.span.extracting(range)) { chunk, start in
                offered.append(range.lowerBound + start)
                var index = start
                while ByteScan.isSame(known.span, 0, chunk, index, count: known.count) {
                    taken.append("skimmed")
                    index += known.count
                }
                return index
            } emit: { data, _, lead in
                var text: [UInt8] = []
                text.append(lead)
                text.append(literal: "|")
                text.append(data)
                taken.append(String(decoding: text, as: UTF8.self))
                return .proceed
            }
        }
        return (taken, offered)
    }

    @Test(
        "events are offered whole to who knows them by their bytes, where they begin and nowhere else"
    )
    func skims() {
        let body = "data: s\n\ndata: s\n\nevent: e\ndata: a\n\ndata: s\n\n"
        let whole = Self.skim(body, .whole)
        #expect(whole.taken == ["skimmed", "skimmed", "event: e\ndata: |a", "skimmed"])
        #expect(whole.offered == [0, 36])
        // An event that is cut is nobody's but the parser's, and comes without a lead.
        let cut = Self.skim(body, .at(12))
        #expect(cut.taken == ["skimmed", "|s", "event: e\ndata: |a", "skimmed"])
        #expect(cut.offered == [0, 18, 36])
        for place in 0...body.utf8.count {
            #expect(Self.skim(body, .at(place)).taken.count == 4, "cut at \(place)")
        }
        #expect(Self.skim(body, .every(1)).taken.allSatisfy { $0.hasPrefix("|") })
        // Written in another way it has no lead that could be relied on.
        #expect(Self.skim("data: a\r\n\r\n", .whole).taken == ["|a"])
        #expect(Self.skim("data: a\ndata: b\n\n", .whole).taken == ["|a\nb"])
        #expect(Self.skim("event: e\ndata: s\n\n", .whole).offered == [0])
    }

    @Test("nothing is offered of a chunk that may hold a line too long", arguments: [-1, 0, 1])
    func skimLimit(over: Int) {
        let body = "data: s\n\ndata: s\n\n"
        let taken = Self.skim(body, .whole, line: body.utf8.count - over).taken
        #expect(taken == (over <= 0 ? ["skimmed", "skimmed"] : ["data: |s", "data: |s"]))
    }

    @Test(
        "a line may have as many bytes as the limit says, and no more", arguments: [-1, 0, 1],
        ["data: ", ": ", "other: "])
    func lineLimit(_ over: Int, _ field: String) {
        let limit = 32
        let line = field + String(repeating: "x", count: limit + over - field.utf8.count)
        for end in ["\n", "\r\n", "\r"] {
            let body = Array("data: ok\n\n\(line)\(end)\(end)data: after\n\n".utf8)
            let whole = Self.parse(body, .whole, line: limit)
            if over <= 0 {
                #expect(whole.failure == nil)
                #expect(whole.events.last == "|after")
            } else {
                #expect(whole.failure == .lineTooLong(limitBytes: limit))
                #expect(whole.events == ["|ok"])
            }
            for cut in 0...body.count {
                #expect(Self.parse(body, .at(cut), line: limit) == whole, "cut at \(cut)")
            }
        }
    }

    @Test("a line without an end is refused as soon as it is too long")
    func endlessLine() {
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: 100)
        #expect(Self.parse(body, .every(10), line: 99).failure == .lineTooLong(limitBytes: 99))
        #expect(Self.parse(body, .every(10), line: 100).failure == nil)
    }

    @Test("an event may have as much data as the limit says", arguments: [-1, 0, 1], [1, 2, 3])
    func eventLimit(_ over: Int, _ lines: Int) {
        let limit = 30
        let total = limit + over - (lines - 1)
        var body = "data: ok\n\n"
        for line in 0..<lines {
            let size = line == 0 ? total - (lines - 1) * 5 : 5
            body += "data: " + String(repeating: "x", count: size) + "\n"
        }
        let bytes = Array((body + "\ndata: after\n\n").utf8)
        let whole = Self.parse(bytes, .whole, event: limit)
        if over <= 0 {
            #expect(whole.events.count == 3)
            #expect(whole.events.dropFirst().first?.utf8.count == limit + over + 1)
        } else {
            #expect(whole.failure == .eventTooLong(limitBytes: limit))
            #expect(whole.events == ["|ok"])
        }
        for cut in 0...bytes.count {
            #expect(Self.parse(bytes, .at(cut), event: limit) == whole, "cut at \(cut)")
        }
    }

    @Test("stops where the caller says, whatever is left of the chunk")
    func stops() {
        let body = Array("data: a\n\ndata: b\n\ndata: c\n\n: x\n".utf8)
        for chunking in [Chunking.whole, .every(1), .every(5)] {
            let parsed = Self.parse(body, chunking, stopAfter: 2)
            #expect(parsed.events == ["|a", "|b"])
            #expect(parsed.comments == 0)
        }
    }

    @Test(
        "an event that is cut is whole, however many whole ones came before it",
        arguments: [0, 1, 62, 63, 64, 65, 130])
    func cutAfterWhole(count: Int) throws {
        var parser = ServerSentEventParser(
            limits: .init(maximumLineBytes: 100, maximumEventBytes: 100))
        var events: [String] = []
        func feed(_ chunk: String) throws {
            try parser.feed(Array(chunk.utf8).span) { data, name in
                var text: [UInt8] = []
                text.append(name)
                text.append(literal: "|")
                text.append(data)
                events.append(String(decoding: text, as: UTF8.self))
                return .proceed
            }
        }
        for round in 0..<2 {
            try feed("event: long\ndata: first half")
            try feed(" and second\ndata: line\n")
            try feed("\n")
            for number in 0..<count { try feed("data: \(round) \(number)\n\n") }
        }
        let cut = "long|first half and second\nline"
        let whole = (0..<2).map { round in (0..<count).map { "|\(round) \($0)" } }
        #expect(events == [cut] + whole[0] + [cut] + whole[1])
    }
}
