import GatewayCore

/// When a connection leaves a gateway that drains: at a time of its own, once its session is at rest.
struct Departure {
    /// When the connection is to go; nil while the gateway does not drain.
    var time: Instant?
    /// Nothing runs in the session, and everything of it has been written.
    var isSessionIdle = false

    /// The connection is to go now.
    func isDue(now: Instant) -> Bool {
        guard isSessionIdle, let time else { return false }
        return now >= time
    }

    /// What comes first: `other`, or the time to go, unless that has passed and only the session is waited for.
    func next(before other: Instant, now: Instant) -> Instant {
        guard let time, time > now else { return other }
        return min(other, time)
    }
}
