/// The attempts at one response: what to do when one of them ends, and when nothing more can be done.
///
///     idle ─start─▶ acquiring ─granted─▶ connecting ─connected─▶ waiting ─output─▶ streaming ─finished─▶ ended
///                     ▲   ▲                  └───────failed─────────┘                 │
///                     │   └────────at once, elsewhere───────┤◀───── cut (seam) ───────│ (background)
///                     └──────timer────── backingOff ◀─later─┴────────── cut ──────────┘
///
/// A background response whose upstream id is known is reattached to instead of asked for again. Another
/// answer that breaks off may, where the policy has it, go on at upstreams that were not tried.
/// - Invariant: `fail` and `finished` end it once; after that every event is answered with nothing.
/// - Invariant: after the first output no attempt is started from the beginning.
package struct AttemptMachine: Sendable {
    package enum State: Equatable, Sendable {
        case idle
        /// Asks for an upstream, or waits in the queue for one.
        case acquiring
        case connecting
        /// Upstream has the request; nothing of its answer was shown.
        case waiting
        /// Output was shown.
        case streaming
        /// Waits for the next attempt.
        case backingOff(AttemptFailure)
        case ended
    }

    package enum Event: Equatable, Sendable {
        case start
        /// There is an upstream for the attempt.
        case granted(Int)
        /// There is none.
        case refused(UpstreamPoolState.Refusal)
        /// It did not come in time.
        case queueTimedOut
        case connected
        /// Upstream has told the id of a background response.
        case named
        /// That response is over at upstream: there is nothing to reattach to.
        case unnamed
        /// Something new came of a response that is being reattached to.
        case progressed
        /// Something that a client sees came.
        case output
        /// The attempt is over without an answer.
        ///
        /// `hasBudget` says whether a retry may be spent, `isContinuable` whether what was shown could
        /// go on elsewhere.
        case failed(
            AttemptFailure, random: UInt64, hasBudget: Bool, isContinuable: Bool = false)
        /// The pause is over.
        case timer
        /// The terminal event came.
        case finished
        case cancel
    }

    package enum Action: Equatable, Sendable {
        case none
        /// Ask the pool for another member than these.
        case acquire(tried: Set<Int>)
        /// Send the request.
        case open(Int)
        /// Ask for what follows the text so far.
        case goOn(at: Int)
        /// Go on with the background response that the upstream already has.
        case reattach(Int)
        /// Say so, and come back with `timer`.
        case backOff(Duration)
        /// Nothing more can be done.
        ///
        /// Boxed: it comes once a response, and without a box every action would be as large as an error.
        indirect case fail(ResponseError)
    }

    private let sharedPolicy: Shared<RetryPolicy>
    private var policy: RetryPolicy { sharedPolicy.value }
    private let memberCount: Int
    package private(set) var state = State.idle
    /// Attempts begun, reattachments not included.
    package private(set) var attempts = 0
    /// Reattachments begun.
    package private(set) var reattachments = 0
    /// Members that have had an attempt since the last pause; few, so that a list takes less than a set.
    private var tried: [Int] = []
    /// The upstream of the present attempt, or of the last one.
    private var member: Int?
    /// There is a request that could be sent: not for a response that an earlier process has asked for.
    private var hasRequest = true
    /// A background response runs at upstream whose id is known.
    package private(set) var isNamed = false
    /// Something that a client sees came of the present upstream.
    package private(set) var hasOutput = false
    /// Breaks in the shown text after which another upstream was asked to go on.
    package private(set) var seams = 0
    /// What the text broke on, until another upstream goes on with it.
    package private(set) var broken: AttemptFailure?
    /// Reattachments in a row that brought nothing new.
    private var barren = 0
    /// What the last attempt failed of.
    private var lastFailure: AttemptFailure?
    /// For the pause after a failure, should it turn out that no other member is there.
    private var pendingRandom: UInt64 = 0

    /// Begins idle; `memberCount` is the number of upstreams that may serve.
    package init(shared policy: Shared<RetryPolicy>, memberCount: Int) {
        sharedPolicy = policy
        self.memberCount = memberCount
    }

    /// The same, with a policy of its own.
    package init(policy: RetryPolicy, memberCount: Int) {
        self.init(shared: Shared(policy), memberCount: memberCount)
    }

    /// A machine for a background response that an earlier process has started.
    package static func reattaching(
        to member: Int, shared policy: Shared<RetryPolicy>, memberCount: Int
    ) -> AttemptMachine {
        var machine = AttemptMachine(shared: policy, memberCount: memberCount)
        machine.isNamed = true
        machine.hasRequest = false
        machine.member = member
        return machine
    }

    /// Attempts and reattachments begun.
    package var tries: Int { attempts + reattachments }

    /// True once nothing can happen any more.
    package var isEnded: Bool { state == .ended }

    /// True while the request may have to be sent once more: nothing of the answer was shown, or what was shown
    /// could go on at an upstream that was not tried, were it to break off.
    package var mayNeedRequest: Bool {
        guard !isEnded, hasRequest else { return false }
        return !hasOutput || (tried.count < memberCount && seams < policy.maximumSeams)
    }

    /// Whether a failure would be followed by another try, were there an upstream and a budget for it.
    package func wouldRetry(_ failure: AttemptFailure, isContinuable: Bool = false) -> Bool {
        if hasOutput || broken != nil { return mayGoOn(failure, isContinuable: isContinuable) }
        guard isNamed || hasRequest, isBelowMaximum else { return false }
        switch failure.verdict {
        case .final: return false
        case .elsewhere: return tried.count < memberCount
        case .again:
            return tried.count < memberCount
                || policy.delay(retry: attempts, retryAfter: failure.retryAfter, random: 0) != nil
        }
    }

    private var isBelowMaximum: Bool { attempts < max(policy.maximumAttempts, memberCount) }

    package mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.ended, _): return .none
        case (_, .cancel):
            state = .ended
            return .none
        case (.idle, .start):
            state = .acquiring
            if isNamed, let member {
                tried = [member]
                return reattach(member)
            }
            return .acquire(tried: [])
        case (.acquiring, .granted(let member)):
            state = .connecting
            self.member = member
            if !tried.contains(member) { tried.append(member) }
            attempts += 1
            return broken == nil ? .open(member) : .goOn(at: member)
        case (.acquiring, .refused(let refusal)): return refused(refusal)
        case (.acquiring, .queueTimedOut):
            return fail(
                ResponseError(
                    code: UpstreamErrorCode.queueTimeout.rawValue,
                    message: "no upstream had room in time (upstream.queue_timeout_ms)",
                    isRetryable: true))
        case (.connecting, .connected):
            state = .waiting
            return .none
        case (.connecting, .named), (.waiting, .named), (.streaming, .named):
            isNamed = true
            return .none
        case (_, .unnamed):
            isNamed = false
            return .none
        case (.connecting, .progressed), (.waiting, .progressed), (.streaming, .progressed):
            barren = 0
            return .none
        case (.connecting, .output), (.waiting, .output), (.streaming, .output):
            state = .streaming
            hasOutput = true
            broken = nil
            return .none
        case (.connecting, .finished), (.waiting, .finished), (.streaming, .finished):
            state = .ended
            return .none
        case (.connecting, .failed(let failure, let random, let hasBudget, let isContinuable)),
            (.waiting, .failed(let failure, let random, let hasBudget, let isContinuable)),
            (.streaming, .failed(let failure, let random, let hasBudget, let isContinuable)):
            if !isNamed, hasOutput || broken != nil {
                return brokeOff(failure, hasBudget: hasBudget, isContinuable: isContinuable)
            }
            return failed(failure, random, hasBudget)
        case (.backingOff(let failure), .timer):
            state = .acquiring
            if isNamed, let member { return reattach(member) }
            guard hasRequest else { return fail(failure.error) }
            lastFailure = failure
            tried = []
            return .acquire(tried: [])
        case (.idle, _), (.acquiring, _), (.connecting, _), (.waiting, _), (.streaming, _),
            (.backingOff, _):
            return .none  // Late or out of order; an upstream can cause it, so it is never fatal.
        }
    }

    private mutating func reattach(_ member: Int) -> Action {
        state = .connecting
        reattachments += 1
        return .reattach(member)
    }

    private mutating func failed(
        _ failure: AttemptFailure, _ random: UInt64, _ hasBudget: Bool
    ) -> Action {
        lastFailure = failure
        if isNamed { return detached(failure, random) }
        guard hasRequest, hasBudget, isBelowMaximum, failure.verdict != .final else {
            return fail(failure.error)
        }
        if tried.count < memberCount {
            state = .acquiring
            pendingRandom = random
            return .acquire(tried: Set(tried))
        }
        guard failure.verdict == .again else { return fail(failure.error) }
        return backOff(failure, random)
    }

    /// The text broke off, or an upstream that was to go on with it has shown nothing.
    private mutating func brokeOff(
        _ failure: AttemptFailure, hasBudget: Bool, isContinuable: Bool
    ) -> Action {
        guard hasBudget, mayGoOn(failure, isContinuable: isContinuable) else {
            // Whoever was asked to help is not what the client should hear of.
            return fail((broken ?? failure).error)
        }
        if broken == nil {
            seams += 1
            broken = failure
            hasOutput = false
        }
        state = .acquiring
        return .acquire(tried: Set(tried))
    }

    /// Whether an upstream that was not tried may be asked to go on.
    private func mayGoOn(_ failure: AttemptFailure, isContinuable: Bool) -> Bool {
        guard hasRequest, tried.count < memberCount, failure.verdict != .final else { return false }
        if broken != nil { return true }
        return isContinuable && failure.isBreak && seams < policy.maximumSeams
    }

    /// The connection to a background response broke: it is still running at upstream.
    private mutating func detached(_ failure: AttemptFailure, _ random: UInt64) -> Action {
        barren += 1
        guard barren <= policy.maximumReconnects, failure.verdict == .again,
            let delay = policy.delay(
                retry: barren, retryAfter: failure.retryAfter, random: random)
        else { return fail(failure.error) }
        // The first time it is most likely the network, and somebody is reading along.
        let pause = barren == 1 && failure.retryAfter == nil ? Duration.zero : delay
        state = .backingOff(failure)
        return .backOff(pause)
    }

    private mutating func backOff(_ failure: AttemptFailure, _ random: UInt64) -> Action {
        guard
            let delay = policy.delay(
                retry: attempts, retryAfter: failure.retryAfter, random: random)
        else { return fail(failure.error) }
        state = .backingOff(failure)
        return .backOff(delay)
    }

    private mutating func refused(_ refusal: UpstreamPoolState.Refusal) -> Action {
        if let broken { return fail(broken.error) }
        // Other members were asked for and there is none: back to the ones that were tried.
        if case .exhausted = refusal, let failure = lastFailure {
            guard failure.verdict == .again, isBelowMaximum else { return fail(failure.error) }
            return backOff(failure, pendingRandom)
        }
        if let failure = lastFailure { return fail(failure.error) }
        return fail(ResponseError(refusal))
    }

    private mutating func fail(_ error: ResponseError) -> Action {
        state = .ended
        return .fail(error)
    }
}
