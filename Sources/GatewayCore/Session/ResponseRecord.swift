/// What a session knows of one response.
///
///     queued ─▶ connecting ──connected──▶ waiting ──first event──▶ streaming ──terminal event──▶ finished
///                 ▲    └──────failed──┐      │
///                 └──── retrying ◀────┴──────┘
///         └──────cancel or a limit, in any of them──────▶ closing ─────closed──────────▲
///
/// An upstream that fails or breaks off finishes the response from every state.
/// - Invariant: a response enters `finished` once, and with it goes its one `complete`.
struct ResponseRecord {
    enum Phase: Equatable {
        /// Every upstream is at its limit.
        case queued(until: Instant)
        /// An attempt has failed, and another one follows.
        case retrying(at: Instant, attempt: Int)
        /// The request is on its way to a connection.
        case connecting
        /// Upstream has the request.
        case waiting
        /// Events come.
        case streaming
        /// The transfer is being closed; what still arrives is dropped.
        case closing(ClosingReason, since: Instant)
        case finished(ResponseOutcome, at: Instant)
    }

    /// Why a transfer is closed before its end.
    enum ClosingReason: Equatable {
        case cancel(CancelReason)
        /// A limit was exceeded: the response fails. Boxed, because every record has room for its phase.
        indirect case failure(ResponseError)
    }

    /// The response's number within its session: 0, 1, 2 ….
    let number: Int
    let id: String
    let messageID: String
    /// The connection that sent the message; `.nobody` when an earlier process began it.
    let connection: ConnectionID
    let acceptedAt: Instant
    /// The sequence number of its `message` event.
    let firstSequence: Int
    var lastSequence: Int
    var phase = Phase.connecting
    var firstEventAt: Instant?
    var firstTextAt: Instant?
    /// The model as raw JSON: what was asked for, then what upstream says.
    var model: [UInt8]?
    /// Upstream's id as raw JSON.
    var upstreamID: [UInt8]?
    /// Events of upstream so far.
    var eventCount = 0
    /// What the answer takes in the log so far.
    var answerBytes = 0
    /// The lowest output index above all that were used.
    var nextIndex = 0
    /// The output indexes from which on the answer is another upstream's.
    var seams: [Int] = []
    /// The latest news of each tool call that has no final status yet.
    var openTools: [ToolUpdate] = []
    /// What was sent as input, while the conversation is kept here and the response may join it.
    var keptInput: [[UInt8]] = []
    /// The answer has tool calls, of any kind.
    var hasTools = false

    /// What to add to upstream's output indexes: those below it are an earlier upstream's.
    @inline(__always)
    var indexOffset: Int { seams.last ?? 0 }

    var keptInputBytes: Int { keptInput.reduce(0) { $0 + $1.count } }

    var isFinished: Bool {
        if case .finished = phase { return true }
        return false
    }

    /// True while upstream's events count.
    var isStreaming: Bool {
        switch phase {
        case .queued, .retrying, .connecting, .waiting, .streaming: true
        case .closing, .finished: false
        }
    }

    /// When it ended; nil while it runs.
    var endedAt: Instant? {
        if case .finished(_, let end) = phase { return end }
        return nil
    }

    /// Where its events are.
    var extent: ResponseExtent {
        ResponseExtent(
            response: number, firstSequence: firstSequence, lastSequence: lastSequence)
    }

    /// The word for the phase in `state`, `attached` and `snapshot` frames.
    var statusName: String {
        switch phase {
        case .queued, .retrying, .connecting: "queued"
        case .waiting, .streaming, .closing: "in_progress"
        case .finished(let outcome, _): outcome.wireName
        }
    }

    /// What the client is told to wait for, while there is nothing else to show.
    var waitingFor: String? {
        switch phase {
        case .queued: "queued"
        case .retrying: "retrying"
        case .connecting: "connecting"
        case .waiting: "waiting"
        case .streaming, .closing, .finished: nil
        }
    }
}

/// What is kept of a finished response once its events are gone.
struct ArchivedResponse {
    let number: Int
    /// The number of its last event.
    let lastSequence: Int
    /// The response's object in a `snapshot`, ready to send; upstream's own in the OpenAI dialect.
    let snapshot: [UInt8]
    /// Upstream's id as raw JSON, in the OpenAI dialect.
    var upstreamID: [UInt8]?

    /// What it counts against the session's limits, in bytes.
    var storedBytes: Int { snapshot.count + Self.overheadBytes }

    /// The entry itself and its arrays' headers, roughly.
    static let overheadBytes = 100
}
