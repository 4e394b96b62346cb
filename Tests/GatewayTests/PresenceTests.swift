import GatewayCore
import Testing

@testable import Gateway

@Suite("Whether a connection stays")
struct PresenceTests {
    private static let heartbeat = Duration.nanoseconds(1_600)
    private let time = Instant(nanoseconds: 10_000)

    private static func at(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }

    @Test("it goes at its time and not before, and only from a session at rest")
    func isOver() {
        var presence = Presence(heartbeat: Self.heartbeat)
        #expect(!presence.isOver(now: time))
        presence.isSessionIdle = true
        #expect(!presence.isOver(now: time))
        presence.departure = time
        #expect(!presence.isOver(now: Self.at(9_999)))
        #expect(presence.isOver(now: time))
        presence.isSessionIdle = false
        #expect(!presence.isOver(now: time))
    }

    @Test("it is pinged as long as its peer is heard, and given up after two heartbeats")
    func duty() {
        var presence = Presence(heartbeat: Self.heartbeat)
        #expect(presence.duty(now: Self.at(1_600), lastHeard: Self.at(0)) == .ping)
        #expect(presence.duty(now: Self.at(3_199), lastHeard: Self.at(0)) == .ping)
        #expect(presence.duty(now: Self.at(3_200), lastHeard: Self.at(1)) == .ping)
        #expect(presence.duty(now: Self.at(3_200), lastHeard: Self.at(0)) == .giveUp)
    }

    @Test("who was not asked, or has answered, is not given up for what the gateway slept")
    func sleeps() {
        var presence = Presence(heartbeat: Self.heartbeat)
        #expect(presence.duty(now: Self.at(90_000), lastHeard: Self.at(0)) == .ping)
        #expect(presence.duty(now: Self.at(190_000), lastHeard: Self.at(90_001)) == .ping)
        #expect(presence.duty(now: Self.at(190_001), lastHeard: Self.at(90_001)) == .giveUp)
    }

    @Test("it leaves rather than is given up, and is given up while it waits to leave")
    func leaves() {
        var presence = Presence(heartbeat: Self.heartbeat)
        presence.departure = time
        #expect(presence.duty(now: time, lastHeard: time) == .ping)
        #expect(presence.duty(now: time, lastHeard: Self.at(0)) == .giveUp)
        presence.isSessionIdle = true
        #expect(presence.duty(now: time, lastHeard: Self.at(0)) == .leave)
    }

    @Test("it is woken for what comes first, and for its time to leave once")
    func next() {
        let never = Self.at(.max)
        var presence = Presence(heartbeat: Self.heartbeat)
        // Pings are due on a grid: none early, and none late by a slot.
        #expect(presence.next(before: never, now: Self.at(8_001)) == Self.at(9_700))
        #expect(presence.next(before: Self.at(9_000), now: Self.at(8_001)) == Self.at(9_000))
        presence.departure = Self.at(8_500)
        #expect(presence.next(before: Self.at(9_000), now: Self.at(8_001)) == Self.at(8_500))
        #expect(presence.next(before: Self.at(8_100), now: Self.at(8_001)) == Self.at(8_100))
        #expect(presence.next(before: never, now: Self.at(8_500)) == Self.at(10_100))
    }
}
