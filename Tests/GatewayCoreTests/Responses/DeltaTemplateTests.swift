import Testing

@testable import GatewayCore

/// Deltas that are compared with the one before them instead of being read.
@Suite("delta templates")
struct DeltaTemplateTests {
    /// What a reducer makes of `events`, by event; the last one may be the error that ended it.
    ///
    /// With `forgets` an event that says nothing comes between any two, so that each is read in full.
    private func outputs(of events: [[UInt8]], forgets: Bool) -> [String] {
        var reducer = ResponsesReducer()
        var lines: [String] = []
        let nothing = Array(#"{"type":"keepalive"}"#.utf8)
        for event in events {
            var line = ""
            do throws(ResponsesFailure) {
                if forgets { try reducer.reduce(nothing.span) { line += "\($0)" } }
                try reducer.reduce(event.span) { output in
                    line += "\(output)"
                    if case .delta(_, _, _, let text) = output {
                        line += String(decoding: event[text], as: UTF8.self)
                    }
                }
                lines.append(line)
            } catch {
                return lines + ["\(line) \(error)"]
            }
        }
        return lines
    }

    private static let texts = [
        "", "a", "twenty bytes of text", #"line\n\"quoted\""#, "你好", #"\ud83d"#, #"\ude00 x"#,
        #"\u00e9"#,
        "a text that is longer than thirty-two bytes, and then some more", "tab\tinside", #"\x"#,
    ]

    private static func event(_ number: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        let text = texts[Int.random(in: 0..<texts.count, using: &generator)]
        let index = Int.random(in: 0..<30, using: &generator) == 0 ? 1 : 0
        let zero = Int.random(in: 0..<40, using: &generator) == 0 ? "0" : ""
        let type = Int.random(in: 0..<20, using: &generator) == 0 ? "refusal" : "output_text"
        return Array(
            (#"{"type":"response.\#(type).delta","sequence_number":\#(zero)\#(number),"#
                + #""output_index":\#(index),"content_index":0,"delta":"\#(text)","obfuscation":"\#(number)"}"#)
                .utf8)
    }

    @Test("they mean what they mean when they are read", arguments: 0..<60)
    func sameMeaning(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var events = (0..<40).map { Self.event($0, &generator) }
        for _ in 0..<3 {
            let damaged = Int.random(in: 0..<events.count, using: &generator)
            let place = Int.random(in: 0..<events[damaged].count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: events[damaged][place] = UInt8.random(in: 0...255, using: &generator)
            case 1: events[damaged].remove(at: place)
            default: events[damaged].insert(UInt8(ascii: "0"), at: place)
            }
        }
        #expect(outputs(of: events, forgets: false) == outputs(of: events, forgets: true))
    }

    /// A stream of events of which most are written alike.
    private static func body(_ generator: inout SeededGenerator) -> [UInt8] {
        var body: [UInt8] = []
        for number in 0..<80 {
            let event = event(number, &generator)
            let isOther = Int.random(in: 0..<12, using: &generator) == 0
            let style = isOther ? Int.random(in: 1..<6, using: &generator) : 0
            switch style {
            case 1: body.append(literal: ": a comment\n\n")
            case 2: body.append(literal: "event: another\n")
            case 3, 4: break
            default: body.append(literal: "event: response.output_text.delta\n")
            }
            body.append(literal: style == 3 ? "data:" : "data: ")
            body.append(event.span)
            body.append(literal: style == 4 ? "\r\n\r\n" : style == 5 ? "\n:\n\n" : "\n\n")
        }
        return body
    }

    @Test("what is skimmed means what it means event by event", arguments: 0..<60)
    func skims(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var body = Self.body(&generator)
        // Some streams are in order to their end.
        for _ in 0..<Int(seed % 4) {
            let place = Int.random(in: 0..<body.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: body[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: body.remove(at: place)
            default: body.insert(UInt8(ascii: "\n"), at: place)
            }
        }
        let singly = run(body, skims: false)
        for chunking in [.whole, .every(997), .every(300), .random(seed: seed)] as [Chunking] {
            #expect(run(body, chunking) == singly, "\(chunking)")
        }
    }

    /// A stream of deltas that are written alike, after one that is read.
    private static func alike(_ count: Int, padding: Int = 0) -> [UInt8] {
        let space = String(repeating: " ", count: padding)
        return stream(
            (0...count).map {
                #"{"type":"response.output_text.delta",\#(space)"sequence_number":\#($0),"output_index":0,"content_index":0,"delta":"x"}"#
            })
    }

    /// How many deltas each skim takes of a body in one chunk, and how many deltas are read.
    private static func skimmed(_ body: [UInt8]) throws -> (batches: [Int], read: Int) {
        var parser = ServerSentEventParser(
            limits: .init(maximumLineBytes: 1 << 20, maximumEventBytes: 1 << 20))
        var reducer = ResponsesReducer()
        var batches: [Int] = []
        var read = 0
        try parser.feed(body.span) { chunk, start in
            reducer.skim(chunk, from: start, batches: { batches.append($0.count) })
        } emit: { data, _, lead in
            try? reducer.reduce(data, lead: lead) { _ in read += 1 }
            return .proceed
        }
        return (batches, read)
    }

    @Test("a batch holds so many deltas, and then comes another", arguments: [-1, 0, 1])
    func batches(difference: Int) throws {
        let count = 16 + difference
        let (batches, read) = try Self.skimmed(Self.alike(count))
        #expect(batches == (difference == 1 ? [count - 1, 1] : [count]))
        #expect(read == 1)
    }

    @Test("an event is kept to compare with up to a size, lines included", arguments: [-1, 0, 1])
    func templateLimit(difference: Int) throws {
        let small = Self.alike(1).count / 2
        let (batches, read) = try Self.skimmed(Self.alike(3, padding: 1024 - small + difference))
        #expect(batches == (difference <= 0 ? [3] : []))
        #expect(read == (difference <= 0 ? 1 : 4))
    }

    @Test("a text's hash does not depend on how it was cut", arguments: 0...40)
    func hashOfPieces(cut: Int) {
        let text = Array(#"plain text, then \"quotes\" and 你好, then plain text again"#.utf8)
        // A slice never cuts an escape or a character.
        guard text[cut] < 0x80, cut == 0 || text[cut - 1] != UInt8(ascii: "\\"),
            text[cut] != 0x5C || cut == 0
        else { return }
        var whole = TextFingerprint()
        whole.feed(text.span, 0..<text.count)
        var pieces = TextFingerprint()
        pieces.feed(text.span, 0..<cut)
        let begun = pieces
        pieces.feed(text.span, cut..<text.count)
        #expect(pieces == whole)
        var read = TextFingerprint()
        #expect(begun.continuation(of: text.span, 0..<text.count, read: &read) == cut..<text.count)
    }
}
