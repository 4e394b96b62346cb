import Testing

@testable import GatewayCore

/// Damaged streams: whatever upstream sends, the result does not depend on where it was cut.
@Suite("damaged streams")
struct MutationTests {
    static let events = [
        #"{"type":"response.created","response":{"id":"resp_1","model":"m","status":"in_progress"}}"#,
        #"{"type":"response.output_item.added","output_index":0,"item":{"id":"rs","type":"reasoning","summary":[]}}"#,
        #"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"Hm\u00e9"}"#,
        #"{"type":"response.output_item.done","output_index":0,"item":{"id":"rs","type":"reasoning","summary":[{"type":"summary_text","text":"Hmé, well"}]}}"#,
        #"{"type":"response.output_item.added","output_index":1,"item":{"id":"msg","type":"message","content":[]}}"#,
        #"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"Hello \ud83d"}"#,
        #"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"\ude00 你好"}"#,
        #"{"type":"response.output_text.done","output_index":1,"content_index":0,"text":"Hello 😀 你好!"}"#,
        #"{"type":"response.output_item.done","output_index":1,"item":{"id":"msg","type":"message","content":[{"type":"output_text","text":"Hello 😀 你好!"}]}}"#,
        #"{"type":"response.output_item.added","output_index":2,"item":{"id":"fc","type":"function_call","call_id":"c1","name":"f"}}"#,
        #"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"a\":"}"#,
        #"{"type":"response.function_call_arguments.done","output_index":2,"arguments":"{\"a\":1}"}"#,
        #"{"type":"response.web_search_call.searching","output_index":3,"item_id":"ws"}"#,
        #"{"type":"error","error":{"code":"c","message":"m"}}"#,
        #"{"type":"response.completed","response":{"id":"resp_1","status":"completed","usage":{"total_tokens":3},"output":[{"id":"rs","type":"reasoning"},{"id":"msg","type":"message","content":[{"type":"output_text","text":"Hello 😀 你好!?"}]},{"id":"fc","type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},{"id":"ws","type":"web_search_call","status":"completed"}]}}"#,
    ]

    private static func mutate(
        _ body: [UInt8], _ generator: inout SeededGenerator
    ) -> [UInt8] {
        var body = body
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let index = Int.random(in: 0..<body.count, using: &generator)
            let end = min(body.count, index + Int.random(in: 1...40, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: body[index] = UInt8.random(in: 0...255, using: &generator)
            case 1: body.removeSubrange(index..<end)
            case 2: body.insert(contentsOf: body[index..<end], at: index)
            case 3: body[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 4:
                let digits = body.indices.filter { (0x30...0x39).contains(body[$0]) }
                if let digit = digits.randomElement(using: &generator) {
                    body[digit] = UInt8.random(in: 0x30...0x39, using: &generator)
                }
            default:
                let words = ["\r", "\n\n", "\"", "\\", "null", "-1", "\u{FEFF}", "[", ":", "{}"]
                body.insert(
                    contentsOf: (words.randomElement(using: &generator) ?? "").utf8, at: index)
            }
        }
        return body
    }

    /// Changes the order of events, drops and repeats them: all of it lawful JSON.
    private static func shuffle(_ generator: inout SeededGenerator) -> [UInt8] {
        var events = Self.events
        for _ in 0..<Int.random(in: 1...5, using: &generator) {
            let from = Int.random(in: 0..<events.count, using: &generator)
            let to = Int.random(in: 0..<events.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: events.swapAt(from, to)
            case 1: events.insert(events[from], at: to)
            default: if events.count > 2 { events.remove(at: from) }
            }
        }
        return stream(events)
    }

    private func check(_ result: StreamResult, _ name: String) {
        #expect(result.lines.count { $0.hasPrefix("finished") } <= 1, "\(name)")
        if let end = result.lines.firstIndex(where: { $0.hasPrefix("finished") }) {
            #expect(end == result.lines.count - 1, "\(name)")
        }
        var ended: [Substring: Int] = [:]
        for line in result.lines where line.hasPrefix("tool ") && !line.contains(" + ") {
            let words = line.split(separator: " ")
            if ["completed", "failed", "incomplete"].contains(words.count > 3 ? words[3] : "") {
                ended[words[1], default: 0] += 1
            }
        }
        #expect(ended.values.allSatisfy { $0 == 1 }, "\(name)")
    }

    @Test("thousands of mutations: no trap, one end, the same result however it is cut")
    func mutations() {
        var generator = SeededGenerator(seed: 2026)
        let valid = stream(Self.events)
        for round in 0..<3000 {
            let body = Self.mutate(valid, &generator)
            let whole = run(body)
            #expect(run(body, .random(seed: UInt64(round))) == whole, "round \(round)")
            if round % 10 == 0 { #expect(run(body, .every(1)) == whole, "round \(round)") }
            check(whole, "round \(round)")
        }
    }

    @Test("events in any order, repeated or missing: no trap, one end, one end of each call")
    func shuffles() {
        var generator = SeededGenerator(seed: 7)
        for round in 0..<3000 {
            let body = Self.shuffle(&generator)
            let whole = run(body)
            #expect(whole.error == nil, "round \(round)")
            check(whole, "round \(round)")
        }
    }

    @Test("every cut of a valid stream: truncated, and its text is a beginning of the whole")
    func prefixes() {
        let valid = stream(Self.events)
        let whole = run(valid)
        for end in stride(from: 0, to: valid.count - 1, by: 3) {
            let cut = run(Array(valid[..<end]))
            #expect(cut.end == nil)
            #expect(cut.error == nil)
            #expect(cut.lines.last?.hasPrefix("truncated") == true)
            // Half a surrogate pair at the cut reads as U+FFFD; the rest is the same.
            let text = cut.joinedText.prefix { $0 != 0xEF }
            #expect(whole.joinedText.starts(with: text))
            check(cut, "cut at \(end)")
        }
    }
}
