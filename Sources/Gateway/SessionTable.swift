import GatewayCore

/// The sessions of one shard by name, and those that nobody reads in order of their desertion.
struct SessionTable {
    /// One desertion of a session; out of date once the session was visited again.
    private struct Desertion {
        let session: String
        let number: Int
    }

    private var sessions: [String: HostedSession] = [:]
    /// Oldest first; those that are out of date among them.
    private var deserted: [Desertion] = []
    private var lastDesertion = 0

    var count: Int { sessions.count }

    /// All of them, as they are now: what is done with one may end others.
    var all: [HostedSession] { Array(sessions.values) }

    subscript(_ id: SessionID) -> HostedSession? { sessions[id.text] }

    mutating func add(_ session: HostedSession) { sessions[session.machine.id.text] = session }

    /// False when it was not there.
    mutating func remove(_ session: HostedSession) -> Bool {
        sessions.removeValue(forKey: session.machine.id.text) != nil
    }

    /// Nobody reads `session` from now on.
    mutating func noteDeserted(_ session: HostedSession) {
        lastDesertion += 1
        session.desertion = lastDesertion
        deserted.append(Desertion(session: session.machine.id.text, number: lastDesertion))
        // What is out of date is dropped in bulk; no more than one for each session stays.
        if deserted.count > 2 * sessions.count + 64 {
            deserted = deserted.filter { desertedSession($0) != nil }
        }
    }

    /// The session, unless it was visited since or is over.
    private func desertedSession(_ desertion: Desertion) -> HostedSession? {
        guard let session = sessions[desertion.session], session.isDeserted,
            session.desertion == desertion.number
        else { return nil }
        return session
    }

    /// Takes out the session that has been deserted for longest and runs nothing; it is to be ended.
    ///
    /// Those that still run go behind all others, so that the next call does not pass them again.
    mutating func takeLongestDeserted() -> HostedSession? {
        var running: [Desertion] = []
        for (position, desertion) in deserted.enumerated() {
            guard let session = desertedSession(desertion) else { continue }
            guard !session.machine.isRunning else {
                running.append(desertion)
                continue
            }
            deserted.removeSubrange(...position)
            deserted.append(contentsOf: running)
            return session
        }
        return nil
    }
}
