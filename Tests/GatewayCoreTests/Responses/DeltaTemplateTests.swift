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
        return lines + ["\(reducer.counters)"]
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
