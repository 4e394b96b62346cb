/// When to give up on an upstream transfer: pure, times are passed in.
///
/// Comments and keepalives push the silence deadline back, but only until a second, longer one.
package struct UpstreamDeadlines: Equatable, Sendable {
    /// The durations of docs/configuration.md, section upstream.
    package struct Limits: Equatable, Sendable {
        package var responseHeader = Duration.seconds(60)
        package var firstEvent = Duration.seconds(120)
        package var silence = Duration.seconds(120)
        package var keepaliveSilence = Duration.seconds(600)
        package var total = Duration.seconds(3600)
        /// Silence after which clients are told why nothing comes.
        package var notice = Duration.seconds(10)

        /// The defaults.
        package init() {}
    }

    /// Which limit was met.
    package enum Expiry: CaseIterable, Equatable, Sendable {
        case responseHeader, firstEvent, silence, total
    }

    /// What the clock says.
    package enum Verdict: Equatable, Sendable {
        case wait(until: Instant)
        /// Nothing has come for a while; say so and look again.
        case notice(until: Instant)
        case expired(Expiry)
    }

    private let limits: Limits
    private let startedAt: Instant
    /// What the deadline for the headers counts from.
    private var askedAt: Instant
    private var headAt: Instant?
    private var lastEventAt: Instant?
    private var lastByteAt: Instant?
    private var noticedSince: Instant?
    private var isPaused = false

    /// Starts with the request.
    package init(limits: Limits, now: Instant) {
        self.limits = limits
        startedAt = now
        askedAt = now
    }

    /// The answer's headers came.
    package mutating func receivedHead(now: Instant) { headAt = now }

    /// Bytes came; `isEvent` says whether they brought an event that means something.
    package mutating func received(isEvent: Bool, now: Instant) {
        lastByteAt = now
        if isEvent { lastEventAt = now }
    }

    /// Nothing is read for a while because the readers are behind: no deadline but the last runs.
    package mutating func paused() { isPaused = true }

    /// Reading goes on; everything that is waited for counts from now.
    package mutating func resumed(now: Instant) {
        isPaused = false
        askedAt = now
        if headAt != nil { headAt = now }
        if lastByteAt != nil { lastByteAt = now }
        if lastEventAt != nil { lastEventAt = now }
    }

    /// What is due at `now`; a `wait` or `notice` is always until later.
    ///
    /// A notice comes once for each stretch without events, whatever comments came in it.
    package mutating func check(now: Instant) -> Verdict {
        let (deadline, expiry) = deadline
        if now >= deadline { return .expired(expiry) }
        guard !isPaused, let heard = lastEventAt else { return .wait(until: deadline) }
        let noticeAt = heard + limits.notice
        if now >= noticeAt, noticedSince != heard {
            noticedSince = heard
            return .notice(until: deadline)
        }
        return .wait(until: noticedSince == heard ? deadline : min(deadline, noticeAt))
    }

    private var deadline: (Instant, Expiry) {
        let total = (startedAt + limits.total, Expiry.total)
        if isPaused { return total }
        guard let headAt else {
            return earlier(total, (askedAt + limits.responseHeader, .responseHeader))
        }
        guard let lastEventAt else {
            return earlier(total, (headAt + limits.firstEvent, .firstEvent))
        }
        let silent = (lastByteAt ?? lastEventAt) + limits.silence
        let empty = lastEventAt + limits.keepaliveSilence
        return earlier(total, (min(silent, empty), .silence))
    }

    private func earlier(
        _ left: (Instant, Expiry), _ right: (Instant, Expiry)
    ) -> (Instant, Expiry) {
        left.0 <= right.0 ? left : right
    }
}
