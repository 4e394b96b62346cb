/// How a message continues its session's conversation.
package struct ConversationConfiguration: Sendable {
    /// Who keeps what was said before.
    package enum State: String, Sendable, CaseIterable {
        /// `previous_response_id`: upstream keeps it.
        case upstream
        /// The gateway keeps the items and sends them again.
        case gateway
        /// Every message stands alone.
        case none
    }

    /// Who keeps what was said before.
    package let state: State
    /// Items kept per session with state `gateway`.
    package let bytes: Int

    init(_ keys: inout ConfigurationReader) {
        keys.begin("conversation", "How a message continues its session's conversation.")
        state = keys.choice(
            "state", default: .upstream,
            "Who keeps what was said before: upstream (previous_response_id), gateway (the items "
                + "are kept here and sent again), none (every message stands alone).")
        bytes = keys.bytes(
            "bytes", in: 1024...268_435_456, default: 4_194_304,
            "Items kept per session with conversation.state gateway. Above it further messages are "
                + "refused: conversation_too_large.")
    }
}
