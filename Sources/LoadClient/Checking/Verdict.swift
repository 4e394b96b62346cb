/// What a line was, in words that all protocols share.
package enum Verdict: Equatable {
    /// The session is there: the first frame that counts.
    case ready(Ready)
    case delta(Delta)
    /// The log has this message.
    case message(id: String)
    /// A response began.
    case started(message: String)
    case completed(Completion)
    /// Another logged event.
    case event
    /// A frame of the connection that asks nothing of us.
    case notice
    case attached(message: String)
    case token(String)
    case goingAway(afterMilliseconds: Int)
    case error(code: String, message: String?)
    /// What was sent in this lane will not be answered, or the connection is told off.
    case refused(code: String, lane: Int)
    /// How fast a cancel closed upstream, where that is not part of the completion.
    case cancelled(upstreamClosedMicroseconds: Int)
    /// With the responses that ended in what the snapshot stands for.
    case snapshot(completed: [Completion])
    case violation(Violation)

    package struct Ready: Equatable {
        package let seq: Int
        package let isRecovered: Bool
        package let reason: String
        package let resumeToken: String
    }

    package struct Delta: Equatable {
        /// Which message it answers.
        package let message: String
        /// Upstream deltas of this response so far, with this one's.
        package let total: Int
        /// How many of them this line stands for.
        package let events: Int
        /// Where the text of a text delta lies in the line; empty for other kinds.
        package let text: Range<Int>
    }

    package struct Completion: Equatable {
        package let message: String
        package let status: String
        package let reason: String
        package let errorCode: String
        /// How many deltas upstream sent; unknown where a snapshot stood for some of them.
        package let deltas: Int?
        package let upstreamClosedMicroseconds: Int?
    }
}
