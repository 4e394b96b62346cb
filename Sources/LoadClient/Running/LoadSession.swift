/// One chat of the load: its readers, its messages on the way, and when the next are due.
final class LoadSession {
    /// A message between its due time and the end of its response.
    struct Sent {
        let id: String
        let frame: [UInt8]
        let due: UInt64
        /// No other message on its way has the same.
        let lane: Int
        let cancelAtDeltas: Int?
        /// Points at which each reader drops, and how far each of them is.
        let dropAtDeltas: [Int]
        var dropsDone: [Int]
        /// When it was written to the socket, the last time.
        var sentAt: UInt64 = 0
        var isAccepted = false
        var firstTextAt: UInt64?
        var cancelledAt: UInt64?
    }

    let index: Int
    /// The others only hold their connections.
    let isSpeaking: Bool
    var readers: [Reader] = []
    var inFlight: [Sent] = []
    /// Times at which messages are due that are not sent yet, soonest first.
    var due: [UInt64] = []
    var messagesSent = 0
    var resumeToken: String?
    var isReady = false
    var hasStarted = false
    var timerSerial: UInt32 = 0

    init(index: Int, isSpeaking: Bool) {
        self.index = index
        self.isSpeaking = isSpeaking
    }

    /// The lowest lane that no message on its way has.
    var freeLane: Int {
        (0...inFlight.count).first { lane in !inFlight.contains { $0.lane == lane } } ?? 0
    }

    var hasGivenUp: Bool { readers.first?.absence == .gaveUp }

    /// Nothing is on its way to any reader.
    var isQuiet: Bool {
        guard hasStarted, !hasGivenUp else { return true }
        guard isReady, inFlight.isEmpty, let primary = readers.first else { return false }
        return readers.allSatisfy { reader in
            reader.absence == .gaveUp
                || (reader.isOpen && !reader.isBehind(primary))
        }
    }
}
