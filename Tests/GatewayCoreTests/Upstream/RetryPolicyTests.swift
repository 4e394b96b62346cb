import Testing

@testable import GatewayCore

@Suite("Retry policy and budget")
struct RetryPolicyTests {
    @Test("pauses double up to eight seconds and vary by a quarter")
    func exponential() throws {
        let policy = RetryPolicy()
        var generator = SeededGenerator(seed: 1)
        for retry in 1...40 {
            let full = min(0.5 * Double(1 << min(retry - 1, 20)), 8)
            let delay = try #require(
                policy.delay(retry: retry, retryAfter: nil, random: generator.next()))
            #expect(delay.seconds <= full && delay.seconds >= full * 0.75, "retry \(retry)")
        }
    }

    @Test("retry-after is a lower bound, and above the cap there is no retry")
    func retryAfter() throws {
        let policy = RetryPolicy()
        for random in [0, UInt64.max] {
            let delay = try #require(
                policy.delay(retry: 1, retryAfter: .seconds(3), random: random))
            #expect(delay >= .seconds(3) && delay < .seconds(4))
        }
        #expect(policy.delay(retry: 1, retryAfter: .seconds(60), random: 0) == .seconds(60))
        #expect(policy.delay(retry: 1, retryAfter: .milliseconds(60_001), random: 0) == nil)
    }

    @Test("when everything fails, retries stay a fifth of the requests")
    func budget() {
        var now = Instant(nanoseconds: 0)
        var budget = RetryBudget(percent: 20, reserve: 10, now: now)
        var retries = 0
        for _ in 0..<10_000 {
            now = now + .milliseconds(1)
            budget.earn(now: now)
            for _ in 0..<2 where budget.take(now: now) { retries += 1 }
        }
        // A fifth, and the reserve with what it gained in ten seconds.
        #expect(retries <= 2_000 + 10 + 10)
        #expect(retries >= 1_990)
    }

    @Test("who has little traffic has the reserve again after a pause")
    func reserve() {
        var now = Instant(nanoseconds: 0)
        var budget = RetryBudget(percent: 0, reserve: 3, now: now)
        #expect((0..<5).map { _ in budget.take(now: now) } == [true, true, true, false, false])
        now = now + .seconds(2)
        #expect((0..<3).map { _ in budget.take(now: now) } == [true, true, false])
    }

    @Test(
        "what is sent again, what goes elsewhere, what is final",
        arguments: [
            (408, nil, AttemptFailure.Verdict.again), (409, nil, .again), (429, nil, .again),
            (500, nil, .again), (502, nil, .again), (503, nil, .again), (599, nil, .again),
            (400, nil, .final), (404, nil, .final), (413, nil, .final), (422, nil, .final),
            (401, nil, .elsewhere), (403, nil, .elsewhere), (429, "insufficient_quota", .elsewhere),
            (500, "insufficient_quota", .elsewhere),
        ] as [(Int, String?, AttemptFailure.Verdict)])
    func verdicts(_ status: Int, _ code: String?, _ verdict: AttemptFailure.Verdict) {
        let body = code.map { Array("{\"error\":{\"code\":\"\($0)\"}}".utf8) } ?? []
        let failure = UpstreamFailure.http(
            head: UpstreamResponseHead(status: status, fields: []), body: body, endpoint: "e",
            unixSeconds: nil)
        #expect(AttemptFailure(failure).verdict == verdict)
    }

    @Test(
        "an error inside a stream counts like its HTTP twin",
        arguments: [
            (
                "rate_limit_exceeded", AttemptFailure.Reason.rateLimited,
                AttemptFailure.Verdict.again
            ),
            ("slow_down", .rateLimited, .again), ("server_error", .serverError, .again),
            ("429", .rateLimited, .again), ("503", .serverError, .again),
            ("400", .rejected, .final),
            ("insufficient_quota", .refused, .elsewhere), ("invalid_prompt", .rejected, .final),
        ])
    func twins(
        _ code: String, _ reason: AttemptFailure.Reason, _ verdict: AttemptFailure.Verdict
    ) {
        let failure = AttemptFailure(
            inStream: ToldError(code: code, message: nil), requestID: nil, isTruncated: false)
        #expect(failure.reason == reason)
        #expect(failure.verdict == verdict)
    }
}

@Suite("Circuit breaker")
struct CircuitBreakerTests {
    private static let start = Instant(nanoseconds: 1_000_000_000_000)

    private static func feed(
        _ breaker: inout CircuitBreaker, _ outcome: CircuitBreaker.Outcome, _ count: Int,
        at now: Instant
    ) {
        for _ in 0..<count {
            let isProbe = breaker.begin(now: now)
            breaker.end(outcome, isProbe: isProbe, now: now)
        }
    }

