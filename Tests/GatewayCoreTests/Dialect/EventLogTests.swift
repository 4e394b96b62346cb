import Foundation
import Testing

@testable import GatewayCore

@Suite("the full-fidelity log")
struct EventLogTests {
    private static func delta(_ number: Int, _ text: String, obfuscation: String? = nil) -> String {
        let tail = obfuscation.map { ",\"obfuscation\":\"\($0)\"" } ?? ""
        return
            #"{"type":"response.output_text.delta","sequence_number":\#(number),"item_id":"msg_1","#
            + #""output_index":0,"content_index":0,"delta":"\#(text)","logprobs":[]\#(tail)}"#
    }
    private static let created =
        #"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","#
        + #""status":"in_progress","temperature":1.0,"output":[]}}"#
    private static let item =
        #"{"type":"response.output_item.done","sequence_number":3,"output_index":0,"item":{"id":"msg_1","type":"message","content":[]}}"#

    @Test("keeps every byte but obfuscation and sequence_number")
    func fidelity() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        try fixture.feed(0, Self.created.replacing("\"sequence_number\":0,", with: ""))
        try fixture.feed(0, Self.delta(17, "a\\n", obfuscation: "xyz"))
        try fixture.feed(0, Self.delta(18, "b"))
        try fixture.feed(
            0,
            #"{ "obfuscation" : "q", "delta":"c","type":"odd.delta","x":1.50,"sequence_number": 9 }"#
        )
        #expect(
            fixture.data(of: 0) == [
                #"{"type":"response.created","response":{"id":"resp_1","object":"response","#
                    + #""status":"in_progress","temperature":1.0,"output":[]},"sequence_number":0}"#,
                Self.delta(1, "a\\n"), Self.delta(2, "b"),
                #"{  "delta":"c","type":"odd.delta","x":1.50,"sequence_number": 3 }"#,
            ])
        #expect(fixture.data(of: 0, after: 1).count == 2)
        #expect(fixture.machine.log.cursor(ofResponse: 0, after: 3) == 4)
        #expect(fixture.machine.log.cursor(ofResponse: 0, after: 4) == nil)
    }

    @Test("a run of deltas has so many bytes of text, and no more", arguments: -1...1)
    func fullRun(offset: Int) throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        try fixture.feed(0, Self.created)
        let texts = [
            String(repeating: "a", count: ReplayLog.maximumRunBytes - 10),
            String(repeating: "b", count: 10 + offset), "c",
        ]
        for (index, text) in texts.prefix(2).enumerated() {
            try fixture.feed(0, Self.delta(index + 1, text))
        }
        func runs() -> Int { fixture.machine.log.segments.count { $0.kind == .eventRun } }
        #expect(runs() == (offset > 0 ? 2 : 1))
        // One more byte has room below the limit, and in a run that has just begun.
        try fixture.feed(0, Self.delta(3, texts[2]))
        #expect(runs() == (offset < 0 ? 1 : 2))
        #expect(
            fixture.data(of: 0).dropFirst()
                == texts.enumerated().map {
                    Self.delta($0.offset + 1, $0.element)
                }[...])
    }

    /// What follows a delta: `#` is where its number stands.
    static let successors = [
        #"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"delta":"","n":1}"#,
        #"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"delta":"\\\"\\u00e9","n":1}"#,
        #"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"delta":"é✓\\\\","n":1}"#,
        #"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"delta":"\",\"n\":2,\"x\":\"","n":1}"#,
        #"{"type":"response.output_text.delta","sequence_number":#,"output_index":1,"delta":"a","n":1}"#,
        #"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"delta":"a","n":2}"#,
        #"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"delta":"a","n":1,"m":2}"#,
        #"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"delta": "a","n":1}"#,
        #"{"type":"response.output_text.delta","output_index":0,"delta":"a","n":1,"sequence_number":#}"#,
        #"{"delta":"first","type":"response.output_text.delta","output_index":0,"sequence_number":#,"n":1}"#,
        #"{"type":"response.refusal.delta","sequence_number":#,"output_index":0,"delta":"a","n":1}"#,
    ]

    @Test("whatever follows a delta keeps its bytes", arguments: successors)
    func afterADelta(event: String) throws {
        let usual =
            #"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"delta":"a","n":1}"#
        for (first, second) in [(usual, event), (event, usual), (event, event)] {
            for number in ["7", "0", "-1", "1.5", "12345678901", "\"x\"", "null"] {
                var fixture = DialectFixture()
                try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
                try fixture.feed(0, Self.created)
                try fixture.feed(0, first.replacing("#", with: "4"))
                try fixture.feed(0, second.replacing("#", with: number))
                try fixture.feed(0, second.replacing("#", with: "9"))
                #expect(
                    fixture.data(of: 0, after: 0) == [
                        first.replacing("#", with: "1"), second.replacing("#", with: "2"),
                        second.replacing("#", with: "3"),
                    ])
            }
        }
    }

    @Test("an event goes out on one line, with the name of its type")
    func framing() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi"}"#)
        try fixture.feed(0, "{\n\"type\":\"x.y\",\r\n\"sequence_number\":4}")
        var output: [UInt8] = []
        _ = fixture.machine.log.renderEvents(
            after: 0, into: &output, maximumBytes: 1, framing: .serverSentEvents)
        #expect(
            String(decoding: output, as: UTF8.self)
                == "event: x.y\ndata: { \"type\":\"x.y\",  \"sequence_number\":0}\n\n")
    }

    @Test("a long text takes a tenth of what its events took")
    func memory() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        try fixture.feed(0, Self.created)
        var received = 0
        for number in 1...5000 {
            let event = Self.delta(number, "word ", obfuscation: "abcdefgh")
            received += event.utf8.count + 50  // The lines around it on the wire.
            try fixture.feed(0, event)
        }
        #expect(fixture.machine.storedBytes * 10 < received)
        #expect(fixture.data(of: 0, bytes: 4000).count == 5001)
    }

    @Test("two texts side by side share their shapes")
    func interleaved() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","stream_id":"a","input":"hi"}"#, isFrame: true)
        try fixture.create(#"{"model":"m","stream_id":"b","input":"hi"}"#, isFrame: true)
        for number in 0..<4 {
            try fixture.feed(0, Self.delta(number, "x"))
            try fixture.feed(1, Self.delta(number, "y"))
        }
        #expect(fixture.data(of: 1) == (0..<4).map { Self.delta($0, "y") })
        #expect(fixture.machine.log.segments.reduce(0) { $0 + $1.shapeBytes } < 400)
        #expect(
            fixture.lines(after: 6) == [
                #"{"stream_id":"a","gateway_seq":7,"# + Self.delta(3, "x").dropFirst(),
                #"{"stream_id":"b","gateway_seq":8,"# + Self.delta(3, "y").dropFirst(),
            ])
    }

    @Test("a stream that breaks off ends as failed, with what was finished")
    func brokenOff() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        try fixture.feed(0, Self.created)
        try fixture.feed(0, Self.item)
        fixture.machine.upstreamFailed(
            0, ResponseError(code: "upstream_truncated", message: "cut", isRetryable: true),
            now: fixture.now, actions: &fixture.actions)
        #expect(
            fixture.data(of: 0).last
                == #"{"type":"response.failed","sequence_number":2,"response":{"id":"resp_1","#
                + #""object":"response","status":"failed","temperature":1.0,"output":[{"id":"msg_1","#
                + #""type":"message","content":[]}],"error":{"code":"upstream_truncated","message":"cut"}}}"#
        )
        #expect(fixture.machine.progress(0)?.lastSequence == 3)
        #expect(fixture.machine.progress(0)?.failure?.status == 502)
    }

    @Test("a cancelled response ends once, and says so")
    func cancelled() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        try fixture.feed(0, Self.created)
        fixture.machine.cancel(0, now: fixture.now, actions: &fixture.actions)
        #expect(fixture.actions.contains(.closeUpstream(response: 0)))
        fixture.machine.upstreamClosed(0, now: fixture.now, actions: &fixture.actions)
        try fixture.feed(0, Self.delta(1, "late"))
        let last = try #require(fixture.data(of: 0).last)
        #expect(last.contains(#""type":"response.incomplete""#))
        #expect(last.contains(#""status":"cancelled""#))
        #expect(fixture.data(of: 0).count == 2)
    }

    @Test("lanes are first in, first out; different lanes run at once, up to the limit")
    func lanes() throws {
        var fixture = DialectFixture {
            $0.activeResponses = 2
            $0.namedLanes = 3
        }
        for lane in ["a", "a", "b", "c"] {
            try fixture.create(
                #"{"model":"\#(lane)","stream_id":"\#(lane)","input":"hi"}"#, isFrame: true)
        }
        #expect(throws: DialectError.self) {
            try fixture.create(#"{"stream_id":"d","input":"hi"}"#, isFrame: true)
        }
        #expect(throws: DialectError.self) {
            try fixture.create(#"{"stream_id":"d!","input":"hi"}"#, isFrame: true)
        }
        #expect(fixture.opened().map(\.response) == [0, 1])
        try fixture.feed(
            1, #"{"type":"response.completed","response":{"id":"r1","status":"completed"}}"#)
        #expect(fixture.opened().map { $0.body.contains(#""model":"c""#) } == [true])
        try fixture.feed(
            0, #"{"type":"response.completed","response":{"id":"r0","status":"completed"}}"#)
        #expect(fixture.opened().map { $0.body.contains(#""model":"a""#) } == [true])
    }

    @Test("a turn that upstream does not keep is sent along with the next")
    func turns() throws {
        var fixture = DialectFixture { $0.keepsTurns = true }
        try fixture.create(#"{"input":"one","generate":false}"#, isFrame: true)
        #expect(fixture.opened().isEmpty)
        let id = try #require(fixture.machine.responses.first?.upstreamID)
        let name = String(decoding: id, as: UTF8.self)
        #expect(fixture.lines().count == 2)
        let before = fixture.machine.storedBytes
        let input = String(repeating: "two", count: 1_000)
        try fixture.create(
            #"{"input":"\#(input)","previous_response_id":\#(name),"store":false}"#, isFrame: true)
        #expect(fixture.machine.storedBytes > before + 3_000, "it counts while it runs")
        #expect(
            fixture.opened().map(\.body) == [
                #"{"stream":true,"stream_options":{"include_obfuscation":false},"store":false,"#
                    + #""input":[{"role":"user","content":"one"},{"role":"user","content":"\#(input)"}]}"#
            ])
    }

    @Test(
        "gives every recorded event back as it came",
        .enabled(if: !CorpusTests.recordings.isEmpty, "no recorded streams beside the package"),
        arguments: CorpusTests.recordings)
    func corpus(_ recording: CorpusTests.Recording) throws {
        let body = [UInt8](try Data(contentsOf: recording.url))
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        var parser = ServerSentEventParser(
            limits: .init(maximumLineBytes: 1 << 24, maximumEventBytes: 1 << 24))
        var events: [[UInt8]] = []
        try parser.feed(body.span) { data, _ in
            var event: [UInt8] = []
            event.append(data)
            if event.first == UInt8(ascii: "{") { events.append(event) }
            return .proceed
        }
        for event in events { try fixture.feed(0, event) }
        let given = fixture.data(of: 0, bytes: 4000)
        try #require(given.count == events.count)
        for (number, event) in events.enumerated() {
            #expect(given[number] == Self.expected(event, number))
        }
    }

    private static func expected(_ event: [UInt8], _ number: Int) -> String {
        var text = String(decoding: event, as: UTF8.self)
        for pattern in [#",\s*"obfuscation"\s*:\s*"[^"]*""#, #""obfuscation"\s*:\s*"[^"]*"\s*,"#] {
            text = text.replacingOccurrences(of: pattern, with: "", options: .regularExpression)
        }
        let numbered = text.replacingOccurrences(
            of: #"("sequence_number"\s*:\s*)\d+"#, with: "$1\(number)", options: .regularExpression)
        if numbered != text || text.contains("\"sequence_number\"") { return numbered }
        return text.dropLast() + ",\"sequence_number\":\(number)}"
    }
}

extension String {
    fileprivate func replacing(_ text: String, with other: String) -> String {
        replacingOccurrences(of: text, with: other)
    }
}
