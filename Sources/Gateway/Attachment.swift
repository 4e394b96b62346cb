import GatewayCore
import WebSocketServer

/// How far a client's connection has come with its session, which may live on another shard.
///
///     none ──resume──▶ attaching ──home shard's answer──▶ here, there ──▶ closed
///       └──────────────────── new session ────────────────▲
enum Attachment<Command> {
    /// The client has not said which session.
    case none
    /// The home shard was asked; commands that come meanwhile wait.
    ///
    /// Boxed: it lasts for a moment, and every connection would have room for it.
    indirect case attaching(AttachRequest, waiting: [Command])
    case here(HostedSession)
    case there(SessionID, shard: Int)
    /// The socket is gone.
    case closed

    /// The client has not said which session.
    var isNone: Bool {
        if case .none = self { true } else { false }
    }

    /// Commands that wait for the home shard's answer.
    var waiting: [Command] {
        if case .attaching(_, let waiting) = self { return waiting }
        return []
    }

    /// Lets a command wait for the home shard's answer; false when `limit` commands do already, or when not attaching.
    mutating func keep(_ command: Command, limit: Int) -> Bool {
        guard case .attaching(let request, var waiting) = self, waiting.count < limit else {
            return false
        }
        waiting.append(command)
        self = .attaching(request, waiting: waiting)
        return true
    }

    /// The session on the same shard takes note that the connection's socket is clear.
    func readerIsClear(_ connection: ConnectionID) {
        if case .here(let session) = self { session.readerIsClear(connection) }
    }

    /// Gives credit for deliveries back to a session elsewhere.
    func acknowledge(_ bytes: Int, of connection: ConnectionID, from shard: ShardCore) {
        guard bytes > 0, case .there(let session, let other) = self else { return }
        shard.send(.delivered(session, connection, bytes: bytes), to: other)
    }

    /// Asks the session, wherever it is, to say when nothing runs in it, since the connection wants to leave then.
    func leave(_ connection: ConnectionID, from shard: ShardCore) {
        switch self {
        case .here(let session): session.readerLeaves(connection)
        case .there(let session, let other): shard.send(.leave(session, connection), to: other)
        case .none, .attaching, .closed: break
        }
    }

    /// Tells the session, wherever it is, that the connection is gone.
    func detach(_ connection: ConnectionID, from shard: ShardCore) {
        switch self {
        case .here(let session): session.detach(connection)
        case .there(let session, let other): shard.send(.detach(session, connection), to: other)
        case .attaching(let request, _):
            // The home shard may have attached it already; it finds nobody to detach otherwise.
            shard.send(.detach(request.session, connection), to: request.session.shard)
        case .none, .closed: break
        }
    }
}

extension ClientCommand.Resume {
    /// What a URL says for clients that cannot say it in a frame; nil when it names no token.
    init?(of request: HTTPRequest) {
        guard let token = request.queryValue("resume") else { return nil }
        self.init(
            token: token, after: request.queryValue("after").flatMap { Int($0) } ?? 0)
    }
}
