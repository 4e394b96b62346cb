/// Lanes, waiting requests and turns of a session in the OpenAI dialect; empty in the native one.
struct DialectState {
    /// Of responses that are not archived, in the order of their numbers.
    private var records: [DialectRecord] = []
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

    // MARK: Records

    /// What is known of a response; nil once it is archived.
    func record(_ number: Int) -> DialectRecord? { place(of: number).map { records[$0] } }

    mutating func add(_ record: DialectRecord) { records.append(record) }

    mutating func removeRecord(_ number: Int) {
        if let place = place(of: number) { records.remove(at: place) }
    }

    /// Changes what is known of a response where it stands: each event does that.
    @inline(__always)
    mutating func change<Result>(
        _ number: Int, _ body: (inout DialectRecord) -> Result
    ) -> Result? {
        place(of: number).map { body(&records[$0]) }
    }

    /// The number of a response's next event, which is counted with that.
    mutating func nextEvent(of number: Int) -> Int {
        change(number) { record in
            defer { record.events += 1 }
            return record.events
        } ?? 0
    }

    private func place(of number: Int) -> Int? {
        // Few, and nearly always one of the newest is meant.
        records.lastIndex { $0.number == number }
    }

    // MARK: Waiting requests and turns

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
