import Foundation
import Testing

@testable import GatewayCore

@Suite("the one end of a response in the OpenAI dialect")
struct EventEndTests {
    private static let transcript = [
        #"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","output":[]}}"#,
        #"{"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1","status":"in_progress","output":[]}}"#,
        #"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_1","type":"message","content":[]}}"#,
        #"{"type":"response.content_part.added","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#,
        #"{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"He"}"#,
        #"{"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"llo"}"#,
        #"{"type":"response.output_text.done","sequence_number":6,"item_id":"msg_1","output_index":0,"content_index":0,"text":"Hello"}"#,
        #"{"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"msg_1","type":"message","content":[{"type":"output_text","text":"Hello"}]}}"#,
        #"{"type":"response.completed","sequence_number":8,"response":{"id":"resp_1","status":"completed","output":[]}}"#,
    ]

    private static let ends = ["response.completed", "response.failed", "response.incomplete"]

    private static func type(of line: String) throws -> String {
        let bytes = Array(line.utf8)
        let root = try JSONReader(maximumDepth: 64).read(bytes.span)
        let type = root.member("type", in: bytes.span)?.decoded(in: bytes.span)
        return String(decoding: type ?? [], as: UTF8.self)
    }

    /// Fails and cancels after every event, with and without upstream's own words afterwards.
    @Test("comes once and last, wherever upstream breaks off", arguments: 0...9, [true, false])
    func everyCut(_ count: Int, _ isCancel: Bool) throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        for event in Self.transcript.prefix(count) { try fixture.feed(0, event) }
        if isCancel {
            fixture.machine.cancel(0, now: fixture.now, actions: &fixture.actions)
            fixture.machine.upstreamClosed(0, now: fixture.now, actions: &fixture.actions)
        } else {
            fixture.machine.upstreamFailed(
                0, ResponseError(code: "upstream_truncated", message: "cut", isRetryable: true),
                now: fixture.now, actions: &fixture.actions)
        }
        for event in Self.transcript { try? fixture.feed(0, event) }
        let progress = try #require(fixture.machine.progress(0))
        #expect(progress.lastSequence != nil)
        guard count > 0 else {
            #expect(progress.refusal?.status == (isCancel ? 499 : 502))
            return
        }
        let lines = fixture.data(of: 0)
        let ends = try lines.map(Self.type).filter(Self.ends.contains)
        #expect(ends.count == 1)
        #expect(try Self.ends.contains(Self.type(of: #require(lines.last))))
        #expect(lines.count == min(count + 1, Self.transcript.count))
        let expected =
            count == 9 ? "response.completed" : isCancel ? "response.incomplete" : "response.failed"
        #expect(ends == [expected])
        let object = String(
            decoding: try #require(fixture.machine.responseObject(0)), as: UTF8.self)
        #expect(object.contains(#""text":"Hello""#) == (count >= 8))
    }

    @Test(
        "an answer may have limits.response_bytes; the event that exceeds it is its last",
        arguments: [-1, 0, 1])
    func responseBytes(_ difference: Int) throws {
        func answerBytes(_ limit: Int) throws -> (bytes: Int, types: [String]) {
            var fixture = DialectFixture { $0.responseBytes = limit }
            try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
            for event in Self.transcript.dropLast() { try fixture.feed(0, event) }
            let bytes = fixture.machine.responses[0].answerBytes
            fixture.machine.upstreamClosed(0, now: fixture.now, actions: &fixture.actions)
            try fixture.feed(0, Self.transcript[8])
            return (bytes, try fixture.data(of: 0).map(Self.type))
        }
        let whole = try answerBytes(1 << 20)
        #expect(whole.types.last == "response.completed")
        let limited = try answerBytes(whole.bytes + difference)
        #expect(limited.types.last == (difference < 0 ? "response.failed" : "response.completed"))
        #expect(limited.types.count == 9)
    }

    @Test("a terminal event with a delta of its own is still the object that is asked for")
    func oddTerminal() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        let event =
            #"{"type":"response.completed","delta":"x","response":{"id":"resp_1","status":"completed","output":[1]},"sequence_number":null}"#
        try fixture.feed(0, event)
        #expect(fixture.data(of: 0) == [event.replacingOccurrences(of: "null", with: "0")])
        let object = try #require(fixture.machine.responseObject(0))
        #expect(
            String(decoding: object, as: UTF8.self)
                == #"{"id":"resp_1","status":"completed","output":[1]}"#)
    }

    @Test("what is no event is passed over", arguments: ["[DONE]", " ", "\t\n", ""])
    func noEvent(_ data: String) throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        try? fixture.feed(0, data)
        #expect(fixture.machine.progress(0)?.hasBegun == false)
        for event in Self.transcript.prefix(3) { try fixture.feed(0, event) }
        try? fixture.feed(0, data)
        #expect(fixture.data(of: 0) == Array(Self.transcript.prefix(3)))
    }

    @Test("an id is known by its characters, however upstream escapes them")
    func escapedID() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi","stream":true}"#)
        try fixture.feed(
            0, #"{"type":"response.created","response":{"id":"resp\u005f1","status":"queued"}}"#)
        #expect(fixture.machine.response(named: Array(#""resp_1""#.utf8)) == 0)
    }

    @Test("a response that is forgotten no longer counts")
    func forgotten() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"model":"m","input":"hi"}"#)
        for event in Self.transcript { try fixture.feed(0, event) }
        let isCompacted = fixture.machine.compactFinished()
        #expect(isCompacted)
        #expect(fixture.machine.storedBytes > 0)
        fixture.machine.forget(0)
        #expect(fixture.machine.storedBytes == 0)
        #expect(fixture.machine.responseObject(0) == nil)
    }

    @Test("a log that is full takes no further response", arguments: [-1, 0, 1])
    func full(_ difference: Int) throws {
        func fixture(_ limit: Int) throws -> DialectFixture {
            var fixture = DialectFixture { $0.sessionBytes = limit }
            try fixture.create(#"{"model":"m","input":"hi"}"#)
            for event in Self.transcript.prefix(8) { try fixture.feed(0, event) }
            return fixture
        }
        let size = try fixture(1 << 20).machine.log.storedBytes
        var limited = try fixture(size + difference)
        let refused = (try? limited.create(#"{"model":"m","input":"again"}"#)) == nil
        #expect(refused == (difference < 0))
    }
}
