import GatewayCore

/// What an HTTP request asks about a response of the OpenAI dialect, wherever that is.
struct DialectQuestion: Sendable {
    enum Kind: Sendable {
        /// The object as it stands.
        case object
        /// The events after that number; -1 for all.
        case events(after: Int)
        case cancel
        case delete
    }

    let connection: ConnectionID
    let session: SessionID
    /// Upstream's id, raw JSON.
    let id: [UInt8]
    let subject: String
    let kind: Kind
}

/// A part of what the one who asked gets, in order.
enum DialectAnswer: Sendable {
    /// The gateway knows no such response: it is upstream's to answer.
    case unknown
    case refused(DialectError)
    /// The whole answer.
    case object([UInt8], fields: [UpstreamResponseHead.Field])
    /// An event stream begins.
    case begun(fields: [UpstreamResponseHead.Field])
    /// A piece of it.
    case piece([UInt8])
    case ended
    /// Its events were dropped while the reader was behind.
    case lost
    /// The gateway has forgotten it; upstream may have kept it.
    case forgotten(isStored: Bool)
}

/// What a WebSocket of the OpenAI dialect wants of its session.
enum DialectCommand: Sendable {
    case create(DialectRequest)
    case cancel(DialectCancelTarget)
}

/// What a `response.cancel` is for.
enum DialectCancelTarget: Sendable {
    /// Upstream's id, raw JSON.
    case response([UInt8])
    /// A lane's name, raw JSON.
    case lane([UInt8])
    case everything
}
