/// Which upstream takes which attempt: breakers, load, rate limits, and the queue at the limit; pure.
///
/// Members have a rank: lower ranks go first, equals share the work by two random choices of which the
/// less loaded one wins. A shell holds one for the whole process behind a lock.
///
/// The file holds the queue and who gets a slot; what attempts and the pool say to each other, and how one member
/// stands, are in files of their own.
package struct UpstreamPoolState: Sendable {
    /// One response in the queue.
    private struct Place: Equatable {
        let ticket: Ticket
        let pinned: Int?
        /// It waits no longer.
        let deadline: Instant
        /// When it looks by itself.
        var looksAt: Instant?
    }

    package private(set) var members: [Status]
    private var queue: [Place] = []
    /// What waiters are to learn.
    private var notices: [Notice] = []
    private let queueLimit: Int
    private let queueTimeout: Duration
    private let maximumPause: Duration

    /// Begins with nothing in flight.
    ///
    /// Nobody waits longer than `queueTimeout`, and no pause that upstream asks for is longer than `maximumPause`.
    package init(
        members: [Member], breaker: CircuitBreaker.Settings, queueLimit: Int,
        queueTimeout: Duration, maximumPause: Duration
    ) {
        self.members = members.map { Status($0, breaker: breaker) }
        self.queueLimit = queueLimit
        self.queueTimeout = queueTimeout
        self.maximumPause = maximumPause
    }

    /// Responses that wait for a slot.
    package var queueLength: Int { queue.count }

    /// True while some member would be given an attempt, were there room.
    package func isUsable(now: Instant) -> Bool {
        members.contains { $0.breaker.permits(now: now) }
    }

    // MARK: Slots

    /// Asks for an upstream for an attempt.
    ///
    /// `pinned` names the only member that will do. Members in `tried` are not given, nor waited for.
    /// `random` decides between equals.
    package mutating func acquire(
        _ ticket: Ticket, pinned: Int?, tried: Set<Int>, now: Instant, random: UInt64
    ) -> Admission {
        let candidates = candidates(pinned).filter { !tried.contains($0) }
        guard !candidates.isEmpty else { return .refused(.exhausted) }
        // What has become free, by a pause that is over, belongs to those who have waited for it.
        handOver(now: now, random: random)
        watch(now)
        if let member = choose(permitted(candidates, now), now, random) {
            return .granted(grant(member, now))
        }
        guard tried.isEmpty else { return .refused(.exhausted) }
        let place = Place(
            ticket: ticket, pinned: pinned, deadline: now + queueTimeout,
            looksAt: queue.isEmpty ? opening(now) : nil)
        if let refusal = refusal(of: place, now) { return .refused(refusal) }
        guard queue.count < queueLimit else { return .refused(.queueFull) }
        queue.append(place)
        return .queued(pollAt: place.looksAt)
    }

    /// Looks again on behalf of one that waits; its place stays when there is still nothing.
    ///
    /// One that does not wait any more has a notice on its way, and waits for that.
    package mutating func poll(_ ticket: Ticket, now: Instant, random: UInt64) -> Admission {
        handOver(now: now, random: random)
        watch(now)
        if let index = notices.firstIndex(where: { $0.ticket == ticket }) {
            switch notices.remove(at: index).word {
            case .granted(let grant): return .granted(grant)
            case .refused(let refusal): return .refused(refusal)
            case .look: break
            }
        }
        guard let index = queue.firstIndex(where: { $0.ticket == ticket }) else {
            return .queued(pollAt: nil)
        }
        if let refusal = refusal(of: queue[index], now) {
            queue.remove(at: index)
            watch(now)
            return .refused(refusal)
        }
        queue[index].looksAt = index == 0 ? opening(now) : nil
        return .queued(pollAt: queue[index].looksAt)
    }

    /// What waiters are to learn since the last time, also because of `release` and `leave`; the shell tells them.
    package mutating func takeNotices() -> [Notice] { exchange(&notices, with: []) }

    /// Gives up waiting; false when the ticket does not wait (any more): a grant or a refusal is on its way.
    package mutating func leave(_ ticket: Ticket, now: Instant, random: UInt64) -> Bool {
        guard let index = queue.firstIndex(where: { $0.ticket == ticket }) else { return false }
        queue.remove(at: index)
        // It may have been the one to look, at this very time.
        settle(isOfLessUse: false, now, random)
        return true
    }

    /// An attempt is over: its slot goes to whoever waits for it first.
    ///
    /// `isAnswered` says whether a head came, which was `observe`d.
    package mutating func release(
        _ grant: Grant, _ outcome: CircuitBreaker.Outcome, retryAfter: Duration? = nil,
        isAnswered: Bool, now: Instant, random: UInt64
    ) {
        if !isAnswered { members[grant.member].noteAnswer() }
        members[grant.member].inFlight -= 1
        let openings = members[grant.member].breaker.totalOpenings
        members[grant.member].breaker.end(
            outcome, isProbe: grant.isProbe && grant.openings == openings,
            isAnswered: grant.isProven, now: now)
        var isOfLessUse = members[grant.member].breaker.totalOpenings > openings
        if let retryAfter, retryAfter > .zero {
            isOfLessUse = true
            members[grant.member].leaveAlone(until: now + min(retryAfter, maximumPause))
        }
        settle(isOfLessUse: isOfLessUse, now, random)
    }

    /// The answer to an attempt has begun: where that is a probe, others need not wait for its end.
    ///
    /// Returns the grant that is to be given back.
    package mutating func prove(
        _ grant: Grant, isSlow: Bool, now: Instant, random: UInt64
    ) -> Grant {
        guard grant.isProbe, !grant.isProven else { return grant }
        var proven = grant
        proven.isProven = true
        let openings = members[grant.member].breaker.totalOpenings
        guard grant.openings == openings else { return proven }
        members[grant.member].breaker.probeAnswered(isSlow: isSlow, now: now)
        settle(
            isOfLessUse: members[grant.member].breaker.totalOpenings > openings, now, random)
        return proven
    }

    /// Something has changed at a member: tells those who wait.
    private mutating func settle(isOfLessUse: Bool, _ now: Instant, _ random: UInt64) {
        handOver(now: now, random: random)
        if isOfLessUse { refuseWaiters(now) }
        watch(now)
    }

    /// Refuses those in the queue whose time will be over before anything can come of it.
    private mutating func refuseWaiters(_ now: Instant) {
        var staying: [Place] = []
        for place in queue {
            if let refusal = refusal(of: place, now) {
                notices.append(Notice(ticket: place.ticket, word: .refused(refusal)))
            } else {
                staying.append(place)
            }
        }
        queue = staying
    }

    /// Why nothing will come of waiting until the place's deadline, were all to stay as it is.
    private func refusal(of place: Place, _ now: Instant) -> Refusal? {
        let candidates = candidates(place.pinned)
        guard let away = permitted(candidates, now).map({ members[$0].awayUntil }).min() else {
            return .open(retryAfter: retryAfter(candidates, now))
        }
        return away > place.deadline ? .paused(retryAfter: away - now) : nil
    }

    /// Sees to it that somebody looks when a member may take an attempt without anybody's having given a slot back.
    ///
    /// The first in the queue looks for all: `poll` hands over to whoever is to have it.
    private mutating func watch(_ now: Instant) {
        guard let opening = opening(now), let first = queue.first else { return }
        if let looksAt = first.looksAt, looksAt > now, looksAt <= opening { return }
        queue[0].looksAt = opening
        notices.append(Notice(ticket: first.ticket, word: .look))
    }

    /// When the first of the members that have slots, and wait for nothing but time, can take an attempt.
    private func opening(_ now: Instant) -> Instant? {
        members.compactMap { $0.opening(after: now) }.min()
    }

    private mutating func handOver(now: Instant, random: UInt64) {
        var index = 0
        while index < queue.count, hasRoom(now) {
            let permitted = permitted(candidates(queue[index].pinned), now)
            guard let member = choose(permitted, now, random) else {
                // Those behind may want another member, where some are pinned.
                guard members.count > 1 else { break }
                index += 1
                continue
            }
            let place = queue.remove(at: index)
            notices.append(Notice(ticket: place.ticket, word: .granted(grant(member, now))))
        }
    }

    /// True while some member could take an attempt: else nobody in the queue needs to be looked at.
    private func hasRoom(_ now: Instant) -> Bool {
        members.contains { $0.isFree(now: now) && $0.breaker.permits(now: now) }
    }

    private func candidates(_ pinned: Int?) -> [Int] {
        guard let pinned, members.indices.contains(pinned) else { return Array(members.indices) }
        return [pinned]
    }

    private func permitted(_ candidates: [Int], _ now: Instant) -> [Int] {
        candidates.filter { members[$0].breaker.permits(now: now) }
    }

    /// The member that serves, of those whose breakers allow it; nil when all are full or paused.
    private func choose(_ permitted: [Int], _ now: Instant, _ random: UInt64) -> Int? {
        let free = permitted.filter { members[$0].isFree(now: now) }
        guard let rank = free.map({ members[$0].member.rank }).min() else { return nil }
        let equals = free.filter { members[$0].member.rank == rank }
        guard equals.count > 1 else { return equals.first }
        let first = equals[Int(random % UInt64(equals.count))]
        let others = equals.filter { $0 != first }
        let second = others[Int((random >> 32) % UInt64(others.count))]
        return members[second].load < members[first].load ? second : first
    }

    private mutating func grant(_ member: Int, _ now: Instant) -> Grant {
        members[member].inFlight += 1
        members[member].space(now: now)
        return send(from: member, isProbe: members[member].breaker.begin(now: now), now)
    }

    /// Counts one more request of an attempt that keeps its place, whose first one has been answered.
    package mutating func sendAgain(_ grant: Grant, now: Instant) -> Grant {
        send(from: grant.member, isProbe: grant.isProbe, now)
    }

    private mutating func send(from member: Int, isProbe: Bool, _ now: Instant) -> Grant {
        members[member].send(now: now)
        return Grant(
            member: member, isProbe: isProbe, answeredBefore: members[member].answered,
            openings: members[member].breaker.totalOpenings)
    }

    private func retryAfter(_ candidates: [Int], _ now: Instant) -> Duration? {
        candidates.compactMap { members[$0].breaker.retryAfter(now: now) }.min()
    }

    // MARK: What attempts learn

    /// A head came: its rate limits count for whoever asks next.
    ///
    /// `grant` is whose first head it is, and nil for what needs no place.
    package mutating func observe(
        _ head: UpstreamResponseHead, of member: Int, answering grant: Grant?, now: Instant
    ) {
        if grant != nil { members[member].noteAnswer() }
        members[member].observe(head, answeredBefore: grant?.answeredBefore, now: now)
        members[member].space(now: now)
    }

    /// The member has shown what it makes of `stream: true` for a model.
    package mutating func note(
        _ streaming: UpstreamStreaming, of member: Int, for model: String
    ) {
        members[member].note(streaming, for: model)
    }

    /// What the member makes of `stream: true` for a model, as far as is known.
    package func streaming(of member: Int, for model: String) -> UpstreamStreaming {
        members[member].streaming(for: model)
    }
}
