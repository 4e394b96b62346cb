/// Decides whether an upstream is worth an attempt, from how the last ones ended; pure.
///
///     closed ──too many failed or slow──▶ open ──time──▶ half-open ──probes succeed──▶ closed
///                                           ▲──────────probe fails──────┘
///
/// A probe has succeeded once its answer begins: an answer can take minutes, and nobody else is let through before.
/// Each opening in a row doubles the time until the next probe.
package struct CircuitBreaker: Equatable, Sendable {
    /// When it opens, and for how long.
    package struct Settings: Equatable, Sendable {
        package var isEnabled = true
        /// What the ratios are taken over.
        package var window = Duration.seconds(10)
        /// Fewer calls than this in the window say nothing; as many failures in a row say enough.
        package var minimumCalls = 20
        package var failurePercent = 50
        package var slowPercent = 80
        /// To the first event; slower is slow.
        package var slowCall = Duration.seconds(60)
        /// Attempts in a row that reached nobody: opens without any ratio.
        package var unreachable = 5
        package var openTime = Duration.seconds(5)
        package var maximumOpenTime = Duration.seconds(60)
        /// Probes in a row that must be answered.
        package var probes = 2

        /// The defaults.
        package init() {}
    }

    /// How a call ended, as far as it says something about upstream.
    package enum Outcome: Equatable, Sendable {
        case success
        case slow
        case failure
        /// A failure without any answer.
        case unreachable
        /// Says nothing: cancelled, the client's mistake, or a limit that has its own rule.
        case neutral
    }

    package enum State: Equatable, Sendable {
        case closed
        case open(until: Instant)
        case halfOpen(succeeded: Int, isProbing: Bool)
    }

    /// What happened in one part of the window.
    private struct Slot: Equatable {
        var calls = 0
        var failures = 0
        var slow = 0
    }

    private static var slotCount: Int { 10 }

    package let settings: Settings
    package private(set) var state = State.closed
    /// Openings since it was last closed for good.
    package private(set) var openings = 0
    /// Openings altogether, for a metric.
    package private(set) var totalOpenings = 0
    /// The window, oldest part first.
    private var slots: [Slot]
    /// The number of the last slot, counted from the clock's start.
    private var slotStart: Int64 = 0
    /// Calls in a row that reached nobody.
    private var unreachable = 0
    /// Calls in a row that failed, those that reached nobody included.
    private var failuresInRow = 0

    /// Begins closed.
    package init(_ settings: Settings) {
        self.settings = settings
        slots = Array(repeating: Slot(), count: Self.slotCount)
    }

    /// Whether `begin` would be allowed now; changes nothing.
    package func permits(now: Instant) -> Bool {
        switch state {
        case .closed: true
        case .open(let until): now >= until
        case .halfOpen(_, let isProbing): !isProbing
        }
    }

    /// How long until it lets a probe through; nil while it lets calls through.
    package func retryAfter(now: Instant) -> Duration? {
        switch state {
        case .closed: nil
        case .open(let until): until > now ? until - now : nil
        case .halfOpen(_, let isProbing): isProbing ? settings.openTime : nil
        }
    }

    /// A call begins, which `permits` has allowed; true when it is a probe.
    package mutating func begin(now: Instant) -> Bool {
        switch state {
        case .closed: return false
        case .open:
            state = .halfOpen(succeeded: 0, isProbing: true)
            return true
        case .halfOpen(let succeeded, _):
            state = .halfOpen(succeeded: succeeded, isProbing: true)
            return true
        }
    }

    /// The answer to a probe has begun, in good time or not.
    package mutating func probeAnswered(isSlow: Bool, now: Instant) {
        guard settings.isEnabled, case .halfOpen(let succeeded, true) = state else { return }
        endProbe(isSlow ? .slow : .success, succeeded, now)
    }

    /// A call has ended; `isProbe` is what `begin` said, `isAnswered` whether `probeAnswered` was called for it.
    package mutating func end(
        _ outcome: Outcome, isProbe: Bool, isAnswered: Bool = false, now: Instant
    ) {
        guard settings.isEnabled else { return }
        switch state {
        case .halfOpen(let succeeded, _) where isProbe && !isAnswered:
            endProbe(outcome, succeeded, now)
        case .halfOpen where isProbe && (outcome == .failure || outcome == .unreachable):
            open(now)  // It began well, and another one is under way.
        case .halfOpen, .open:
            break  // Begun before it opened: old news.
        case .closed:
            count(outcome, now)
            if isTripped(now) { open(now) }
        }
    }

    private mutating func endProbe(_ outcome: Outcome, _ succeeded: Int, _ now: Instant) {
        switch outcome {
        case .failure, .unreachable: open(now)
        case .slow where settings.slowPercent < 100: open(now)
        case .neutral: state = .halfOpen(succeeded: succeeded, isProbing: false)
        case .success, .slow:
            if succeeded + 1 >= settings.probes {
                state = .closed
                openings = 0
                unreachable = 0
                failuresInRow = 0
                slots = Array(repeating: Slot(), count: Self.slotCount)
            } else {
                state = .halfOpen(succeeded: succeeded + 1, isProbing: false)
            }
        }
    }

    private mutating func open(_ now: Instant) {
        let doublings = min(openings, 10)
        let time = min(settings.openTime * (1 << doublings), settings.maximumOpenTime)
        openings += 1
        totalOpenings += 1
        state = .open(until: now + time)
    }

    // MARK: The window

    private var slotLength: Int64 {
        max(1, settings.window.nanoseconds / Int64(Self.slotCount))
    }

    private mutating func count(_ outcome: Outcome, _ now: Instant) {
        guard outcome != .neutral else { return }
        advance(now)
        let index = slots.count - 1
        slots[index].calls += 1
        let isFailure = outcome == .failure || outcome == .unreachable
        if isFailure { slots[index].failures += 1 }
        failuresInRow = isFailure ? failuresInRow + 1 : 0
        if outcome == .slow { slots[index].slow += 1 }
        unreachable = outcome == .unreachable ? unreachable + 1 : 0
    }

    /// Moves the window so that its last slot is the present one.
    private mutating func advance(_ now: Instant) {
        let current = now.nanoseconds / slotLength
        let passed = current - slotStart
        slotStart = current
        guard passed > 0 else { return }
        let dropped = Int(min(passed, Int64(slots.count)))
        slots.removeFirst(dropped)
        slots.append(contentsOf: Array(repeating: Slot(), count: dropped))
    }

    private func isTripped(_ now: Instant) -> Bool {
        if settings.unreachable > 0, unreachable >= settings.unreachable { return true }
        // What went well before a server died would hide its death for half a window.
        if failuresInRow >= settings.minimumCalls { return true }
        let calls = slots.reduce(0) { $0 + $1.calls }
        guard calls >= settings.minimumCalls else { return false }
        let failures = slots.reduce(0) { $0 + $1.failures }
        if failures * 100 >= settings.failurePercent * calls { return true }
        let slow = slots.reduce(0) { $0 + $1.slow }
        return slow * 100 >= settings.slowPercent * calls
    }
}
