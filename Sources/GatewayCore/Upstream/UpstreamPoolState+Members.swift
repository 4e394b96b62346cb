/// The upstreams of a pool: what is configured of each, and how it stands.
extension UpstreamPoolState {
    /// What is known of a member from the configuration.
    package struct Member: Equatable, Sendable {
        package var name: String
        /// Equals have the same rank; the lowest usable rank serves.
        package var rank: Int
        /// Its part of the work among equals.
        package var weight: Int
        /// Attempts at a time.
        package var concurrency: Int

        /// States a member.
        package init(name: String, rank: Int, weight: Int = 1, concurrency: Int) {
            self.name = name
            self.rank = rank
            self.weight = weight
            self.concurrency = concurrency
        }
    }

    /// One member's present state.
    package struct Status: Equatable, Sendable {
        package let member: Member
        package var breaker: CircuitBreaker
        package private(set) var limits = RateLimitWindows()
        /// Attempts that run now.
        package var inFlight = 0
        /// Requests so far.
        private var sent = 0
        /// Of those the ones whose answer has begun, or never will.
        private(set) var answered = 0
        /// No attempt before: upstream asked for a pause, or its limit nears.
        private var pausedUntil = Instant(nanoseconds: .min)
        /// The end of the pause that upstream itself asked for.
        private(set) var awayUntil = Instant(nanoseconds: .min)
        /// What it makes of `stream: true`, by model; a model that streams is left out.
        private var streaming: [String: UpstreamStreaming] = [:]

        /// Models of a member that something is known of: clients may name what they like.
        static let maximumKnownModels = 100

        init(_ member: Member, breaker: CircuitBreaker.Settings) {
            self.member = member
            self.breaker = CircuitBreaker(breaker)
        }

        // MARK: Whether it can serve

        /// True while fewer attempts run than may.
        var hasSlot: Bool { inFlight < member.concurrency }

        /// True when an attempt could begin now, were it for the breaker.
        func isFree(now: Instant) -> Bool { hasSlot && pausedUntil <= now }

        /// When an attempt may begin, where nothing but time is in its way; nil for now, and where an event must come first.
        func opening(after now: Instant) -> Instant? {
            let opensAt: Instant
            switch breaker.state {
            case .closed, .halfOpen(_, isProbing: false): opensAt = pausedUntil
            case .open(let until): opensAt = max(until, pausedUntil)
            // Its end is an event, and no matter of time.
            case .halfOpen(_, isProbing: true): return nil
            }
            return hasSlot && opensAt > now ? opensAt : nil
        }

        /// What it would have to do with one attempt more, by its weight.
        var load: Double { Double(inFlight + 1) / Double(max(1, member.weight)) }

        // MARK: What attempts do and learn

        /// Counts a request that goes out.
        mutating func send(now: Instant) {
            limits.sent(now: now)
            sent += 1
        }

        /// Counts a request whose answer has begun, or never will.
        mutating func noteAnswer() { answered += 1 }

        /// Takes the rate limits of a head; `overlapping` is what `RateLimitWindows.update` wants to know.
        ///
        /// `answeredBefore` is what `answered` was when the request went out; nil where that is not known.
        mutating func observe(
            _ head: UpstreamResponseHead, answeredBefore: Int?, now: Instant
        ) {
            limits.update(
                head, unanswered: sent - answered,
                overlapping: answeredBefore.map { sent - 1 - $0 }, now: now)
        }

        /// Lets the next attempt wait while the limit nears.
        mutating func space(now: Instant) {
            let spacing = limits.spacing(now: now)
            if spacing > .zero { pausedUntil = max(pausedUntil, now + spacing) }
        }

        /// Lets no attempt begin before `time`, as upstream has asked.
        mutating func leaveAlone(until time: Instant) {
            pausedUntil = max(pausedUntil, time)
            awayUntil = max(awayUntil, time)
        }

        /// Notes what it makes of `stream: true` for a model.
        mutating func note(_ streaming: UpstreamStreaming, for model: String) {
            guard streaming != .streams else {
                self.streaming[model] = nil
                return
            }
            if self.streaming.count >= Self.maximumKnownModels, self.streaming[model] == nil {
                // What is forgotten is learned again.
                self.streaming.removeAll()
            }
            self.streaming[model] = streaming
        }

        /// What it makes of `stream: true` for a model, as far as is known.
        func streaming(for model: String) -> UpstreamStreaming { streaming[model] ?? .streams }
    }
}
