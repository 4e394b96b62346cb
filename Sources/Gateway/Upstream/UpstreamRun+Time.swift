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

    func checkDeadlines() {
        guard let timer, let attempt else { return }
        switch attempt.deadlines.check(now: shard.loop.now) {
        case .wait(let until): timer.arm(at: until)
        case .notice(let until):
            timer.arm(at: until)
            session.upstreamSilent(response)
        case .expired(let expiry):
            var failure = expiry.failure
            failure.error.requestID = attempt.requestID
            failed(failure)
        }
    }
}
