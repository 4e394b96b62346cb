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
    /// `unanswered` requests are on their way, which the answer may not count yet.
    package mutating func update(_ head: UpstreamResponseHead, unanswered: Int = 0, now: Instant) {
        Self.update(&requests, "requests", head, now)
        Self.update(&tokens, "tokens", head, now)
        guard unanswered > 0, head["x-ratelimit-remaining-requests"] != nil else { return }
        requests.take(unanswered, now: now)
    }

    private static func update(
        _ window: inout Window, _ name: String, _ head: UpstreamResponseHead, _ now: Instant
    ) {
        if let limit = head["x-ratelimit-limit-\(name)"].flatMap({ Int($0) }) {
            window.limit = max(0, limit)
        }
        guard let remaining = head["x-ratelimit-remaining-\(name)"].flatMap({ Int($0) }) else {
            return
        }
        window.remaining = max(0, remaining)
        window.resetAt = head["x-ratelimit-reset-\(name)"].flatMap { duration($0) }
            .map { now + min($0, longestReset) }
        if let limit = window.limit, let resetAt = window.resetAt, remaining < limit {
            window.refill = max(.zero, resetAt - now) / max(1, limit - max(0, remaining))
        }
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
        var total = 0.0
        var number: [UInt8] = []
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if (0x30...0x39).contains(byte) || byte == UInt8(ascii: ".") {
                number.append(byte)
                index += 1
                continue
            }
            guard number.count <= 12, let value = Double(String(decoding: number, as: UTF8.self))
            else { return nil }
            number = []
            var unit: [UInt8] = []
            while index < bytes.count, (0x61...0x7A).contains(bytes[index]) {
                unit.append(bytes[index])
                index += 1
            }
            switch String(decoding: unit, as: UTF8.self) {
            case "d": total += value * 86_400
            case "h": total += value * 3_600
            case "m": total += value * 60
            case "s": total += value
            case "ms": total += value / 1_000
            case "us": total += value / 1_000_000
            case "ns": total += value / 1_000_000_000
            default: return nil
            }
        }
        if !number.isEmpty {
            guard number.count <= 12, total == 0,
                let value = Double(String(decoding: number, as: UTF8.self))
            else { return nil }
            total = value
        }
        guard total >= 0, total < 1e9 else { return nil }
        return .nanoseconds(Int64(total * 1e9))
    }
}

extension RateLimitWindows.Window {
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