    @Test("half of twenty calls failed: it opens, probes, doubles its time, and closes")
    func lifeCycle() {
        var breaker = CircuitBreaker(.init())
        var now = Self.start
        Self.feed(&breaker, .success, 10, at: now)
        Self.feed(&breaker, .failure, 9, at: now)
        #expect(breaker.state == .closed)
        Self.feed(&breaker, .failure, 1, at: now)
        #expect(breaker.state == .open(until: now + .seconds(5)))
        #expect(!breaker.permits(now: now + .milliseconds(4_999)))
        #expect(breaker.retryAfter(now: now) == .seconds(5))
        now = now + .seconds(5)
        #expect(breaker.permits(now: now))
        #expect(breaker.begin(now: now) == true)
        #expect(!breaker.permits(now: now), "one probe at a time")
        breaker.end(.failure, isProbe: true, now: now)
        #expect(breaker.state == .open(until: now + .seconds(10)))
        now = now + .seconds(10)
        Self.feed(&breaker, .success, 1, at: now)
        #expect(breaker.state == .halfOpen(succeeded: 1, isProbing: false))
        Self.feed(&breaker, .success, 1, at: now)
        #expect(breaker.state == .closed)
        #expect(breaker.openings == 0 && breaker.totalOpenings == 2)
    }

    @Test("five in a row that reached nobody open it without any ratio")
    func unreachable() {
        var breaker = CircuitBreaker(.init())
        Self.feed(&breaker, .unreachable, 4, at: Self.start)
        Self.feed(&breaker, .success, 1, at: Self.start)
        Self.feed(&breaker, .unreachable, 4, at: Self.start)
        #expect(breaker.state == .closed)
        Self.feed(&breaker, .unreachable, 1, at: Self.start)
        #expect(breaker.state == .open(until: Self.start + .seconds(5)))
    }

    @Test("slow answers open it too; old ones are forgotten")
    func slowness() {
        var breaker = CircuitBreaker(.init())
        Self.feed(&breaker, .slow, 19, at: Self.start)
        #expect(breaker.state == .closed)
        let later = Self.start + .seconds(11)
        Self.feed(&breaker, .slow, 19, at: later)
        #expect(breaker.state == .closed, "the window has moved on")
        Self.feed(&breaker, .slow, 1, at: later)
        #expect(breaker.state != .closed)
    }

    /// Open, and its time is over.
    private static func opened() -> CircuitBreaker {
        var breaker = CircuitBreaker(.init())
        feed(&breaker, .unreachable, 5, at: start)
        return breaker
    }

    @Test("a probe has succeeded once its answer begins, however long that takes")
    func answered() {
        var breaker = Self.opened()
        let later = Self.start + .seconds(5)
        #expect(breaker.begin(now: later) == true)
        breaker.probeAnswered(isSlow: false, now: later)
        #expect(breaker.state == .halfOpen(succeeded: 1, isProbing: false))
        // The end of the first one counts no second time.
        breaker.end(.success, isProbe: true, isAnswered: true, now: later)
        #expect(breaker.state == .halfOpen(succeeded: 1, isProbing: false))
        #expect(breaker.begin(now: later) == true)
        breaker.probeAnswered(isSlow: false, now: later)
        #expect(breaker.state == .closed)
        // Nothing to tell of one that is no probe (any more).
        breaker.probeAnswered(isSlow: true, now: later)
        #expect(breaker.state == .closed)
    }

    @Test("one that breaks off after that opens it again, one that begins too late too")
    func answeredInVain() {
        var breaker = Self.opened()
        let later = Self.start + .seconds(5)
        #expect(breaker.begin(now: later) == true)
        breaker.probeAnswered(isSlow: false, now: later)
        #expect(breaker.begin(now: later) == true)
        breaker.end(.failure, isProbe: true, isAnswered: true, now: later)
        #expect(breaker.state == .open(until: later + .seconds(10)))
        // The second one was begun before that.
        breaker.probeAnswered(isSlow: false, now: later)
        #expect(breaker.state == .open(until: later + .seconds(10)))
        let again = later + .seconds(10)
        #expect(breaker.begin(now: again) == true)
        breaker.probeAnswered(isSlow: true, now: again)
        #expect(breaker.state == .open(until: again + .seconds(20)))
    }

    @Test("cancelled calls say nothing, and free the probe")
    func neutral() {
        var breaker = CircuitBreaker(.init())
        Self.feed(&breaker, .neutral, 1_000, at: Self.start)
        Self.feed(&breaker, .unreachable, 5, at: Self.start)
        let later = Self.start + .seconds(6)
        Self.feed(&breaker, .neutral, 3, at: later)
        #expect(breaker.permits(now: later))
    }
}

@Suite("Rate limit windows")
struct RateLimitTests {
    private static func head(_ fields: [(String, String)]) -> UpstreamResponseHead {
        UpstreamResponseHead(
            status: 200, fields: fields.map { .init(name: "x-ratelimit-\($0.0)", value: $0.1) })
    }

    @Test(
        "durations as upstream writes them",
        arguments: [
            ("12ms", 0.012), ("1s", 1), ("6m0s", 360), ("1h2m3s", 3_723), ("1.5s", 1.5), ("7", 7),
            ("0s", 0), ("1m30.951s", 90.951), ("17.5ms", 0.0175), ("500us", 0.0005),
            ("2d", 172_800),
        ])
    func durations(_ text: String, _ seconds: Double) {
        #expect(RateLimitWindows.duration(text)?.seconds == seconds)
    }

