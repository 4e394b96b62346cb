import Testing

@testable import GatewayCore

@Suite("the life of a session in the OpenAI dialect")
struct DialectLifeTests {
    private static func created(_ id: String) -> String {
        #"{"type":"response.created","sequence_number":0,"response":{"id":"\#(id)","status":"in_progress","output":[]}}"#
    }

    private static func completed(_ id: String) -> String {
        #"{"type":"response.completed","sequence_number":1,"response":{"id":"\#(id)","status":"completed","output":[]}}"#
    }

    // MARK: Retention

    @Test("what an attached reader has not had outlasts the retention", arguments: [0, 300])
    func unread(retention: Int) throws {
        var fixture = DialectFixture { $0.retention = .seconds(retention) }
        try fixture.create(#"{"model":"m","input":"hi"}"#)
        try fixture.feed(0, Self.created("resp_0"))
        try fixture.feed(0, Self.completed("resp_0"))
        let due = fixture.now + .seconds(retention)
        fixture.read(upTo: 1)
        #expect(fixture.machine.nextDeadline == due)
        fixture.tick(at: due)
        #expect(fixture.data(of: 0).count == 2)
        #expect(fixture.machine.nextDeadline == nil)
        #expect(!fixture.machine.isReleasedByReader)
        fixture.read(upTo: 2)
        #expect(fixture.machine.isReleasedByReader)
        #expect(fixture.machine.nextDeadline == due)
        fixture.tick(at: due)
        #expect(fixture.machine.progress(0)?.isArchived == true)
        #expect(!fixture.machine.isReleasedByReader)
    }

    @Test("the slowest reader counts, and of responses side by side the last end")
    func overlapping() throws {
        var fixture = DialectFixture { $0.retention = .zero }
        for lane in ["a", "b", "c"] {
            try fixture.create(#"{"model":"m","stream_id":"\#(lane)","input":"hi"}"#, isFrame: true)
        }
        for number in 0..<3 { try fixture.feed(number, Self.created("resp_\(number)")) }
        for number in 0..<3 { try fixture.feed(number, Self.completed("resp_\(number)")) }
        fixture.read(upTo: 5, best: 6)
        fixture.tick(at: fixture.now)
        #expect(fixture.machine.log.compactedThrough == 0)
        fixture.read(upTo: 6)
        fixture.tick(at: fixture.now)
        #expect(fixture.machine.log.compactedThrough == 6)
    }

    @Test("without a reader the retention alone counts")
    func noReader() throws {
        var fixture = DialectFixture { $0.retention = .zero }
        try fixture.create(#"{"model":"m","input":"hi"}"#)
        try fixture.feed(0, Self.created("resp_0"))
        try fixture.feed(0, Self.completed("resp_0"))
        fixture.read(upTo: 1)
        fixture.machine.detach(fixture.connection, now: fixture.now)
        fixture.read(upTo: .max, best: 1)
        #expect(fixture.machine.nextDeadline == fixture.now)
        fixture.tick(at: fixture.now)
        #expect(fixture.machine.progress(0)?.isArchived == true)
    }

    @Test("replay.session_bytes bounds what is unread too")
    func sessionBytes() throws {
        func fixture(_ limit: Int) throws -> DialectFixture {
            var fixture = DialectFixture { $0.sessionBytes = limit }
            try fixture.create(#"{"model":"m","input":"hi"}"#)
            try fixture.feed(0, Self.created("resp_0"))
            try fixture.feed(0, Self.completed("resp_0"))
            fixture.read(upTo: 1)
            return fixture
        }
        var limited = try fixture(try fixture(1 << 20).machine.log.storedBytes)
        try limited.create(#"{"model":"m","input":"again"}"#)
        try limited.feed(1, Self.created("resp_1"))
        #expect(limited.data(of: 0).count == 2)
        try limited.feed(1, Self.completed("resp_1"))
        #expect(limited.data(of: 0).isEmpty)
        #expect(limited.data(of: 1).count == 2)
    }

    // MARK: Cancelling all

    @Test("what waits is answered, not begun, when the gateway stops or the client is gone")
    func waiting() throws {
        for reason in [CancelReason.draining, .abandoned] {
            var fixture = DialectFixture { $0.activeResponses = 1 }
            try fixture.create(#"{"model":"m","input":"one"}"#, isFrame: true)
            try fixture.create(#"{"model":"m","input":"two"}"#, isFrame: true)
            try fixture.create(#"{"model":"m","stream_id":"a","input":"three"}"#, isFrame: true)
            #expect(fixture.opened().map(\.response) == [0])
            try fixture.feed(0, Self.created("resp_0"))
            if reason == .abandoned {
                fixture.machine.detach(fixture.connection, now: fixture.now)
                fixture.now = fixture.now + .seconds(120)
                fixture.tick(at: fixture.now)
            } else {
                fixture.machine.cancelAll(reason, now: fixture.now, actions: &fixture.actions)
            }
            #expect(fixture.actions.contains(.closeUpstream(response: 0)))
            fixture.machine.upstreamClosed(0, now: fixture.now, actions: &fixture.actions)
            #expect(fixture.opened().isEmpty)
            #expect(!fixture.machine.isWaiting && !fixture.machine.isRunning)
            // In the log: whoever comes back reads it too.
            let lines = fixture.lines()
            try #require(lines.count == 4)
            let status = reason == .draining ? 503 : 499
            #expect(
                lines[1].hasPrefix(#"{"gateway_seq":2,"type":"error","status":\#(status),"#))
            #expect(
                lines[2].hasPrefix(
                    #"{"stream_id":"a","gateway_seq":3,"type":"error","status":\#(status),"#))
            #expect(lines[3].contains(#""cancelled_by":"\#(reason.rawValue)""#))
            fixture.machine.detach(fixture.connection, now: fixture.now)
            fixture.read(upTo: .max, best: 4)
            fixture.tick(at: fixture.now + .seconds(300))
            #expect(fixture.machine.log.compactedThrough == 4)
        }
    }

    @Test("what waits is answered where background responses are spared")
    func spared() throws {
        var fixture = DialectFixture { $0.activeResponses = 1 }
        try fixture.create(#"{"model":"m","input":"one"}"#, isFrame: true)
        try fixture.create(#"{"model":"m","input":"two"}"#, isFrame: true)
        fixture.machine.cancelAll(
            .draining, except: [0], now: fixture.now, actions: &fixture.actions)
        #expect(!fixture.machine.isWaiting)
        #expect(fixture.machine.runningResponses == [0])
    }

    // MARK: The session's end

    @Test("a session outlasts a long response by its whole retention")
    func expiry() throws {
        var fixture = DialectFixture {
            $0.abandonPolicy = .proceed
            $0.retention = .seconds(5)
            $0.sessionRetention = .seconds(10)
        }
        try fixture.create(#"{"model":"m","input":"hi"}"#)
        try fixture.feed(0, Self.created("resp_0"))
        fixture.machine.detach(fixture.connection, now: fixture.now)
        fixture.now = fixture.now + .seconds(100)
        try fixture.feed(0, Self.completed("resp_0"))
        fixture.tick(at: fixture.now)
        #expect(!fixture.actions.contains(.expire))
        fixture.tick(at: fixture.now + .seconds(5))
        #expect(fixture.machine.nextDeadline == fixture.now + .seconds(10))
        fixture.tick(at: fixture.now + .seconds(10))
        #expect(fixture.actions.contains(.expire))
    }
}
