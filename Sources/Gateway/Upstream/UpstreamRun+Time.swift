import Configuration
import EventLoop
import GatewayCore
import Telemetry

/// The run's one timer: waiting for a place, pausing, the deadlines of a transfer.
extension UpstreamRun {
    func timerFired() {
        let now = shard.loop.now
        switch waiting {
        case .nothing: break
        case .place(_, let deadline): placeTimerFired(deadline, now)
        case .backOff(let since):
            waiting = .nothing
            story.backingOff += now - since
            shard.metrics.backOffTime.observe(now - since)
            perform(machine.handle(.timer))
        case .transfer: checkDeadlines()
        case .linger: end()
        }
    }

    /// When what is held back is shown: those who read upstream's own words have its first one soon.
    private var holdEnd: Instant? {
        guard session.logsEvents, !machine.hasOutput, let since = held.since else {
            return nil
        }
        return since + shard.context.configuration.dialect.hold
    }

    /// Something is held back; the first of it says until when.
    func beginHolding() {
        guard !isSilent, case .transfer = waiting, let timer, let holdEnd else { return }
        timer.arm(at: holdEnd)
    }

    func checkDeadlines() {
        guard let timer, let attempt else { return }
        let now = shard.loop.now
        if let holdEnd, now >= holdEnd {
            show()
            session.commit()
            // What was shown may have been too much: then this run is over.
            guard !isSilent, case .transfer = waiting else { return }
        }
        func arm(_ until: Instant) { timer.arm(at: min(until, holdEnd ?? until)) }
        switch attempt.deadlines.check(now: now) {
        case .wait(let until): arm(until)
        case .notice(let until):
            arm(until)
            session.upstreamSilent(response)
        case .expired(let expiry):
            // What upstream said of the failure is more than that it did not end the stream then.
            if let told = reducer.toldError { return failed(truncation(told)) }
            var failure = expiry.failure
            failure.error.requestID = attempt.requestID
            failed(failure)
        }
    }
}
