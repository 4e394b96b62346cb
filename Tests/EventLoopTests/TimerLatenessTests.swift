import Testing

@testable import EventLoop

@Suite struct TimerLatenessTests {
    @Test("late timers wait for one turn", arguments: [199, 200, 201] as [UInt64])
    func holdsBackOnce(ticks: UInt64) {
        var lateness = TimerLateness()
        let held = (0..<4).map { _ in lateness.holdsBack(at: 1_000 + ticks, due: 1_000) }
        #expect(held == (ticks > 200 ? [true, false, true, false] : [false, false, false, false]))
    }

    @Test("a timer may come early, or when nothing is due", arguments: [0, 7] as [UInt64])
    func earlyTimers(now: UInt64) {
        var lateness = TimerLateness()
        let held = [now + 1, .max, nil].map { lateness.holdsBack(at: now, due: $0) }
        #expect(held == [false, false, false])
    }
}
