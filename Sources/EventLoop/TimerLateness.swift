/// Whether sockets are read before late timers fire.
///
/// A process that was stopped, or whose machine was, has in its sockets what came in time; a timer that fires first finds
/// everybody silent.
struct TimerLateness {
    /// How late a timer may be, in ticks of a millisecond.
    static let maximumTicks: UInt64 = 200

    private var isHeldBack = false

    /// True when what was due at tick `due` is to wait for one turn of the loop.
    ///
    /// Once: what waited is read by then, and a loop that is only slow has its timers all the same. Clocks differ by a
    /// tick: a timer may also come early, or when nothing is due.
    mutating func holdsBack(at now: UInt64, due: UInt64?) -> Bool {
        let isLate = due.map { now > $0 && now - $0 > Self.maximumTicks } ?? false
        isHeldBack = isLate && !isHeldBack
        return isHeldBack
    }
}
