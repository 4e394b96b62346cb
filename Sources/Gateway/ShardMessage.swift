import GatewayCore

/// What one shard tells another, and what the process tells a shard.
///
/// Everything in it is a value. Messages about one connection arrive in the order of sending. Deliveries are bounded by
/// credit, frames that are not in the log by what may wait in a connection's outbox. Cases that are large and come once
/// a connection or a command are boxed, so that a delivery does not take as much room.
enum ShardMessage: Sendable {
    /// A connection elsewhere wants to read and drive a session of this shard.
    indirect case attach(AttachRequest)
    /// The answer: it is attached, and deliveries follow.
    indirect case attached(ConnectionID, AttachedSession)
    /// The answer: it cannot, and goes on with a fresh session of its own shard.
    indirect case attachRefused(ConnectionID, GatewayErrorCode, continuing: ConversationPlace?)
    /// Log events of a session for a connection of this shard, within its credit.
    case deliver(ConnectionID, frame: [UInt8])
    /// A frame of a session for a connection of this shard that is not in the log.
    case sendAlone(ConnectionID, frame: [UInt8])
    /// A connection elsewhere has taken that many bytes of deliveries.
    case delivered(SessionID, ConnectionID, bytes: Int)
    /// A command of a connection elsewhere.
    indirect case command(SessionID, ConnectionID, ClientCommand)
    /// A connection elsewhere is gone.
    case detach(SessionID, ConnectionID)
    /// A connection elsewhere wants to leave as soon as nothing runs in the session.
    case leave(SessionID, ConnectionID)
    /// While draining, or where it wants to leave: nothing runs in the session, and all of its log has been delivered.
    case sessionIsIdle(ConnectionID)
    /// The session of a connection of this shard is over.
    case sessionEnded(ConnectionID)
    /// What a session's next token is to name.
    indirect case refreshToken(
        ConnectionID, conversation: ConversationPlace?, running: ResumeClaims.Running?)
    /// What a response of this shard learns that waits for a place at an upstream.
    case upstreamNotice(UpstreamPoolState.Notice)
    /// An HTTP request elsewhere asks about a response of the OpenAI dialect of this shard.
    indirect case ask(DialectQuestion)
    /// A part of the answer.
    case answer(ConnectionID, DialectAnswer)
    /// A command of a WebSocket of the OpenAI dialect elsewhere.
    indirect case drive(SessionID, ConnectionID, DialectCommand)
    /// Take no new work, finish what runs, then stop.
    case drain
    /// Stop now.
    case stop
}

/// What a connection brings to a session's home shard.
struct AttachRequest: Sendable {
    let connection: ConnectionID
    let session: SessionID
    /// The epoch of the token.
    let epoch: String
    let after: Int
    let conversation: ConversationPlace?
    let running: ResumeClaims.Running?
    /// Whom the token and the connection belong to; checked to be the same.
    let subject: String
    /// The OpenAI dialect's WebSocket mode, which reads sessions of its own.
    var isDialect = false
}

/// What a connection learns of the session it is attached to.
struct AttachedSession: Sendable {
    let session: SessionID
    /// The end of the log.
    let sequence: Int
    /// Nil when everything after the position follows; else why the log begins anew.
    let reason: GatewayErrorCode?
    let conversation: ConversationPlace?
    var running: ResumeClaims.Running?
}

/// What shards tell the process.
enum ProcessMessage: Sendable {
    case started(shard: Int, port: UInt16)
    case failed(shard: Int, reason: String)
    case stopped(shard: Int)
}
