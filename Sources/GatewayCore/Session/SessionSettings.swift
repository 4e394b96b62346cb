/// What a session reads from the configuration; the same for all sessions of a gateway.
package struct SessionSettings: Sendable {
    /// What happens to a running response when nobody has come back within the resume window.
    package enum AbandonPolicy: Sendable { case cancel, proceed }

    /// Where the conversation is kept between messages.
    package enum ConversationState: Sendable {
        /// With upstream: `previous_response_id` names the last response.
        case upstream
        /// Here: the items of the conversation are sent along with every message.
        case gateway
        /// Nowhere: every message stands alone.
        case none
    }

    /// What the log holds: the native protocol's events, or every upstream event as it came.
    package enum Fidelity: Sendable { case native, full }

    /// Lower-case hexadecimal SHA-256 of some bytes; a function, so that the core needs no library.
    package typealias Digest = @Sendable ([UInt8]) -> [UInt8]

    /// Running responses of one session.
    package var responsesPerSession = 4
    /// Running responses that one connection started.
    package var responsesPerConnection = 4
    /// Message ids remembered for idempotence.
    package var messagesPerSession = 1000
    /// Bytes that the answer of one response may take in the log: text, arguments, items.
    package var responseBytes = 2 << 20
    /// Events of upstream that one response may bring.
    package var responseEvents = 1_000_000
    /// Bytes of one session's log and summaries.
    package var sessionBytes = 4 << 20
    /// Bytes of the summaries that stand for compacted responses; the newest one is kept whatever its size.
    package var summaryBytes = 128 << 10
    /// Bytes of an `input` above which other readers see its size only.
    package var echoBytes = 64 << 10
    /// How long the events of a finished response are kept exactly.
    package var retention = Duration.seconds(300)
    /// How long a session without connections and running responses is kept.
    package var sessionRetention = Duration.seconds(3600)
    /// How long a running response waits for a reader to come back.
    package var resumeWindow = Duration.seconds(120)
    package var abandonPolicy = AbandonPolicy.cancel
    /// Bytes unread by all readers at which upstream is paused.
    package var highWatermarkBytes = 256 << 10
    /// Bytes unread at which it goes on.
    package var lowWatermarkBytes = 64 << 10
    package var conversation = ConversationState.upstream
    /// Bytes of items kept for `ConversationState.gateway`.
    package var conversationBytes = 4 << 20
    package var fidelity = Fidelity.native
    /// Of the OpenAI dialect: responses that run at once.
    package var activeResponses = 16
    /// Of the OpenAI dialect: lanes that have a name.
    package var namedLanes = 32
    /// Of the OpenAI dialect: requests that wait for their lane.
    package var waitingRequests = 64
    /// Whether turns that upstream does not keep can be gone on from, as on one WebSocket.
    package var keepsTurns = false
    package var digest: Digest

    /// The defaults, with a digest.
    package init(digest: @escaping Digest) { self.digest = digest }
}
