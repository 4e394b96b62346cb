/// Admits events at a lasting rate with bursts; pure, time is passed in.
///
/// Counts in billionths of an event, whole numbers: a rate a second is as many of them a nanosecond, so
/// that whoever waits exactly as long as told is admitted.
package struct TokenBucket: Equatable, Sendable {
    private static let event: Int64 = 1_000_000_000

    private let ratePerSecond: Int64
    private let burst: Int64
    private var level: Int64
    private var filledAt: Instant

    /// Begins full; a rate or burst below 1 counts as 1.
    package init(ratePerSecond: Int, burst: Int, now: Instant) {
        self.ratePerSecond = Int64(max(ratePerSecond, 1))
        self.burst = Int64(min(max(burst, 1), 1_000_000_000)) * Self.event
        level = self.burst
        filledAt = now
    }

    /// What became of one event.
    package enum Outcome: Equatable, Sendable {
        case admitted
        /// Too fast: the next one may come after the duration.
        case limited(retryAfter: Duration)
        /// A whole burst was refused already: the sender does not listen.
        case abusive
    }

    /// Counts one event; refused ones count too, down to one burst below zero.
    package mutating func take(now: Instant) -> Outcome {
        fill(now: now)
        guard level > -burst else { return .abusive }
        level -= Self.event
        guard level < 0 else { return .admitted }
        let missing = Self.event - level
        return .limited(
            retryAfter: .nanoseconds((missing + ratePerSecond - 1) / ratePerSecond))
    }

    private mutating func fill(now: Instant) {
        guard now > filledAt else { return }
        let elapsed = (now - filledAt).nanoseconds
        filledAt = now
        let (gain, overflow) = elapsed.multipliedReportingOverflow(by: ratePerSecond)
        level = overflow || gain >= burst - level ? burst : level + gain
    }
}
