import Configuration
import EventLoop
import GatewayCore
import Telemetry
import Upstream

/// Gets one response from upstream into its session, by as many attempts as that takes.
///
/// Lives on the session's shard, from the message to the end of the last transfer. What to do when an
/// attempt ends is `AttemptMachine`'s to say, which upstream serves the next one `UpstreamPool`'s; this
/// shell opens and closes transfers, feeds their bytes to parser and reducer (in `UpstreamRun+Stream`),
/// and arms one timer. Nothing is logged in the session before the first output of the attempt that wins.
final class UpstreamRun: UpstreamTransferDelegate {
    /// What the transfer that is open is for.
    enum Mode: Equatable {
        /// The request, answered by a stream.
        case stream
        /// The request without `stream`, answered by the whole response.
        case document
        /// The rest of a background response's stream.
        case reattach
        /// A background response as it is now, when its stream cannot be had any more.
        case fetch
    }

    /// What the timer is armed for.
    private enum Waiting {
        case nothing
        case place(since: Instant, deadline: Instant)
        case backOff(since: Instant)
        case transfer
        /// The answer is whole; a body that does not end is not waited for.
        case linger
        /// Cancelled before upstream told the id of its background response.
        case reaping
    }

    let response: Int
    let session: HostedSession
    let shard: ShardCore
    private var body: UpstreamRequestBody
    let isBackground: Bool
    let isShownAtOnce: Bool
    private let pinned: Int?
    private let ticket: UpstreamPoolState.Ticket
    var machine: AttemptMachine
    private(set) var story = UpstreamStory()
    private let startedAt: Instant

    private(set) var transfer: UpstreamTransfer?
    private(set) var mode = Mode.stream
    private var grant: UpstreamPoolState.Grant?
    /// The upstream of the attempt that runs, or ran last.
    private(set) var member = 0
    private var attemptStartedAt: Instant
    private var connectedAt: Instant?
    /// When the attempt's first event came, for what counts as slow.
    var firstEventAt: Instant?
    var requestID: String?

    var parser: ServerSentEventParser
    var reducer = ResponsesReducer()
    var deadlines: UpstreamDeadlines
    private var timer: LoopTimer?
    private var waiting = Waiting.nothing
    var isPaused = false
    /// The session has told how the response ended.
    var isReported = false
    private var isClosed = false
    var lastDelta: Instant?
    /// Deltas of the bytes that are being fed.
    var deltaCount = 0

    // What `UpstreamRun+Stream` keeps.
    var held: [HeldOutput] = []
    var heldBytes = 0
    var hasOutput = false
    /// An error that came inside a stream before any output: the attempt ends with it.
    var pendingFailure: AttemptFailure?
    /// Upstream's id of a background response.
    var upstreamID: String?
    var lastUpstreamSequence: Int64?
    var eventsTaken = 0
    var eventsToSkip = 0
    var hasProgressed = false

    /// Bytes whose events are in the log and were not offered to the readers yet.
    private var unsentBytes = 0

    /// A busy socket's bytes that go on together at most; watermarks are looked at no later either.
    private static let batchBytes = 16 << 10

    /// After the terminal event the body usually ends at once, and its connection serves the next request.
    private static let lingerTime = Duration.seconds(2)

    /// Prepares a request.
    init(
        response: Int, body: UpstreamRequestBody, pinned: Int?, session: HostedSession,
        shard: ShardCore
    ) {
        self.response = response
        self.session = session
        self.shard = shard
        self.body = body
        self.pinned = pinned
        isBackground = body.isBackground
        isShownAtOnce = body.isShownAtOnce
        ticket = shard.makeTicket()
        let count = pinned == nil ? shard.context.pool.upstreams.count : 1
        machine = AttemptMachine(policy: shard.context.retries, memberCount: count)
        startedAt = shard.loop.now
        attemptStartedAt = startedAt
        parser = Self.makeParser(shard)
        deadlines = UpstreamDeadlines(limits: shard.context.deadlines, now: startedAt)
    }

