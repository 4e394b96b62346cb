/// A point on a monotonic clock, in nanoseconds since an arbitrary start.
///
/// The core never reads a clock: shells pass instants in, tests invent them.
package struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's own start; only differences mean something.
    package var nanoseconds: Int64

    /// Makes the instant that lies `nanoseconds` after the clock's start.
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant `duration` later; saturates instead of overflowing.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        guard overflow else { return Instant(nanoseconds: sum) }
        return Instant(nanoseconds: duration.nanoseconds < 0 ? .min : .max)
    }

    /// How long after `earlier` this instant is; negative when it lies before it; saturates.
    package static func - (later: Instant, earlier: Instant) -> Duration {
        let (difference, overflow) = later.nanoseconds.subtractingReportingOverflow(
            earlier.nanoseconds)
        guard overflow else { return .nanoseconds(difference) }
        return .nanoseconds(later < earlier ? Int64.min : .max)
    }
}

extension Duration {
    /// This duration in whole nanoseconds; saturates at about 292 years.
    package var nanoseconds: Int64 {
        // A thousand million is 1953125 times 2 to the power of 9: up to 78 minutes one division of 64 bits is
        // enough, where `components` makes several of 128.
        let shifted = attoseconds >> 9
        if attoseconds >= 0, let short = Int64(exactly: shifted) { return short / 1_953_125 }
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }

    /// This duration in whole microseconds, rounded towards zero.
    package var microseconds: Int64 { nanoseconds / 1_000 }

    /// This duration in whole milliseconds, rounded towards zero.
    package var milliseconds: Int64 { nanoseconds / 1_000_000 }

    /// This duration in seconds, for metrics.
    package var seconds: Double { Double(nanoseconds) / 1e9 }
}
