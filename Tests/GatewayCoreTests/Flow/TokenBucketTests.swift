import Testing

@testable import GatewayCore

@Suite("The token bucket")
struct TokenBucketTests {
    private static let start = Instant(nanoseconds: 5_000_000_000)

    @Test("a burst passes, as many more are told to wait, then the sender does not listen")
    func transcript() {
        let now = Self.start
        var bucket = TokenBucket(ratePerSecond: 10, burst: 3, now: now)
        for _ in 0..<3 { #expect(bucket.take(now: now) == .admitted) }
        #expect(bucket.take(now: now) == .limited(retryAfter: .milliseconds(200)))
        #expect(bucket.take(now: now) == .limited(retryAfter: .milliseconds(300)))
        #expect(bucket.take(now: now) == .limited(retryAfter: .milliseconds(400)))
        #expect(bucket.take(now: now) == .abusive)
        #expect(bucket.take(now: now) == .abusive)
        #expect(bucket.take(now: now + .milliseconds(399)) != .admitted)
        var other = TokenBucket(ratePerSecond: 10, burst: 3, now: now)
        for _ in 0..<6 { _ = other.take(now: now) }
        #expect(other.take(now: now + .milliseconds(400)) == .admitted)
    }

    @Test(
        "who waits exactly as long as told is admitted, a nanosecond less is not",
        arguments: [1, 3, 7, 50, 99, 999_999_937, 2_000_000_000])
    func retryAfter(rate: Int) {
        for refused in 1...4 {
            var bucket = TokenBucket(ratePerSecond: rate, burst: 5, now: Self.start)
            for _ in 0..<5 { _ = bucket.take(now: Self.start) }
            var told = Duration.zero
            for _ in 0..<refused {
                guard case .limited(let wait) = bucket.take(now: Self.start) else {
                    Issue.record("not refused")
                    return
                }
                told = wait
            }
            var early = bucket
            #expect(early.take(now: Self.start + (told - .nanoseconds(1))) != .admitted)
            #expect(bucket.take(now: Self.start + told) == .admitted)
        }
    }

    @Test("the lasting rate holds however the time is cut")
    func lastingRate() {
        var bucket = TokenBucket(ratePerSecond: 50, burst: 1, now: Self.start)
        var admitted = 0
        for millisecond in 0..<10_000 {
            let now = Self.start + .milliseconds(millisecond)
            var trial = bucket
            if trial.take(now: now) == .admitted {
                bucket = trial
                admitted += 1
            }
        }
        #expect(admitted == 500)
    }

    @Test("never holds more than a burst, over any time, and time never runs backwards")
    func extremes() {
        var bucket = TokenBucket(ratePerSecond: .max, burst: .max, now: Instant(nanoseconds: .min))
        #expect(bucket.take(now: Instant(nanoseconds: .max)) == .admitted)
        #expect(bucket.take(now: Instant(nanoseconds: .min)) == .admitted)
        var small = TokenBucket(ratePerSecond: 0, burst: 0, now: Self.start)
        #expect(small.take(now: Self.start) == .admitted)
        #expect(small.take(now: Instant(nanoseconds: 0)) == .limited(retryAfter: .seconds(2)))
        #expect(small.take(now: Instant(nanoseconds: 0)) == .abusive)
        var rested = TokenBucket(ratePerSecond: 10, burst: 2, now: Self.start)
        let later = Self.start + .seconds(3_000_000)
        #expect(rested.take(now: later) == .admitted)
        #expect(rested.take(now: later) == .admitted)
        #expect(rested.take(now: later) == .limited(retryAfter: .milliseconds(200)))
    }
}

@Suite("Instants")
struct InstantTests {
    @Test("sums and differences saturate")
    func saturation() {
        let last = Instant(nanoseconds: .max)
        let first = Instant(nanoseconds: .min)
        #expect(last + .nanoseconds(1) == last)
        #expect(first + .nanoseconds(-1) == first)
        #expect((last - first).nanoseconds == .max)
        #expect((first - last).nanoseconds == .min)
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Duration.seconds(Int64.min).nanoseconds == .min)
        #expect(Duration.nanoseconds(-1_500_000).milliseconds == -1)
    }

    @Test("durations in nanoseconds, on both sides of what one division of 64 bits can do")
    func nanoseconds() {
        let edge: Int64 = 4_722_366_482_869
        for count in [0, 1, 999_999_999, edge - 1, edge, edge + 1, 1 << 62, .max, -1, -edge, .min] {
            #expect(Duration.nanoseconds(count).nanoseconds == count)
        }
        // What is no whole nanosecond is rounded towards zero.
        for attoseconds in [Int64(1), 999_999_999, 1_000_000_000, 1_999_999_999] {
            let whole = attoseconds / 1_000_000_000
            #expect(
                Duration(secondsComponent: 0, attosecondsComponent: attoseconds).nanoseconds
                    == whole)
            #expect(
                Duration(secondsComponent: 0, attosecondsComponent: -attoseconds).nanoseconds
                    == -whole)
        }
    }
}
