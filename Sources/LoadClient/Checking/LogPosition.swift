/// Where one reader is in its session's log, and what may come there next.
///
///     connected() ──ready──▶ seq dense: 1, 2, 3 …
///          ▲── the connection went; resume after `lastSeq` ──┘
struct LogPosition {
    private(set) var lastSeq = 0
    /// Whether the session's own frame must come next.
    private(set) var awaitsReady = true
    private var session: [UInt8] = []
    private var epoch: [UInt8] = []

    /// A new connection of the same reader begins.
    mutating func connected() { awaitsReady = true }

    /// Takes the session's own frame; a log that was not recovered begins anew.
    mutating func ready(
        session newSession: [UInt8], epoch newEpoch: [UInt8], end: Int, isRecovered: Bool
    ) -> Violation? {
        guard awaitsReady else {
            return Violation(.resumed, "a second ready on one connection")
        }
        awaitsReady = false
        if isRecovered {
            // A second reader resumes a session that it has not seen itself.
            let isSame = session.isEmpty || (newSession == session && newEpoch == epoch)
            guard isSame, end >= lastSeq else {
                return Violation(
                    .resumed,
                    "recovered, but the log ends at \(end) and we have \(lastSeq), session or"
                        + " epoch \(isSame ? "the same" : "another")")
            }
        } else {
            lastSeq = 0
        }
        session = newSession
        epoch = newEpoch
        return nil
    }

    /// Takes the event at `seq`, or a merged one that begins at `from`.
    mutating func advance(to seq: Int, from: Int) -> Violation? {
        let expected = lastSeq + 1
        guard from == expected, seq >= from else {
            let range = from == seq ? "\(seq)" : "\(from)…\(seq)"
            return from < expected
                ? Violation(.repeated, "seq \(range) after \(lastSeq)")
                : Violation(.gap, "seq \(range) after \(lastSeq)")
        }
        lastSeq = seq
        return nil
    }

    /// Takes a snapshot in the place of everything up to `through`.
    mutating func skip(through: Int) -> Violation? {
        guard through >= lastSeq else {
            return Violation(.repeated, "a snapshot through \(through) after \(lastSeq)")
        }
        lastSeq = through
        return nil
    }
}
