/// How often and how soon a response is tried again; pure, random numbers are passed in.
package struct RetryPolicy: Equatable, Sendable {
    /// Attempts per response, the first one included.
    package var maximumAttempts = 3
    /// Before the first retry; doubles with each further one.
    package var firstDelay = Duration.milliseconds(500)
    package var maximumDelay = Duration.seconds(8)
    /// A longer `retry-after` is not waited for: the client is told instead.
    package var maximumRetryAfter = Duration.seconds(60)
    /// Reconnections of a background response in a row that bring nothing new.
    package var maximumReconnects = 8
    /// How often one answer that broke off may go on at another upstream.
    package var maximumSeams = 0

    /// The defaults.
    package init() {}

    /// The pause before retry number `retry` (1, 2 …); nil when upstream asks for more than we wait.
    ///
    /// `random` is any number. What upstream asks for is a lower bound: a little is added, so that
    /// many clients do not come back in the same instant.
    package func delay(retry: Int, retryAfter: Duration?, random: UInt64) -> Duration? {
        let fraction = Double(random >> 11) / Double(1 << 53)
        if let retryAfter, retryAfter > .zero {
            guard retryAfter <= maximumRetryAfter else { return nil }
            let added = min(retryAfter.seconds * 0.1, 0.5) * fraction
            return retryAfter + .nanoseconds(Int64(added * 1e9))
        }
        let doublings = min(max(0, retry - 1), 30)
        let full = min(firstDelay.seconds * Double(1 << doublings), maximumDelay.seconds)
        return .nanoseconds(Int64(full * (1 - 0.25 * fraction) * 1e9))
    }
}

/// Bounds retries to a fraction of the traffic, so that they cannot make a storm; pure.
///
/// Every request earns a part of a retry. A small reserve fills up by itself, for those who have little
/// traffic.
package struct RetryBudget: Equatable, Sendable {
    private let ratio: Double
    private let reserve: Double
    private let maximum: Double
    private var tokens: Double
    private var filledAt: Instant

    /// `percent` of requests may be retried lastingly; `reserve` retries are always there after a pause.
    package init(percent: Int, reserve: Int = 10, now: Instant) {
        ratio = Double(percent) / 100
        self.reserve = Double(reserve)
        maximum = Double(max(reserve, 100))
        tokens = Double(reserve)
        filledAt = now
    }

    /// A response's first attempt.
    package mutating func earn(now: Instant) {
        refill(now)
        tokens = min(maximum, tokens + ratio)
    }

    /// Whether there is a retry left; takes it.
    package mutating func take(now: Instant) -> Bool {
        refill(now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    /// One retry a second, up to the reserve.
    private mutating func refill(_ now: Instant) {
        let passed = (now - filledAt).seconds
        filledAt = now
        guard passed > 0, tokens < reserve else { return }
        tokens = min(reserve, tokens + passed)
    }
}
