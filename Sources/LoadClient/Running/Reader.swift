/// One cursor of a session: what outlives its connections.
final class Reader {
    /// What happens next to a reader without a connection.
    enum Absence {
        case none
        case waitingToConnect
        case gaveUp
    }

    unowned let session: LoadSession
    let index: Int
    var checker: any StreamChecker
    var transcript: Transcript
    var connection: Connection?
    var absence = Absence.none
    /// Outdated reconnect timers carry another number.
    var timerSerial: UInt32 = 0
    /// Failed connects in a row.
    var failures = 0
    /// The last event that was missed, and since when it is being caught up.
    var catchUp: (seq: Int, since: UInt64)?
    /// Its next connection resumes.
    var wasReady = false
    let isSlow: Bool

    init(
        session: LoadSession, index: Int, checker: any StreamChecker, transcriptBytes: Int,
        isSlow: Bool
    ) {
        self.session = session
        self.index = index
        self.checker = checker
        self.isSlow = isSlow
        transcript = Transcript(maximumBytes: transcriptBytes)
    }

    var isPrimary: Bool { index == 0 }
    var isOpen: Bool { connection?.phase == .open }

    /// Whether something that has happened in its session is still on its way to it.
    func isBehind(_ primary: Reader) -> Bool {
        catchUp != nil || !checker.isIdle || checker.completed != primary.checker.completed
    }
}
