/// When to give up on an upstream transfer: pure, times are passed in.
///
/// Comments and keepalives push the silence deadline back, but only until a second, longer one.
package struct UpstreamDeadlines: Sendable {
    /// The durations of docs/configuration.md, section upstream.
    package struct Limits: Equatable, Sendable {
        package var responseHeader = Duration.seconds(60)
        package var firstEvent = Duration.seconds(120)
        package var firstText = Duration.seconds(1800)
        package var silence = Duration.seconds(120)
        package var keepaliveSilence = Duration.seconds(600)
        package var total = Duration.seconds(3600)
        /// Silence after which clients are told why nothing comes.
        package var notice = Duration.seconds(10)

        /// The defaults.
        package init() {}

        /// The same where the head comes when the whole answer is there.
        package var forWholeAnswer: Limits {
            var limits = self
            limits.responseHeader = total
            limits.firstEvent = total
            return limits
        }
    }

    /// Which limit was met.
    package enum Expiry: CaseIterable, Equatable, Sendable {
        case responseHeader, firstEvent, firstText, silence
        /// Nothing but comments and keepalives came.
        case keepalive
        case total
    }

    /// What the clock says.
    package enum Verdict: Equatable, Sendable {
        case wait(until: Instant)
        /// Nothing has come for a while; say so and look again.
        case notice(until: Instant)
        case expired(Expiry)
    }

    private let shared: Shared<Limits>
    private var limits: Limits { shared.value }
    private let startedAt: Instant
    /// What the deadline for the headers counts from.
    private var askedAt: Instant
    private var headAt: Instant?
    private var lastEventAt: Instant?
    private var lastByteAt: Instant?
    /// The last event when a notice was given; nil when there was none since.
    private var noticedSince: Instant?
    private var isPaused = false
    /// True when something may be due earlier than the last `check` has said: look again now.
    ///
    /// Bytes only push deadlines back, so not every one of them has to be looked at.
    package private(set) var needsCheck = true
    /// Where the time to the first text counts from; nil once it has come.
    private var textFrom: Instant?
    private var hasText = false
    private let responseStartedAt: Instant

    /// Starts with the request; `responseStartedAt` is when the first attempt did.
    package init(
        shared: Shared<Limits>, now: Instant, responseStartedAt: Instant? = nil,
        hasText: Bool = false
    ) {
        self.shared = shared
        startedAt = now
        askedAt = now
        self.responseStartedAt = responseStartedAt ?? now
        self.hasText = hasText
    }

    /// The same for the first attempt, with limits of its own.
    package init(limits: Limits, now: Instant) { self.init(shared: Shared(limits), now: now) }

    /// The answer's headers came.
    package mutating func receivedHead(now: Instant) {
        headAt = now
        textFrom = now
        needsCheck = true
    }

    /// Text, or a tool call, came.
    package mutating func receivedText() { hasText = true }

    /// Bytes came; `isEvent` says whether they brought an event that means something.
    package mutating func received(isEvent: Bool, now: Instant) {
        lastByteAt = now
        guard isEvent else { return }
        // With the first event other deadlines begin, and after a notice the next may be due.
        if lastEventAt == nil || noticedSince != nil { needsCheck = true }
        lastEventAt = now
        noticedSince = nil
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
        if textFrom != nil { textFrom = now }
        noticedSince = nil
        needsCheck = true
    }

    /// What is due at `now`; a `wait` or `notice` is always until later.
    ///
    /// A notice comes once for each stretch without events, whatever comments came in it.
    package mutating func check(now: Instant) -> Verdict {
        needsCheck = false
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
        let total = (responseStartedAt + limits.total, Expiry.total)
        if isPaused { return total }
        guard let headAt else {
            return earlier(total, (askedAt + limits.responseHeader, .responseHeader))
        }
        guard let lastEventAt else {
            return earlier(total, (headAt + limits.firstEvent, .firstEvent))
        }
        let silent = (lastByteAt ?? lastEventAt) + limits.silence
        let empty = lastEventAt + limits.keepaliveSilence
        let nothing = earlier((silent, .silence), (empty, .keepalive))
        guard !hasText, let textFrom else { return earlier(total, nothing) }
        return earlier(total, earlier(nothing, (textFrom + limits.firstText, .firstText)))
    }

    private func earlier(
        _ left: (Instant, Expiry), _ right: (Instant, Expiry)
    ) -> (Instant, Expiry) {
        left.0 <= right.0 ? left : right
    }
}

extension UpstreamDeadlines.Expiry {
    /// The name under which a client learns of it.
    package var code: String {
        switch self {
        case .responseHeader: "upstream_header_timeout"
        case .firstEvent: "upstream_first_event_timeout"
        case .firstText: "upstream_first_text_timeout"
        case .silence: "upstream_silence_timeout"
        case .keepalive: "upstream_keepalive_timeout"
        case .total: "upstream_total_timeout"
        }
    }

    /// What it means, with the key that sets it.
    package var message: String {
        switch self {
        case .responseHeader:
            "upstream sent no answer in time (upstream.response_header_timeout_ms)"
        case .firstEvent: "upstream sent no event in time (upstream.first_event_timeout_ms)"
        case .firstText: "upstream sent no text in time (upstream.first_text_timeout_ms)"
        case .silence: "upstream fell silent (upstream.silence_timeout_ms)"
        case .keepalive:
            "upstream sent nothing but signs of life (upstream.keepalive_silence_ms)"
        case .total: "the response took too long (upstream.total_timeout_ms)"
        }
    }

    /// The attempt's end; only when the whole response took too long, no other attempt may do better.
    package var failure: AttemptFailure {
        AttemptFailure(
            .timeout, self == .total ? .final : .again,
            ResponseError(code: code, message: message, isRetryable: true))
    }
}
