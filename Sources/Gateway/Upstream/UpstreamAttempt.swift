import GatewayCore
import Upstream

/// One request to one upstream, and what lives exactly as long as it does.
final class UpstreamAttempt {
    /// What the request is for.
    enum Mode: Equatable {
        /// The request, answered by a stream.
        case stream
        /// The request without `stream`, answered by the whole response; becomes `stream` when a stream comes.
        case document
        /// The rest of a background response's stream.
        case reattach
        /// A background response as it is now, when its stream cannot be had any more.
        case fetch
    }

    var mode: Mode
    /// The answer is expected in one piece, and therefore after a long silence.
    var isWhole: Bool
    let startedAt: Instant
    /// Nil before it was started and once it is over.
    var transfer: UpstreamTransfer?
    var connectedAt: Instant?
    /// When the first event came that brought something.
    var firstEventAt: Instant?
    /// The kind of the last delta that was shown: another one of that kind is news to the session alone.
    var shownKind: DeltaKind?
    /// Upstream's name for the request.
    var requestID: String?
    var parser: ServerSentEventParser
    var deadlines: UpstreamDeadlines
    /// An error that came inside a stream before any output: the attempt ends with it.
    var pendingFailure: AttemptFailure?

    init(
        _ mode: Mode, isWhole: Bool, parser: ServerSentEventParser, deadlines: UpstreamDeadlines,
        now: Instant
    ) {
        self.mode = mode
        self.isWhole = isWhole
        self.parser = parser
        self.deadlines = deadlines
        startedAt = now
    }
}