    /// Prepares to go on with a background response that an earlier process has started.
    init(
        response: Int, reattachingTo upstreamID: String, at member: Int, session: HostedSession,
        shard: ShardCore
    ) {
        self.response = response
        self.session = session
        self.shard = shard
        body = .none
        pinned = member
        isBackground = true
        isShownAtOnce = false
        self.upstreamID = upstreamID
        self.member = member
        ticket = shard.makeTicket()
        machine = .reattaching(to: member, policy: shard.context.retries, memberCount: 1)
        startedAt = shard.loop.now
        attemptStartedAt = startedAt
        parser = Self.makeParser(shard)
        deadlines = UpstreamDeadlines(limits: shard.context.deadlines, now: startedAt)
    }

    private static func makeParser(_ shard: ShardCore) -> ServerSentEventParser {
        let upstream = shard.context.configuration.upstream
        return ServerSentEventParser(
            limits: .init(
                maximumLineBytes: upstream.lineBytes, maximumEventBytes: upstream.eventBytes))
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
        guard !isClosed else { return }
        isClosed = true
        let isUnfinished = !machine.isEnded
        _ = machine.handle(.cancel)
        if case .place = waiting, shard.context.pool.leave(ticket) { shard.stopWaiting(ticket) }
        timer?.cancel()
        releasePlace(.neutral)
        held = []
        body.bytes = []
        guard isUnfinished, isBackground, !leavesRunning else { return closeTransfer() }
        if let upstreamID {
            closeTransfer()
            BackgroundCancel.start(
                upstreamID, at: shard.context.pool.upstreams[member].server, shard: shard)
        } else if transfer != nil, connectedAt != nil {
            // Upstream has the request, and would run it to its end: read on, unseen, for its id.
            waiting = .reaping
            timer?.arm(after: shard.context.configuration.upstream.cancelTimeout)
            transfer?.resume()
        } else {
            closeTransfer()
        }
    }

    func pause() {
        guard !isPaused, !reducer.isFinished else { return }
        isPaused = true
        deadlines.paused()
        transfer?.pause()
        shard.metrics.upstreamPaused.increment()
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        deadlines.resumed(now: shard.loop.now)
        transfer?.resume()
        if case .transfer = waiting { checkDeadlines() }
    }

    /// True once the session is not to hear anything any more.
    var isSilent: Bool { isClosed }

    // MARK: What the machine says

    private func perform(_ action: AttemptMachine.Action) {
        switch action {
        case .none: break
        case .acquire(let tried): acquire(tried: tried)
        case .open(let member): open(member)
        case .reattach(let member): reattach(member)
        case .backOff(let pause, let failure): backOff(pause, failure)
        case .fail(let error):
            // A log of upstream's own words has all that the last attempt said.
            if session.logsEvents, !held.isEmpty { show() }
            session.upstreamFailed(response, error)
            end()
        }
    }

    /// Nothing more will come.
    private func end() {
        timer?.cancel()
        waiting = .nothing
        closeTransfer()
        releasePlace(.neutral)
        isClosed = true
        session.runEnded(self)
    }

    private func acquire(tried: Set<Int>) {
        let now = shard.loop.now
        admitted(
            shard.context.pool.acquire(ticket, pinned: pinned, tried: tried, now: now), now: now)
    }

    private func admitted(_ admission: UpstreamPoolState.Admission, now: Instant) {
        switch admission {
        case .granted(let grant):
            shard.stopWaiting(ticket)
            granted(grant)
        case .queued(let pollAt):
            let deadline: Instant
            if case .place(_, let known) = waiting {
                deadline = known
            } else {
                deadline = now + shard.context.configuration.upstream.queueTimeout
                waiting = .place(since: now, deadline: deadline)
                shard.wait(self, for: ticket)
                session.upstreamQueued(response, until: deadline)
            }
            timer?.arm(at: min(deadline, pollAt ?? deadline))
        case .refused(let refusal):
            shard.stopWaiting(ticket)
            noteQueued()
            perform(machine.handle(.refused(refusal)))
        }
    }

