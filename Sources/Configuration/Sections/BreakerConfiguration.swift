/// When an upstream is left alone for a while.
package struct BreakerConfiguration: Sendable {
    package let isEnabled: Bool
    /// What the ratios are taken over.
    package let window: Duration
    package let minimumCalls: Int
    package let failurePercent: Int
    package let slowPercent: Int
    /// To the first event.
    package let slowCall: Duration
    /// In a row, without any answer; 0: does not count.
    package let unreachable: Int
    package let openTime: Duration
    package let maximumOpenTime: Duration
    package let probes: Int

    init(_ keys: inout ConfigurationReader) {
        keys.begin("breaker", "When an upstream is left alone for a while.")
        isEnabled = keys.bool(
            "enabled", default: true,
            "Leave an upstream alone whose last requests have failed. false: it is always tried.")
        window = keys.duration(
            "window_s", in: 1...600, default: 10, "The time that the ratios are taken over.")
        minimumCalls = keys.integer(
            "minimum_calls", in: 1...100_000, default: 20,
            "Fewer requests within the window say nothing. As many failures in a row say enough.")
        failurePercent = keys.integer(
            "failure_percent", in: 1...100, default: 50,
            "Part of the requests within the window that failed, at which it opens.")
        slowPercent = keys.integer(
            "slow_percent", in: 1...100, default: 80,
            "Part of the requests within the window that were slow, at which it opens.")
        slowCall = keys.duration(
            "slow_ms", in: 100...3_600_000, default: 60_000,
            "Time to the first event above which a request is slow.")
        unreachable = keys.integer(
            "unreachable", in: 0...1000, default: 5,
            "Requests in a row that reached nobody, at which it opens. 0: they count as failures "
                + "only.")
        openTime = keys.duration(
            "open_ms", in: 10...600_000, default: 5000,
            "How long it stays open before a probe is let through; doubles with each failed probe.")
        maximumOpenTime = keys.duration(
            "open_max_ms", in: 10...3_600_000, default: 60_000, "The longest such time.")
        probes = keys.integer(
            "probes", in: 1...100, default: 2,
            "Probes in a row, one at a time, that must be answered before it closes.")
    }
}
