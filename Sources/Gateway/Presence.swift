import GatewayCore

/// Whether a WebSocket stays, whatever it speaks: as long as its peer is heard, and in a gateway that drains until its
/// time has come and its session rests.
///
/// Decides only: a connection arms its one timer for `next`, and does its `duty` when that fires.
struct Presence {
    /// What a connection is to do when its timer fires.
    enum Duty: Equatable {
        case ping
        /// Nothing was heard for two heartbeats, nor since the last ping: the peer is gone.
        case giveUp
        /// The gateway drains, and nothing holds the connection any more.
        case leave
    }

    let heartbeat: Heartbeat
    /// When the connection is to go; nil while the gateway does not drain.
    var departure: Instant?
    /// Nothing runs in the session, and everything of it has been written.
    var isSessionIdle = false
    private var lastPing = Instant(nanoseconds: .min)

    /// Pings every `heartbeat`.
    init(heartbeat: Duration) { self.heartbeat = Heartbeat(interval: heartbeat) }

    /// The connection is to go now.
    func isOver(now: Instant) -> Bool {
        guard isSessionIdle, let departure else { return false }
        return now >= departure
    }

    /// What to do now, for a peer that was heard at `lastHeard`.
    ///
    /// Who has answered the last ping is asked again, however long ago that was: a process that stood still has asked
    /// nobody meanwhile.
    mutating func duty(now: Instant, lastHeard: Instant) -> Duty {
        if isOver(now: now) { return .leave }
        if lastHeard <= lastPing, heartbeat.isMissed(by: now, since: lastHeard) {
            return .giveUp
        }
        lastPing = now
        return .ping
    }

    /// What comes first: the next ping, `other`, or the time to go, unless that has passed and only the session is
    /// waited for.
    func next(before other: Instant, now: Instant) -> Instant {
        let next = min(heartbeat.next(after: now), other)
        guard let departure, departure > now else { return next }
        return min(next, departure)
    }
}
