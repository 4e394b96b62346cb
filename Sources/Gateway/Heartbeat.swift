import GatewayCore

/// When connections are pinged: those that are due at nearly the same time, in one turn of the loop.
///
/// Pinged at a time of its own, an idle connection costs two wake-ups of the shard a heartbeat: one for the ping and one
/// for its answer. Together the pings go out in a row, and the answers come in a row (decision 54).
struct Heartbeat {
    /// How late a ping may be, so that it goes out with others; longer bursts would hold up deltas.
    private static let slot = Duration.milliseconds(50)

    let interval: Duration

    /// The time of the next ping, one interval from `now` and at most a slot later.
    func next(after now: Instant) -> Instant {
        // For intervals of milliseconds, as in tests, a slot would be too coarse.
        let slot = max(1, min(Self.slot.nanoseconds, interval.nanoseconds / 16))
        let due = (now + interval).nanoseconds
        let (sum, overflow) = due.addingReportingOverflow(slot - 1)
        return Instant(nanoseconds: overflow ? due : sum / slot * slot)
    }

    /// True when nothing was heard since `lastHeard` for so long that a ping must have had no answer.
    func isMissed(by now: Instant, since lastHeard: Instant) -> Bool {
        now >= lastHeard + interval + interval
    }
}
