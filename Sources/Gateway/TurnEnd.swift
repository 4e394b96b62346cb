import EventLoop

/// What a shard's turn of the loop leaves for its end: deltas and frames of all its sockets, written in a row.
///
/// A delta waits for nothing but its turn (decision 56), and so do the frames that leave a connection as one
/// (decision 57). Loop's thread only.
final class TurnEnd {
    /// A run's part in the list of those that wait.
    struct Link {
        fileprivate var isWaiting = false
        fileprivate var next: UpstreamRun?
    }

    private var pacer: TurnPacer?
    /// Runs whose events wait to be offered, oldest first: a list through their links.
    ///
    /// Every delta comes by here: each look into an array would cost a check for exclusive access.
    private var firstRun: UpstreamRun?
    private var lastRun: UpstreamRun?
    /// Connections with frames to write.
    private var connections: [Connection] = []
    private var hasConnections = false

    /// Ends the turns of `loop`, and spaces those of a loaded one by `budget`.
    init(loop: EventLoop, budget: Duration) throws(EventLoopError) {
        pacer = try TurnPacer(loop: loop, budget: budget) { [unowned self] in end() }
    }

    /// Calls `handOn` of a run when the turn ends, once.
    func handOnLater(_ run: UpstreamRun) {
        pacer?.noteWork()
        guard !run.turnEnd.isWaiting else { return }
        run.turnEnd.isWaiting = true
        if let lastRun { lastRun.turnEnd.next = run } else { firstRun = run }
        lastRun = run
    }

    /// Calls `turnEnds` of a connection when the turn ends.
    func flushLater(_ connection: Connection) {
        connections.append(connection)
        hasConnections = true
    }

    private func takeRun() -> UpstreamRun? {
        guard let run = firstRun else { return nil }
        firstRun = run.turnEnd.next
        if firstRun == nil { lastRun = nil }
        run.turnEnd = Link()
        return run
    }

    /// Hands on and writes what waits; also called by a shard that stops in the middle of a turn.
    func end() {
        // What one hands on or sends may make another: nothing may wait while the loop polls.
        while firstRun != nil || hasConnections {
            while let run = takeRun() {
                // A run that was closed meanwhile has nothing to say, and its session may be gone.
                if !run.isSilent { run.handOn() }
            }
            hasConnections = false
            var batch: [Connection] = []
            swap(&batch, &connections)
            for connection in batch { connection.turnEnds() }
        }
    }

    /// Hears of no more turns, and forgets what waits for one.
    func close() {
        while takeRun() != nil {}
        connections = []
        pacer?.close()
        pacer = nil
    }
}
