/// What upstream's `x-ratelimit-*` headers say is left, and what follows from that; pure.
///
/// There are two windows, of requests and of tokens. Below a twentieth of a limit requests are spaced
/// by the limit's own rate; without any left, nothing is sent for up to a second.
package struct RateLimitWindows: Equatable, Sendable {
    /// One limit.
    package struct Window: Equatable, Sendable {
        package var limit: Int?
        package var remaining: Int?
        /// When the whole limit is there again.
        package var resetAt: Instant?
        /// How long one more takes to be there again.
        fileprivate var refill = Duration.zero

        /// A window that nothing is known of.
        package init() {}
    }

    package private(set) var requests = Window()
    package private(set) var tokens = Window()

    /// Nothing is known yet.
    package init() {}

    private static let longestPause = Duration.seconds(1)
    /// What a header says beyond it is as good as this: sums of it stay far from the end of time.
    fileprivate static let longestReset = Duration.seconds(86_400)

    /// Takes an answer's headers; what they do not name stays.
    ///
    /// `unanswered` requests are on their way, which the answer may not count yet. At most `overlapping` others are
    /// not counted in it: those that were on their way at any time together with the answered one; nil where that
    /// is not known.
    package mutating func update(
        _ head: UpstreamResponseHead, unanswered: Int = 0, overlapping: Int? = nil, now: Instant
    ) {
        requests.update(
            limit: head[.limitRequests], remaining: head[.remainingRequests],
            reset: head[.resetRequests], counts: (unanswered, overlapping), now)
        tokens.update(
            limit: head[.limitTokens], remaining: head[.remainingTokens],
            reset: head[.resetTokens], counts: nil, now)
    }

    /// A request goes out: the next headers say the same, only later.
    package mutating func sent(now: Instant) { requests.take(1, now: now) }

    /// How long the next request should wait after one that goes out now; zero while enough is left.
    package func spacing(now: Instant) -> Duration {
        max(Self.spacing(requests, now), Self.spacing(tokens, now))
    }

    private static func spacing(_ window: Window, _ now: Instant) -> Duration {
        guard let limit = window.limit, let remaining = window.remaining,
            let resetAt = window.resetAt, resetAt > now, limit > 0, remaining <= (limit - 1) / 20
        else { return .zero }
        let left = resetAt - now
        if remaining == 0 { return min(left, longestPause) }
        return min(left / max(1, limit - remaining), longestPause)
    }

    /// `12ms`, `1s`, `6m0s`, `1h2m`, `1.5s`; a plain number counts seconds.
    package static func duration(_ text: String) -> Duration? {
        guard !text.isEmpty, text.utf8.count <= 32 else { return nil }
        let bytes = text.utf8.span
        var total = 0.0
        var index = 0
        while index < bytes.count {
            guard let number = number(bytes, &index) else { return nil }
            let unitStart = index
            while index < bytes.count, (0x61...0x7A).contains(bytes[index]) { index += 1 }
            let unit = unitStart..<index
            func isUnit(_ name: String) -> Bool { ByteScan.equal(bytes, unit, name) }
            if isUnit("s") {
                total += number
            } else if isUnit("ms") {
                total += number / 1_000
            } else if isUnit("m") {
                total += number * 60
            } else if isUnit("h") {
                total += number * 3_600
            } else if isUnit("d") {
                total += number * 86_400
            } else if isUnit("us") {
                total += number / 1_000_000
            } else if isUnit("ns") {
                total += number / 1_000_000_000
            } else if unit.isEmpty, unitStart == bytes.count, total == 0 {
                total = number
            } else {
                return nil
            }
        }
        guard total < 1e9 else { return nil }
        return .nanoseconds(Int64(total * 1e9))
    }

    /// At most twelve digits with at most one point, from `index` on.
    private static func number(_ bytes: Span<UInt8>, _ index: inout Int) -> Double? {
        let start = index
        var digits = 0
        var divisor = 1
        var point: Int?
        while index < bytes.count {
            let byte = bytes[index]
            if (0x30...0x39).contains(byte) {
                guard index - start < 12 else { return nil }
                digits = digits * 10 + Int(byte - 0x30)
                if point != nil { divisor *= 10 }
            } else if byte == UInt8(ascii: "."), point == nil {
                point = index
            } else {
                break
            }
            index += 1
        }
        // "1." is no number, nor is nothing.
        guard index > start, point.map({ $0 < index - 1 }) ?? true else { return nil }
        // Both are whole numbers that a Double holds exactly: the quotient is the nearest one.
        return Double(digits) / Double(divisor)
    }
}

extension RateLimitWindows.Window {
    /// Takes what an answer says, which with `counts` is about requests.
    ///
    /// Answers overtake each other on their way. One that upstream gave before others says that too much is left: it does
    /// not count those others, and nor do we, once they are answered. So an answer raises what is left by no more than
    /// time has given back, unless that much is left even without all that overlapped with its request.
    fileprivate mutating func update(
        limit: String?, remaining: String?, reset: String?,
        counts: (unanswered: Int, overlapping: Int?)?, _ now: Instant
    ) {
        let known = remaining.flatMap { Int($0) }.map { max(0, $0) }
        let expected = counts == nil ? nil : expected(now)
        if let limit = limit.flatMap({ Int($0) }).map({ max(0, $0) }), limit != self.limit {
            self.limit = limit
            refill = .zero
        }
        guard let known else { return }
        let time = reset.flatMap { RateLimitWindows.duration($0) }
            .map { max(.zero, min($0, RateLimitWindows.longestReset)) }
        self.remaining = known
        resetAt = time.map { now + $0 }
        if let limit = self.limit, let time, known < limit {
            // What is there again of one request counts in the time and not in the number.
            let shortest = time / (limit - known)
            refill = counts == nil ? shortest : max(refill, shortest)
        }
        guard let counts else { return }
        var left = known - min(known, max(0, counts.unanswered))
        if let expected { left = min(left, expected) }
        if let overlapping = counts.overlapping { left = max(left, known - max(0, overlapping)) }
        take(known - left, now: now)
    }

    /// What is left by now of what was known; nil where nothing was.
    private func expected(_ now: Instant) -> Int? {
        guard let remaining, let limit, let resetAt else { return remaining }
        guard resetAt > now else { return limit }
        let refill = refill.nanoseconds
        guard refill > 0 else { return remaining }
        let missing = (resetAt - now).nanoseconds / refill + 1
        return max(remaining, limit - Int(clamping: min(missing, Int64(limit))))
    }

    /// Counts requests whose own answers will say the same.
    fileprivate mutating func take(_ count: Int, now: Instant) {
        guard let known = remaining else { return }
        if let resetAt, resetAt <= now, let limit {
            // The whole limit is there, and what is taken of it comes back at the pace that it had.
            remaining = limit
            self.resetAt = now
        }
        remaining = max(0, (remaining ?? known) - count)
        guard let resetAt, refill > .zero else { return }
        let last = now + RateLimitWindows.longestReset
        // As many as there are is as much as matters.
        let added = min(refill * min(count, 1_000_000), RateLimitWindows.longestReset)
        self.resetAt = min(resetAt + added, max(resetAt, last))
    }
}
