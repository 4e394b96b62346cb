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

/// One request of the dialect that waits for its lane.
struct WaitingRequest {
    let request: DialectRequest
    let connection: ConnectionID
    let responseID: String
}