    /// There is a place at an upstream, at once or after waiting for it.
    func granted(_ grant: UpstreamPoolState.Grant) {
        guard !isClosed else {
            return shard.context.pool.release(grant, .neutral, now: shard.loop.now)
        }
        noteQueued()
        self.grant = grant
        perform(machine.handle(.granted(grant.member)))
    }

    private func noteQueued() {
        guard case .place(let since, _) = waiting else { return }
        let time = shard.loop.now - since
        story.queued += time
        shard.metrics.queueTime.observe(time)
        waiting = .nothing
    }

    private func open(_ member: Int) {
        let entry = shard.context.pool.upstreams[member]
        let isStreaming = !shard.context.pool.refusesStreams(member)
        mode = isStreaming ? .stream : .document
        self.member = member
        story.upstream = entry.name
        story.member = member
        story.attempts = machine.attempts
        reducer = ResponsesReducer()
        held = []
        heldBytes = 0
        upstreamID = nil
        lastUpstreamSequence = nil
        eventsTaken = 0
        shard.metrics.upstreamAttempts.increment()
        if machine.attempts > 1 { session.upstreamConnecting(response) }
        let model = entry.replacement(for: body.modelName)
        send(
            UpstreamRequest(
                .post, "/responses", to: entry.server,
                body: body.bytes(model: model, isStreaming: isStreaming),
                expecting: isStreaming ? .eventStream : .document))
    }

    /// The same request once more, to the same upstream, without `stream`.
    private func openWithoutStream() {
        shard.context.pool.noteRefusesStreams(member)
        story.note(shard.context.pool.upstreams[member].name, "not_streaming")
        mode = .document
        let entry = shard.context.pool.upstreams[member]
        send(
            UpstreamRequest(
                .post, "/responses", to: entry.server,
                body: body.bytes(
                    model: entry.replacement(for: body.modelName), isStreaming: false),
                expecting: .document))
    }

    private func reattach(_ member: Int) {
        guard let upstreamID else { return }
        let entry = shard.context.pool.upstreams[member]
        mode = .reattach
        self.member = member
        story.upstream = entry.name
        story.member = member
        story.reattachments = machine.reattachments
        shard.metrics.upstreamReattached.increment()
        hasProgressed = false
        var path = "/responses/\(Self.escaped(upstreamID))?stream=true"
        if let lastUpstreamSequence {
            path += "&starting_after=\(lastUpstreamSequence)"
        } else {
            // Without numbers it comes from the beginning, and what is known is left out.
            eventsToSkip = eventsTaken
        }
        send(UpstreamRequest(.get, path, to: entry.server))
    }

    /// Asks for a background response as it is now.
    private func fetch() {
        guard let upstreamID else { return }
        mode = .fetch
        let server = shard.context.pool.upstreams[member].server
        send(
            UpstreamRequest(
                .get, "/responses/\(Self.escaped(upstreamID))", to: server, expecting: .document))
    }

    /// An id as a path segment, whatever upstream or a token call an id.
    static func escaped(_ id: String) -> String {
        var text = ""
        for byte in id.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }

    private func send(_ request: UpstreamRequest) {
        let now = shard.loop.now
        parser = Self.makeParser(shard)
        attemptStartedAt = now
        connectedAt = nil
        firstEventAt = nil
        requestID = nil
        pendingFailure = nil
        var limits = shard.context.deadlines
        if mode == .document {
            // The head comes when the whole answer is there.
            limits.responseHeader = limits.total
            limits.firstEvent = limits.total
        }
        deadlines = UpstreamDeadlines(
            limits: limits, now: now, responseStartedAt: startedAt, hasText: hasOutput)
        do {
            let transfer = try shard.worker.start(request, delegate: self)
            self.transfer = transfer
            shard.metrics.upstreamTransfers.increment()
            if isPaused {
                deadlines.paused()
                transfer.pause()
            }
        } catch {
            shard.logger.warn("upstream request not started", ["error.message": .text("\(error)")])
            let overloaded = ResponseError(
                code: GatewayErrorCode.overloaded.rawValue,
                message: "no room for another upstream transfer (upstream.connections)",
                isRetryable: true)
            return failed(AttemptFailure(.rejected, .final, overloaded))
        }
        waiting = .transfer
        checkDeadlines()
    }

