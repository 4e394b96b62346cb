import GatewayCore

/// The sessions of one shard by name, and those that nobody reads in order of their desertion.
struct SessionTable {
    private var sessions: [String: HostedSession] = [:]
    /// Oldest first; entries may be out of date: a session that was visited again leaves one behind.
    private var deserted: [String] = []

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
        deserted.append(session.machine.id.text)
        // What is out of date is dropped in bulk.
        if deserted.count > 2 * sessions.count + 64 {
            deserted.removeAll { sessions[$0]?.isDeserted != true }
        }
    }

    /// Takes out the session that has been deserted for longest and runs nothing; it is to be ended.
    ///
    /// Those that still run go behind all others, so that the next call does not pass them again.
    mutating func takeLongestDeserted() -> HostedSession? {
        var running: [String] = []
        for (position, name) in deserted.enumerated() {
            guard let session = sessions[name], session.isDeserted else { continue }
            guard !session.machine.isRunning else {
                running.append(name)
                continue
            }
            deserted.removeSubrange(...position)
            deserted.append(contentsOf: running)
            return session
        }
        return nil
    }
}