    @Test(
        "what is no duration",
        arguments: [
            "", "s", ".", "1.", "1.s", "1..2s", "1x", "1 s", "-1s", "1s2", "1e9", "99999999999999s",
        ])
    func noDurations(_ text: String) { #expect(RateLimitWindows.duration(text) == nil) }

    @Test("slows down below a twentieth, before anything is refused")
    func spacing() {
        let now = Instant(nanoseconds: 0)
        var windows = RateLimitWindows()
        #expect(windows.spacing(now: now) == .zero)
        windows.update(
            Self.head([
                ("limit-requests", "100"), ("remaining-requests", "5"), ("reset-requests", "57s"),
            ]), now: now)
        #expect(windows.spacing(now: now) == .zero)
        windows.sent(now: now)
        #expect(windows.spacing(now: now) == .milliseconds(600))
        for _ in 0..<9 { windows.sent(now: now) }
        #expect(windows.requests.remaining == 0)
        #expect(windows.spacing(now: now) == .seconds(1))
        // 95 were gone when the answer came, and 10 since: each is back after 600 ms.
        #expect(windows.spacing(now: now + .seconds(62)) != .zero)
        #expect(windows.spacing(now: now + .seconds(63)) == .zero, "the window has been reset")
    }

    @Test(
        "numbers of any size are borne",
        arguments: ["0", "1", "2", "9223372036854775807", "-9223372036854775808", "1e9", ""])
    func extremes(_ limit: String) {
        for remaining in ["0", "1", "460000000000000000", "9223372036854775807", "-1"] {
            for reset in ["0s", "1ns", "999999999s", "1h"] {
                var windows = RateLimitWindows()
                var now = Instant(nanoseconds: 0)
                for round in 0..<100 {
                    let head = Self.head([
                        ("limit-requests", limit), ("remaining-requests", remaining),
                        ("reset-requests", reset), ("limit-tokens", limit),
                        ("remaining-tokens", remaining), ("reset-tokens", reset),
                    ])
                    if round % 10 == 0 {
                        windows.update(head, unanswered: .max, overlapping: round - 50, now: now)
                    }
                    if round % 10 == 5 {
                        windows.update(head, unanswered: -1, overlapping: -1, now: now)
                    }
                    windows.sent(now: now)
                    let spacing = windows.spacing(now: now)
                    #expect(spacing >= .zero && spacing <= .seconds(1))
                    now = now + .seconds(3_600)
                }
            }
        }
    }

    @Test("a twentieth is the bound", arguments: [(4, true), (5, false), (6, false)])
    func bound(_ remaining: Int, _ isSpaced: Bool) {
        let now = Instant(nanoseconds: 0)
        var windows = RateLimitWindows()
        windows.update(
            Self.head([
                ("limit-requests", "100"), ("remaining-requests", "\(remaining)"),
                ("reset-requests", "9s"),
            ]), now: now)
        #expect((windows.spacing(now: now) > .zero) == isSpaced)
    }

    @Test("an answer that was overtaken gives nothing back, one that overlapped with none does")
    func overtaken() {
        let now = Instant(nanoseconds: 0)
        var windows = RateLimitWindows()
        func head(_ remaining: Int) -> UpstreamResponseHead {
            Self.head([
                ("limit-requests", "40"), ("remaining-requests", "\(remaining)"),
                ("reset-requests", "\((40 - remaining) * 500)ms"),
            ])
        }
        windows.update(head(10), unanswered: 1, overlapping: 29, now: now)
        #expect(windows.requests.remaining == 9)
        windows.update(head(20), overlapping: 29, now: now)
        #expect(windows.requests.remaining == 9)
        // Time gives back one each half second; as many as would be left had none been counted are there anyway.
        windows.update(head(20), overlapping: 29, now: now + .milliseconds(1_100))
        #expect(windows.requests.remaining == 11)
        windows.update(head(20), overlapping: 5, now: now + .milliseconds(1_100))
        #expect(windows.requests.remaining == 15)
        windows.update(head(20), overlapping: 0, now: now + .milliseconds(1_100))
        #expect(windows.requests.remaining == 20)
    }

    @Test("what is on its way counts, and after a reset it is counted from the whole limit")
    func unanswered() {
        let now = Instant(nanoseconds: 0)
        var windows = RateLimitWindows()
        let head = Self.head([
            ("limit-requests", "40"), ("remaining-requests", "39"), ("reset-requests", "50ms"),
        ])
        windows.update(head, unanswered: 30, now: now)
        #expect(windows.requests.remaining == 9)
        windows.update(head, unanswered: 100, now: now)
        #expect(windows.requests.remaining == 0)
        windows.update(head, now: now)
        let later = now + .seconds(60)
        for _ in 0..<39 { windows.sent(now: later) }
        #expect(windows.requests.remaining == 1)
        #expect(windows.requests.resetAt == later + .milliseconds(39 * 50))
        #expect(windows.spacing(now: later) == .milliseconds(50))
    }
}