    private func backOff(_ pause: Duration, _ failure: AttemptFailure) {
        let now = shard.loop.now
        waiting = .backOff(since: now)
        // A reattachment at once is nobody's business.
        if pause > .zero {
            session.upstreamRetrying(response, at: now + pause, attempt: machine.tries + 1)
        }
        timer?.arm(after: pause)
    }

    // MARK: Ends of attempts

    /// The attempt has ended without an answer.
    func failed(_ failure: AttemptFailure) {
        closeTransfer(failure.reason == .timeout ? .timedOut : .invalid)
        waiting = .nothing
        timer?.cancel()
        let now = shard.loop.now
        story.note(shard.context.pool.upstreams[member].name, failure.reason.rawValue)
        logFailure(failure)
        let mayRetry = machine.wouldRetry(failure, hasBudget: true)
        let hasBudget = mayRetry && shard.retryBudget.take(now: now)
        if mayRetry, !hasBudget { shard.metrics.retriesDenied.increment() }
        releasePlace(breakerOutcome(failure), retryAfter: pauseForOthers(failure))
        let tries = machine.tries
        let action = machine.handle(
            .failed(failure, random: UInt64.random(in: .min ... .max), hasBudget: hasBudget))
        if case .fail = action {
        } else {
            shard.metrics.upstreamRetries[failure.reason.rawValue].increment()
            if tries > 0, !hasOutput { discardHeld() }
        }
        perform(action)
    }

    private func discardHeld() {
        // What a background response has told stays true when it is reattached to.
        guard upstreamID == nil else { return }
        held = []
        heldBytes = 0
    }

    private func pauseForOthers(_ failure: AttemptFailure) -> Duration? {
        switch failure.reason {
        case .rateLimited, .serverError: failure.retryAfter
        case .unreachable, .tls, .timeout, .conflict, .cut, .invalid, .refused, .notStreaming,
            .rejected:
            nil
        }
    }

    private func breakerOutcome(_ failure: AttemptFailure) -> CircuitBreaker.Outcome {
        switch failure.reason {
        case .unreachable, .tls: .unreachable
        case .timeout, .serverError, .cut, .invalid: .failure
        // A key that is refused is refused next time too; alone, the client should hear of it.
        case .refused: shard.context.pool.upstreams.count > 1 ? .failure : .neutral
        case .rateLimited, .conflict, .notStreaming, .rejected: .neutral
        }
    }

    /// The terminal event was logged.
    func finished() {
        _ = machine.handle(.finished)
        let name = shard.context.pool.upstreams[member].name
        story.note(name, hasOutput ? "ok" : "final")
        let slow = shard.context.configuration.breaker.slowCall
        let isSlow = firstEventAt.map { $0 - attemptStartedAt > slow } ?? false
        releasePlace(isSlow ? .slow : .success)
        body.bytes = []
        guard transfer != nil else { return end() }
        waiting = .linger
        timer?.arm(after: Self.lingerTime)
    }

    private func releasePlace(
        _ outcome: CircuitBreaker.Outcome, retryAfter: Duration? = nil
    ) {
        guard let grant else { return }
        self.grant = nil
        shard.context.pool.release(grant, outcome, retryAfter: retryAfter, now: shard.loop.now)
    }

    private func closeTransfer(_ result: UpstreamResult = .cancelled) {
        guard let transfer else { return }
        self.transfer = nil
        transfer.cancel()
        shard.metrics.upstreamTransfers.decrement()
        shard.metrics.upstreamRequests[reducer.isFinished ? .finished : result].increment()
    }

    private func logFailure(_ failure: AttemptFailure) {
        shard.logger.warn(
            "upstream request failed",
            [
                "error.type": .text(failure.error.code),
                "error.message": .text(failure.error.message),
                "gateway.session.id": .text(session.machine.id.text),
                "gateway.upstream.name": .text(shard.context.pool.upstreams[member].name),
            ])
    }

    // MARK: From the transfer

