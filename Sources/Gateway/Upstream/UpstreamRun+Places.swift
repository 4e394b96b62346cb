import Configuration
import EventLoop
import GatewayCore
import Telemetry

/// A place at an upstream that a run has.
struct HeldPlace {
    var grant: UpstreamPoolState.Grant
    /// The request that it was last given for has been answered.
    var isAnswered = false

    var unansweredGrant: UpstreamPoolState.Grant? { isAnswered ? nil : grant }
}

/// Getting a place at an upstream, waiting for one, and giving it back.
extension UpstreamRun {
    func acquire(tried: Set<Int>) {
        let now = shard.loop.now
        admitted(
            shard.context.pool.acquire(ticket, pinned: choice.member, tried: tried, now: now),
            now: now)
    }

    private func admitted(_ admission: UpstreamPoolState.Admission, now: Instant) {
        switch admission {
        case .granted(let grant):
            shard.stopWaiting(ticket)
            granted(grant)
        case .queued(let pollAt):
            if case .place(_, let deadline) = waiting {
                timer?.arm(at: min(deadline, pollAt ?? deadline))
                return
            }
            let deadline = now + shard.context.configuration.upstream.queueTimeout
            waiting = .place(since: now, deadline: deadline)
            shard.wait(self, for: ticket)
            // Before the session hears of it, which may close the run: an armed timer would outlive it.
            timer?.arm(at: min(deadline, pollAt ?? deadline))
            session.upstreamQueued(response, until: deadline)
        case .refused(let refusal):
            shard.stopWaiting(ticket)
            noteQueued()
            perform(machine.handle(.refused(refusal)))
        }
    }

    /// What others did has an outcome for this one, which waits.
    func heard(_ word: UpstreamPoolState.Notice.Word) {
        let now = shard.loop.now
        switch word {
        case .granted(let grant): admitted(.granted(grant), now: now)
        case .refused(let refusal): admitted(.refused(refusal), now: now)
        case .look where isSilent: break
        case .look: admitted(shard.context.pool.poll(ticket, now: now), now: now)
        }
    }

    /// There is a place at an upstream, at once or after waiting for it.
    private func granted(_ grant: UpstreamPoolState.Grant) {
        guard !isSilent else {
            return shard.context.pool.release(
                grant, .neutral, isAnswered: false, now: shard.loop.now)
        }
        noteQueued()
        place = HeldPlace(grant: grant)
        perform(machine.handle(.granted(grant.member)))
    }

    /// Looks again for a place, or gives up waiting when the time is over.
    func placeTimerFired(_ deadline: Instant, _ now: Instant) {
        guard now >= deadline else {
            return admitted(shard.context.pool.poll(ticket, now: now), now: now)
        }
        // False: a place or a refusal is on its way, and will come through the mailbox.
        guard shard.context.pool.leave(ticket, now: now) else { return }
        shard.stopWaiting(ticket)
        noteQueued()
        perform(machine.handle(.queueTimedOut))
    }

    func stopWaitingForPlace() {
        guard case .place = waiting, shard.context.pool.leave(ticket, now: shard.loop.now) else {
            return
        }
        shard.stopWaiting(ticket)
    }

    private func noteQueued() {
        guard case .place(let since, _) = waiting else { return }
        let time = shard.loop.now - since
        story.queued += time
        shard.metrics.queueTime.observe(time)
        waiting = .nothing
    }

    /// The answer has begun: that is what others wait for while this is a probe.
    func provePlace() {
        guard let grant = place?.grant else { return }
        place?.grant = shard.context.pool.prove(grant, isSlow: isSlow, now: shard.loop.now)
    }

    func releasePlace(_ outcome: CircuitBreaker.Outcome, retryAfter: Duration? = nil) {
        guard let place else { return }
        self.place = nil
        shard.context.pool.release(
            place.grant, outcome, retryAfter: retryAfter, isAnswered: place.isAnswered,
            now: shard.loop.now)
    }
}
