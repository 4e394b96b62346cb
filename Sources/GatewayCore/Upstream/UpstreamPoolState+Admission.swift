/// What a response asks the pool for, and what it hears.
extension UpstreamPoolState {
    /// Names one response that wants an attempt, over all shards.
    package struct Ticket: Hashable, Sendable {
        package let shard: Int
        package let number: UInt64

        /// Names the `number`-th response of a shard.
        package init(shard: Int, number: UInt64) {
            self.shard = shard
            self.number = number
        }
    }

    /// What an attempt may use: one slot of a member, until it is released.
    package struct Grant: Equatable, Sendable {
        package let member: Int
        /// The breaker waits for its outcome.
        package let isProbe: Bool
        /// The member's answers that had begun when it was given.
        var answeredBefore = 0
        /// The openings of the member's breaker when it was given: a probe says something until the next one.
        var openings = 0
        /// The breaker knows that the answer has begun.
        var isProven = false
    }

    /// Why there is no upstream for an attempt.
    package enum Refusal: Equatable, Sendable {
        /// Every member has been tried by this response.
        case exhausted
        /// Their breakers are open.
        case open(retryAfter: Duration?)
        /// They have asked for a pause that is longer than anybody waits.
        case paused(retryAfter: Duration)
        /// All are at their limit, and so is the queue.
        case queueFull
    }

    /// The answer to a response that wants an attempt.
    package enum Admission: Equatable, Sendable {
        case granted(Grant)
        /// Waits for a slot; look again with `poll` at the time given, which only the first in the queue has.
        case queued(pollAt: Instant?)
        case refused(Refusal)
    }

    /// What somebody who waits learns because of what others did.
    package struct Notice: Equatable, Sendable {
        package enum Word: Equatable, Sendable {
            case granted(Grant)
            case refused(Refusal)
            /// `poll` now: there is a time to look at that was not known.
            case look
        }

        package let ticket: Ticket
        package let word: Word
    }
}

extension ResponseError {
    /// What a client is told when a response gets no upstream.
    init(_ refusal: UpstreamPoolState.Refusal) {
        switch refusal {
        case .queueFull:
            self.init(
                code: UpstreamErrorCode.busy.rawValue,
                message: "upstream and its queue are full (upstream.concurrency, upstream.queue)",
                isRetryable: true)
        case .paused(let retryAfter):
            self.init(
                code: UpstreamErrorCode.unavailable.rawValue,
                message:
                    "upstream has asked for a pause that is longer than a response waits (upstream.queue_timeout_ms)",
                isRetryable: true, retryAfter: retryAfter)
        case .open(let retryAfter):
            self.init(
                code: UpstreamErrorCode.unavailable.rawValue,
                message: "no upstream is usable: their last requests have failed",
                isRetryable: true, retryAfter: retryAfter)
        case .exhausted:
            self.init(
                code: UpstreamErrorCode.unavailable.rawValue,
                message: "no upstream serves this request",
                isRetryable: false)
        }
    }
}
