/// How many requests are answered in a time, as `x-ratelimit-*` headers tell it; pure, the time is passed in.
///
/// A bucket that fills evenly: a whole limit at once, then one more request for each part of the window.
package struct RequestLimit: Equatable, Sendable {
    /// Requests in a window.
    package let count: Int
    private let windowNanoseconds: Int64
    /// What is left, in parts of a request that fill in a nanosecond: a request has `windowNanoseconds`.
    private var level: Int64
    private var filledAt: UInt64 = 0

    /// A full limit of `count` requests (1 to 1,000,000) in some seconds (1 to 3,600).
    package init?(count: Int, seconds: Int) {
        guard (1...1_000_000).contains(count), (1...3_600).contains(seconds) else { return nil }
        self.count = count
        windowNanoseconds = Int64(seconds) * 1_000_000_000
        level = Int64(count) * windowNanoseconds
    }

    /// Reads `COUNT/SECONDS`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = Int(parts[0]), let seconds = Int(parts[1]) else {
            return nil
        }
        self.init(count: count, seconds: seconds)
    }

    /// Counts one request; false when it is one too many.
    package mutating func take(monotonic now: UInt64) -> Bool {
        fill(now)
        guard level >= windowNanoseconds else { return false }
        level -= windowNanoseconds
        return true
    }

    /// Fills it up to now; what follows is true for that moment.
    package mutating func fill(_ now: UInt64) {
        let full = Int64(count) * windowNanoseconds
        let passed = Int64(clamping: now > filledAt ? now - filledAt : 0)
        filledAt = max(filledAt, now)
        let (gain, overflow) = passed.multipliedReportingOverflow(by: Int64(count))
        level = overflow || gain >= full - level ? full : level + gain
    }

    /// Requests that would be answered now.
    package var remaining: Int { Int(level / windowNanoseconds) }

    /// Milliseconds until all of it is there again.
    package var resetMilliseconds: Int64 {
        milliseconds(until: Int64(count) * windowNanoseconds)
    }

    /// Milliseconds until one more request is answered.
    package var retryMilliseconds: Int64 { milliseconds(until: windowNanoseconds) }

    private func milliseconds(until wanted: Int64) -> Int64 {
        let nanoseconds = max(0, wanted - level) / Int64(count)
        return (nanoseconds + 999_999) / 1_000_000
    }

    /// The headers that tell it.
    package var headers: [(String, String)] {
        [
            ("x-ratelimit-limit-requests", String(count)),
            ("x-ratelimit-remaining-requests", String(remaining)),
            ("x-ratelimit-reset-requests", "\(resetMilliseconds)ms"),
        ]
    }
}
