import GatewayCore
import Testing

@testable import Gateway

@Suite("A connection that is to leave")
struct DepartureTests {
    private let time = Instant(nanoseconds: 1_000)

    @Test("goes at its time and not before, and only from a session at rest")
    func isDue() {
        var departure = Departure()
        #expect(!departure.isDue(now: time))
        departure.isSessionIdle = true
        #expect(!departure.isDue(now: time))
        departure.time = time
        #expect(!departure.isDue(now: Instant(nanoseconds: 999)))
        #expect(departure.isDue(now: time))
        departure.isSessionIdle = false
        #expect(!departure.isDue(now: time))
    }

    @Test("is woken at its time where that comes first, and once")
    func next() {
        let soon = Instant(nanoseconds: 500)
        let late = Instant(nanoseconds: 2_000)
        var departure = Departure()
        #expect(departure.next(before: late, now: soon) == late)
        departure.time = time
        #expect(departure.next(before: late, now: soon) == time)
        #expect(departure.next(before: soon, now: Instant(nanoseconds: 0)) == soon)
        #expect(departure.next(before: late, now: time) == late)
    }
}
