/// What a session knows of a response of the OpenAI dialect besides its record.
struct DialectRecord {
    /// Nil is the default lane.
    let lane: [UInt8]?
    let isStored: Bool
    let isBackground: Bool
    /// Input for the next turn, where upstream does not keep this one.
    var turn: DialectTurn?
    /// The response that it goes on from, raw JSON.
    let previous: [UInt8]?
    /// Events so far: the next one's number.
    var events = 0
    /// Upstream's head, as far as clients have a use for it.
    var fields: [UpstreamResponseHead.Field] = []
    /// Why there is no event at all.
    var refusal: DialectError?
    /// Why the gateway had to end it.
    var failure: DialectError?
    /// Output text so far, as written.
    var textBytes = 0
    /// Upstream's terminal event is in the log.
    var hasEnd = false
}

/// One request of the dialect that waits for its lane.
struct WaitingRequest {
    let request: DialectRequest
    let connection: ConnectionID
    let responseID: String
}

/// Lanes, waiting requests and turns of a session in the OpenAI dialect; empty in the native one.
struct DialectState {
    var records: [Int: DialectRecord] = [:]
    var waiting: [WaitingRequest] = []
    /// Lanes that were named, in order.
    var lanes: [[UInt8]] = []
    /// Turns by response id (raw JSON), oldest first.
    var turns: [(id: [UInt8], turn: DialectTurn)] = []
    var turnBytes = 0
    /// Bytes of the turns that running responses are to leave.
    var runningTurnBytes = 0
    /// The last event of responses whose retention is over and that stay for a reader; nil without such.
    var heldThrough: Int?

    var waitingBytes: Int { waiting.reduce(0) { $0 + $1.request.storedBytes } }

    mutating func keep(_ turn: DialectTurn, of id: [UInt8], atMost limit: Int) {
        guard turn.storedBytes <= limit else { return }
        turns.append((id, turn))
        turnBytes += turn.storedBytes
        while turnBytes > limit { turnBytes -= turns.removeFirst().turn.storedBytes }
    }

    mutating func dropTurn(of id: [UInt8]) {
        guard let index = turns.firstIndex(where: { $0.id == id }) else { return }
        turnBytes -= turns.remove(at: index).turn.storedBytes
    }
}