    func transferConnected(_ transfer: UpstreamTransfer) {
        guard !isClosed else { return }
        let now = shard.loop.now
        if connectedAt == nil {
            shard.metrics.connectTime.observe(now - attemptStartedAt)
            story.connecting += now - attemptStartedAt
        }
        connectedAt = now
        _ = machine.handle(.connected)
        session.upstreamConnected(response)
    }

    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead) {
        let now = shard.loop.now
        shard.context.pool.observe(head, of: member, now: now)
        guard !isClosed else { return }
        requestID = head.requestID
        if let requestID = head.requestID { story.note(requestID: requestID) }
        let time = now - (connectedAt ?? attemptStartedAt)
        shard.metrics.headerTime.observe(time)
        story.waitingForHeaders += time
        deadlines.receivedHead(now: now)
        if head.isSuccess { session.upstreamAnswered(response, head) }
    }

    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow {
        shard.metrics.upstreamReceivedBytes.increment(by: bytes.count)
        if case .reaping = waiting {
            findID(bytes)
            return .proceed
        }
        guard !isClosed, !reducer.isFinished else { return .proceed }
        let now = shard.loop.now
        let isEvent: Bool
        do {
            isEvent = try feed(bytes, now: now)
        } catch {
            failed(
                AttemptFailure(
                    .invalid, .again,
                    ResponseError(
                        code: "upstream_protocol_error", message: error.message,
                        isRetryable: true, requestID: requestID)))
            return .proceed
        }
        if let pendingFailure {
            _ = machine.handle(.unnamed)
            failed(pendingFailure)
            return .proceed
        }
        deadlines.received(isEvent: isEvent, now: now)
        if reducer.isFinished {
            finished()
        } else if let timer, !timer.isArmed {
            checkDeadlines()
        }
        unsentBytes += bytes.count
        if reducer.isFinished || unsentBytes >= Self.batchBytes { handOn() }
        return isPaused ? .pause : .proceed
    }

    func transferWasRead(_ transfer: UpstreamTransfer) {
        if unsentBytes > 0, !shard.defers(self) { handOn() }
    }

    /// Offers what was logged to the readers: what one turn brings a session leaves as one frame.
    func handOn() {
        guard unsentBytes > 0 else { return }
        unsentBytes = 0
        session.commit()
    }

    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome) {
        shard.metrics.upstreamTransfers.decrement()
        shard.metrics.upstreamRequests[UpstreamResult(outcome)].increment()
        if !transfer.timing.isConnectionReused { shard.metrics.upstreamConnections.increment() }
        self.transfer = nil
        timer?.cancel()
        if case .reaping = waiting { return }
        guard !machine.isEnded else { return end() }
        switch outcome {
        case .finished: bodyEnded(transfer)
        case .failed(let failure): transferFailed(transfer, failure)
        }
    }

    private func bodyEnded(_ transfer: UpstreamTransfer) {
        switch mode {
        case .stream: brokenOff()
        // A stream that ends without having brought anything may be over: ask how the response stands.
        case .reattach: if hasProgressed { brokenOff() } else { fetch() }
        case .document, .fetch: render(transfer.collectedBody)
        }
    }

    private func transferFailed(_ transfer: UpstreamTransfer, _ failure: UpstreamFailure) {
        if mode == .stream, failure.code == .wrongContentType,
            transfer.head?.mediaType == "application/json"
        {
            shard.context.pool.noteRefusesStreams(member)
            return render(transfer.collectedBody)
        }
        let attempt = AttemptFailure(failure)
        if mode == .stream, attempt.reason == .notStreaming, !hasOutput {
            return openWithoutStream()
        }
        if mode == .reattach, let status = failure.status, (400..<500).contains(status),
            attempt.verdict == .final
        {
            return fetch()
        }
        if mode == .fetch, attempt.verdict == .final {
            return failed(
                AttemptFailure(
                    .rejected, .final,
                    ResponseError(
                        code: "upstream_response_lost",
                        message: "upstream does not have the response any more: \(failure.message)",
                        isRetryable: true, upstreamStatus: failure.status, requestID: requestID)))
        }
        failed(attempt)
    }

    /// Takes a whole response object as the events that would have told the same.
    private func render(_ object: [UInt8]) {
        let now = shard.loop.now
        let end: DocumentEnd
        do {
            end = try take(document: object, now: now)
        } catch {
            return failed(
                AttemptFailure(
                    .invalid, .again,
                    ResponseError(
                        code: "upstream_protocol_error", message: error.message,
                        isRetryable: false, requestID: requestID)))
        }
        if let pendingFailure {
            _ = machine.handle(.unnamed)
            return failed(pendingFailure)
        }
        switch end {
        case .finished:
            finished()
            session.commit()
        case .running:
            // A background response, asked for without a stream, or fetched before its end.
            failed(truncation(nil))
        }
    }

    /// The body has ended without a terminal event: never a completion.
    private func brokenOff() {
        failed(truncation(reducer.toldError))
    }

    private func truncation(_ told: GatewayCore.UpstreamError?) -> AttemptFailure {
        var failure = AttemptFailure(
            inStream: told, code: told == nil ? "upstream_truncated" : "upstream_failed",
            requestID: requestID, isTruncated: true)
        // An error that upstream told ends the response there: there is nothing to reattach to.
        if told != nil { _ = machine.handle(.unnamed) }
        if hasOutput { failure.error.isRetryable = true }
        return failure
    }

    // MARK: Time

    private func timerFired() {
        let now = shard.loop.now
        switch waiting {
        case .nothing: break
        case .place(_, let deadline): placeTimer(deadline, now)
        case .backOff(let since):
            waiting = .nothing
            story.backingOff += now - since
            shard.metrics.backOffTime.observe(now - since)
            perform(machine.handle(.timer))
        case .transfer: checkDeadlines()
        case .linger: end()
        case .reaping:
            shard.logger.warn("background response not cancelled: upstream told no id in time")
            closeTransfer()
        }
    }

    private func placeTimer(_ deadline: Instant, _ now: Instant) {
        guard now >= deadline else {
            return admitted(shard.context.pool.poll(ticket, now: now), now: now)
        }
        // False: a place is on its way, and will come through the mailbox.
        guard shard.context.pool.leave(ticket) else { return }
        shard.stopWaiting(ticket)
        noteQueued()
        perform(machine.handle(.queueTimedOut))
    }

    private func checkDeadlines() {
        guard let timer else { return }
        let now = shard.loop.now
        switch deadlines.check(now: now) {
        case .wait(let until): timer.arm(at: until)
        case .notice(let until):
            timer.arm(at: until)
            session.upstreamSilent(response)
        case .expired(let expiry):
            var failure = expiry.failure
            failure.error.requestID = requestID
            failed(failure)
        }
    }

    // MARK: After a cancel

    /// Looks for the id of a response that was cancelled before upstream had told it.
    private func findID(_ bytes: Span<UInt8>) {
        var found: String?
        try? parser.feed(bytes) { data, _ in
            found = Self.responseID(in: data)
            return found == nil ? .proceed : .stop
        }
        guard let found else { return }
        waiting = .nothing
        timer?.cancel()
        closeTransfer()
        BackgroundCancel.start(
            found, at: shard.context.pool.upstreams[member].server, shard: shard)
    }
}

extension UpstreamResult {
    init(_ outcome: UpstreamOutcome) {
        guard case .failed(let failure) = outcome else {
            self = .finished
            return
        }
        switch failure.code {
        case .dnsFailed, .connectRefused, .connectFailed, .proxyFailed: self = .connectFailed
        case .dnsTimeout, .connectTimeout, .tlsTimeout: self = .timedOut
        case .tlsFailed: self = .tlsFailed
        case .reset, .truncated: self = .cut
        case .wrongContentType, .tooLarge, .protocolError, .internalError: self = .invalid
        case .httpStatus:
            switch failure.status ?? 0 {
            case 401, 403: self = .unauthorized
            case 429: self = .rateLimited
            case 500...: self = .serverError
            default: self = .clientError
            }
        }
    }
}
