internal import CEpoll
internal import Glibc

/// When each session's messages are due: decided by the clock alone, never by the server.
///
/// An open loop knows each due time before the answer to the last message came, so a stalled
/// server meets the messages that people would have sent meanwhile, and their wait is measured.
/// With think time the loop is closed, as a person's is: the next message follows an answer.
package struct ArrivalSchedule {
    private let period: Double
    private let arrival: Scenario.Arrival
    private let think: Scenario.Span
    private let spreadMilliseconds: Double
    private let sessions: Int
    private var random: SplitMix64

    package init(_ scenario: Scenario) {
        let messages = scenario.messages
        sessions = scenario.sessions
        period =
            messages.perSecond > 0
            ? Double(sessions) / messages.perSecond * 1e9 : messages.everyMilliseconds * 1e6
        arrival = messages.arrival
        spreadMilliseconds = max(messages.spreadMilliseconds, messages.thinkMilliseconds.highest)
        think = messages.thinkMilliseconds
        random = SplitMix64(seed: UInt64(scenario.seed) &+ 0x5EED)
    }

    /// Whether due times are independent of answers.
    package var isOpen: Bool { period > 0 }

    /// When session number `session` first speaks, if it may from `start` on (nanoseconds).
    package mutating func first(session: Int, start: UInt64) -> UInt64 {
        // Streams that begin together stay in step, and every delta would come in a burst.
        guard isOpen else { return start + random.draw(0...spreadMilliseconds) }
        switch arrival {
        case .even: return start + UInt64(period * Double(session) / Double(sessions))
        case .poisson: return start + exponential()
        }
    }

    /// When the next message is due, after one that was due at `due` and ended at `completed`.
    package mutating func next(due: UInt64, completed: UInt64) -> UInt64 {
        guard isOpen else { return completed + random.draw(think.lowest...think.highest) }
        return due + (arrival == .even ? UInt64(period) : exponential())
    }

    /// How many messages of one session were due from `due` up to `now`; on average, where they arrive by chance.
    ///
    /// An open loop makes the next due time only when the message before it is sent.
    package func waiting(since due: UInt64, until now: UInt64) -> Int {
        guard due <= now else { return 0 }
        return isOpen ? 1 + Int(Double(now - due) / period) : 1
    }

    private mutating func exponential() -> UInt64 {
        let uniform = max(random.unit(), 1e-12)
        return UInt64(-log(uniform) * period)
    }
}
