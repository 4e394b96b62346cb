import Configuration
import EventLoop
import GatewayCore
import Telemetry
import Upstream

/// Gets one response from upstream into its session, by as many attempts as that takes.
///
/// Lives on the session's shard, from the message to the end of the last transfer. What to do when an
/// attempt ends is `AttemptMachine`'s to say, which upstream serves the next one `UpstreamPool`'s; this
/// shell opens and closes transfers and arms one timer. Nothing is logged in the session before the first
/// output of the attempt that wins.
///
/// The file holds the run's life. Places at upstreams, requests, transfers, streams and deadlines are
/// extensions in files of their own.
final class UpstreamRun {
    /// What the timer is armed for.
    enum Waiting {
        case nothing
        case place(since: Instant, deadline: Instant)
        case backOff(since: Instant)
        case transfer
        /// The answer is whole; a body that does not end is not waited for.
        case linger
    }

    let response: Int
    let session: HostedSession
    let shard: ShardCore
    let startedAt: Instant

    // What is asked for, and of whom.
    var request: RunRequest
    /// Upstream is to go on without us.
    let isBackground: Bool
    /// Which upstreams may be asked.
    private(set) var choice: UpstreamChoice
    /// Its name in the queue of the upstreams.
    let ticket: UpstreamPoolState.Ticket

    // How far that has come.
    var machine: AttemptMachine
    var story = UpstreamStory()
    /// The place at the upstream of the attempt that runs.
    var place: HeldPlace?
    /// The upstream of the attempt that runs, or ran last.
    var member = 0
    /// The request that runs, or ran last; nil before the first.
    var attempt: UpstreamAttempt?
    private(set) var timer: LoopTimer?
    var waiting = Waiting.nothing

    // What comes back. Not one value: the reducer hands out what it finds while it is being changed itself, and all the
    // others change by that.
    var reducer = ResponsesReducer()
    var held = HeldOutputs()
    /// Whether another upstream could go on with what was shown.
    var seam: SeamCandidate
    /// Where a background response is at upstream.
    var position: BackgroundPosition
    var meter = DeltaMeter()

    // What becomes of it.
    /// Bytes whose events are in the log and were not offered to the readers yet.
    var unsentBytes = 0
    /// Whether it offers them when the turn ends.
    var turnEnd = TurnEnd.Link()
    /// The session's readers are too far behind: nothing is read.
    var isPaused = false
    /// True once the session is to hear nothing more.
    private(set) var isSilent = false

    /// After the terminal event the body usually ends at once, and its connection serves the next request.
    private static let lingerTime = Duration.seconds(2)

    /// Prepares a request.
    convenience init(
        response: Int, body: UpstreamRequestBody, choice: UpstreamChoice, session: HostedSession,
        shard: ShardCore
    ) {
        let count = choice == .any ? shard.context.pool.upstreams.count : 1
        self.init(
            response: response, body: body, choice: choice, position: BackgroundPosition(),
            machine: AttemptMachine(shared: shard.context.retries, memberCount: count),
            session: session, shard: shard)
    }

    /// Prepares to go on with a background response that an earlier process has started.
    convenience init(
        response: Int, reattachingTo upstreamID: String, at member: Int, session: HostedSession,
        shard: ShardCore
    ) {
        self.init(
            response: response, body: .running, choice: .only(member),
            position: BackgroundPosition(id: upstreamID),
            machine: .reattaching(to: member, shared: shard.context.retries, memberCount: 1),
            session: session, shard: shard)
        self.member = member
        reducer = ResponsesReducer(mask: mask)
    }

    private init(
        response: Int, body: UpstreamRequestBody, choice: UpstreamChoice,
        position: BackgroundPosition, machine: AttemptMachine, session: HostedSession,
        shard: ShardCore
    ) {
        self.response = response
        request = RunRequest(body)
        self.choice = choice
        self.position = position
        self.machine = machine
        self.session = session
        self.shard = shard
        isBackground = body.isBackground
        seam = SeamCandidate(body, isNative: !session.logsEvents)
        ticket = shard.makeTicket()
        startedAt = shard.loop.now
    }

    // MARK: For the session

    /// Begins; whatever comes of it, the session hears.
    func start() {
        timer = shard.loop.makeTimer { [unowned self] in timerFired() }
        shard.retryBudget.earn(now: shard.loop.now)
        perform(machine.handle(.start))
    }

    /// Ends everything now; nothing is heard of it any more.
    ///
    /// `leavesRunning` lets a background response go on at upstream, for a process that comes after this one.
    func close(leavesRunning: Bool = false) {
        guard !isSilent else { return }
        isSilent = true
        let isUnfinished = !machine.isEnded
        _ = machine.handle(.cancel)
        stopWaitingForPlace()
        timer?.cancel()
        releasePlace(.neutral)
        held.discard()
        request.forget()
        if isUnfinished, isBackground, !leavesRunning { cancelAtUpstream() }
        closeTransfer()
    }

