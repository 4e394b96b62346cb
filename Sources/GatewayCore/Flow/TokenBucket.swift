/// Admits events at a lasting rate with bursts; pure, time is passed in.
package struct TokenBucket: Equatable, Sendable {
    private let ratePerSecond: Double
    private let burst: Double
    private var tokens: Double
    private var filledAt: Instant

    /// Begins full.
    package init(ratePerSecond: Int, burst: Int, now: Instant) {
        self.ratePerSecond = Double(ratePerSecond)
        self.burst = Double(burst)
        tokens = Double(burst)
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

    /// Counts one event.
    ///
    /// Refused ones count too, down to one burst below zero.
    package mutating func take(now: Instant) -> Outcome {
        tokens = min(burst, tokens + (now - filledAt).seconds * ratePerSecond)
        filledAt = now
        guard tokens > -burst else { return .abusive }
        tokens -= 1
        guard tokens < 0 else { return .admitted }
        return .limited(retryAfter: .seconds((1 - tokens) / ratePerSecond))
    }
}