    /// A background response would go on without us.
    private func cancelAtUpstream() {
        let server = shard.context.pool.upstreams[member].server
        if let id = position.id {
            BackgroundCancel.start(id, at: server, shard: shard)
        } else if let attempt, let transfer = attempt.transfer, attempt.connectedAt != nil {
            // Upstream has the request already, and has not said yet what it calls the response.
            attempt.transfer = nil
            BackgroundReaper.take(transfer, attempt.parser, at: server, shard: shard)
        }
    }

    func pause() {
        guard !isPaused, !reducer.isFinished else { return }
        isPaused = true
        attempt?.deadlines.paused()
        attempt?.transfer?.pause()
        shard.metrics.upstreamPaused.increment()
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        attempt?.deadlines.resumed(now: shard.loop.now)
        attempt?.transfer?.resume()
        if case .transfer = waiting { checkDeadlines() }
    }

    // MARK: What the machine says

    func perform(_ action: AttemptMachine.Action) {
        switch action {
        case .none: break
        case .acquire(let tried): acquire(tried: tried)
        case .open(let member): open(member)
        case .goOn(let member): goOn(at: member)
        case .reattach(let member): reattach(member)
        case .backOff(let pause): backOff(pause)
        case .fail(let error):
            // A log of upstream's own words has all that the last attempt said.
            if session.logsEvents, !held.isEmpty { show() }
            session.upstreamFailed(response, error)
            // The session may have had another end in store, and has closed the run.
            guard !isSilent else { return }
            // Given up here, it would go on there, for nobody, and be billed.
            if machine.isNamed { cancelAtUpstream() }
            end()
        }
    }

    private func backOff(_ pause: Duration) {
        let now = shard.loop.now
        waiting = .backOff(since: now)
        // First: whoever hears of it may close the run, and a timer that is armed then would outlive it.
        timer?.arm(after: pause)
        // A reattachment at once is nobody's business.
        if pause > .zero {
            session.upstreamRetrying(response, at: now + pause, attempt: machine.tries + 1)
        }
    }

    // MARK: Ends

    /// The attempt has ended without an answer.
    func failed(_ failure: AttemptFailure) {
        closeTransfer(failure.reason == .timeout ? .timedOut : .invalid)
        waiting = .nothing
        timer?.cancel()
        let now = shard.loop.now
        let pool = shard.context.pool
        story.note(pool.upstreams[member].name, failure.reason.rawValue)
        log(failure)
        // What upstream has told is the end, even where it does not say so as it should.
        let isContinuable = seam.isContinuable && reducer.toldError == nil
        let mayRetry = machine.wouldRetry(failure, isContinuable: isContinuable)
        let hasBudget = mayRetry && shard.retryBudget.take(now: now)
        if mayRetry, !hasBudget { shard.metrics.retriesDenied.increment() }
        releasePlace(
            failure.breakerOutcome(isAlone: pool.upstreams.count == 1),
            retryAfter: failure.pauseForAll)
        if failure.isPreviousMissing, !machine.hasOutput, choice.goOn(count: pool.upstreams.count) {
            // It is asked afresh: what came of the one before says nothing of it.
            machine = AttemptMachine(shared: shard.context.retries, memberCount: 1)
            return perform(machine.handle(.start))
        }
        let tries = machine.tries
        let action = machine.handle(
            .failed(
                failure, random: UInt64.random(in: .min ... .max), hasBudget: hasBudget,
                isContinuable: isContinuable))
        if !machine.isEnded {
            shard.metrics.upstreamRetries[failure.reason.rawValue].increment()
            // What a background response has told stays true when it is reattached to.
            if tries > 0, !machine.hasOutput, position.id == nil { held.discard() }
        }
        perform(action)
    }

    private func log(_ failure: AttemptFailure) {
        shard.logger.warn(
            "upstream request failed",
            [
                "error.type": .text(failure.error.code),
                "error.message": .text(failure.error.message),
                "gateway.session.id": .text(session.machine.id.text),
                "gateway.upstream.name": .text(shard.context.pool.upstreams[member].name),
            ])
    }

    /// The terminal event was logged.
    func finished() {
        _ = machine.handle(.finished)
        story.note(shard.context.pool.upstreams[member].name, machine.hasOutput ? "ok" : "final")
        releasePlace(isSlow ? .slow : .success)
        request.forget()
        guard attempt?.transfer != nil else { return end() }
        waiting = .linger
        timer?.arm(after: Self.lingerTime)
    }

    /// The answer took too long to begin.
    var isSlow: Bool {
        guard let attempt, let first = attempt.firstEventAt else { return false }
        return first - attempt.startedAt > shard.context.configuration.breaker.slowCall
    }

    /// Nothing more will come.
    func end() {
        timer?.cancel()
        waiting = .nothing
        closeTransfer()
        releasePlace(.neutral)
        isSilent = true
        session.runEnded(self)
    }

    func closeTransfer(_ result: UpstreamResult = .cancelled) {
        guard let transfer = attempt?.transfer else { return }
        attempt?.transfer = nil
        transfer.cancel()
        shard.metrics.transferEnded(reducer.isFinished ? .finished : result)
    }
}
