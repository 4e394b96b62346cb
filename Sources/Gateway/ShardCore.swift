import Configuration
import EventLoop
import GatewayCore
import Synchronization
import Telemetry
import Upstream
import WebSocketServer

/// Everything one shard owns: its server, its upstream worker, its sessions and connections.
///
/// Not Sendable: it is made on the loop's thread and never leaves it. Other threads reach it through its
/// mailbox only.
final class ShardCore: ServerHandler {
    let index: Int
    let loop: EventLoop
    let context: GatewayContext
    let logger: Logger
    let metrics: GatewayMetrics
    private(set) var worker: UpstreamWorker
    private var pacer: TurnPacer?
    /// What was read in this turn of the loop and goes on at its end, all sockets in a row.
    private var waiting: [UpstreamRun] = []
    private var server: WebSocketServer?
    private var connections: [ConnectionID: any SessionClient] = [:]
    /// HTTP requests of the OpenAI dialect that are being answered.
    private var exchanges: [ConnectionID: DialectExchange] = [:]
    private var sessions = SessionTable()
    private var storedBytes = 0
    private var isRelieving = false
    private var nextRelief = Instant(nanoseconds: .min)
    private var nextConnection: UInt64 = 0
    private var scratch = OutgoingFrame(capacity: 64 << 10)
    /// Readers of this shard's sessions whose connections are on other shards.
    private var remoteReaders = 0
    private var drainTimer: LoopTimer?
    private var finishTimer: LoopTimer?
    /// Bounds this shard's retries to a part of its requests.
    var retryBudget: RetryBudget
    /// Responses that wait for a place at an upstream.
    private var waitingRuns: [UpstreamPoolState.Ticket: UpstreamRun] = [:]
    private var nextTicket: UInt64 = 0
    private var isPastDeadline = false
    private var isStopping = false

    init(index: Int, loop: EventLoop, context: GatewayContext) throws {
        self.index = index
        self.loop = loop
        self.context = context
        logger = context.logger.with(["gateway.shard": .integer(index)])
        metrics = GatewayMetrics(
            context.registry, errorCodes: GatewayErrorCode.allCases.map(\.rawValue),
            closeCodes: CloseCode.documented,
            retryReasons: AttemptFailure.Reason.allCases.map(\.rawValue))
        retryBudget = RetryBudget(
            percent: context.configuration.upstream.retryBudgetPercent, now: loop.now)
        var options = UpstreamOptions()
        options.maximumTransfers = context.share(of: context.configuration.upstream.connections)
        options.maximumConnections = options.maximumTransfers
        worker = try UpstreamWorker(loop: loop, options: options)
        pacer = try TurnPacer(
            loop: loop, budget: context.configuration.delivery.latencyBudget
        ) { [unowned self] in handOnWaiting() }
    }

    /// Opens the shard's listener and returns its port.
    func start(host: String, port: UInt16) throws -> UInt16 {
        var options = ServerOptions()
        let configuration = context.configuration
        options.maximumMessageBytes = configuration.limits.messageBytes
        options.maximumBodyBytes = configuration.dialect.bodyBytes
        options.maximumCollectedBytes = max(
            configuration.dialect.bodyBytes, context.share(of: configuration.dialect.bodiesBytes))
        options.requestTimeoutSeconds = UInt32(
            clamping: Int(configuration.server.requestTimeout.milliseconds / 1000))
        options.bodyTimeout = configuration.server.bodyTimeout
        options.customHeaders = ["openai-beta"]
        options.backlog = Int32(clamping: configuration.server.backlog)
        // Room for requests that are about to be refused with an answer.
        options.maximumSockets = configuration.server.connections + 256
        let logger = logger
        options.log = { line in
            logger.debug("libwebsockets", ["message": .text(line)])
        }
        let server = try WebSocketServer(loop: loop, options: options, handler: self)
        self.server = server
        context.mailboxes[index].setHandler { [unowned self] message in handle(message) }
        // The first shard must have the port for itself; the others share it with the first.
        return try server.listen(host: host, port: port, isShared: index > 0)
    }

    // MARK: Requests

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        if request.path == "/debug/echo", context.configuration.server.debugEcho {
            return .accept(EchoConnection())
        }
        let isDialect =
            request.path == "/v1/responses" && context.configuration.dialect.isEnabled
        guard request.path == "/v1/chat" || isDialect else {
            return .refuse(
                .error(404, "not_found", "WebSockets are at /v1/chat and /v1/responses"))
        }
        guard !context.isDraining.load(ordering: .relaxed) else {
            return .refuse(
                .error(
                    503, "draining", "the gateway is shutting down",
                    headers: [("retry-after", "1")]))
        }
        if let refusal = context.admission.refusal(of: request) { return .refuse(refusal) }
        var subject = ""
        if isDialect {
            guard let name = context.keys.subject(of: request) else {
                return .refuse(DialectError.unauthorized.response(isUpgrade: true))
            }
            subject = name
        }
        if let after = request.queryValue("after"), (Int(after) ?? -1) < 0 {
            return .refuse(.error(400, "invalid_frame", "`after` must be a whole number from 0"))
        }
        let address = context.admission.clientAddress(of: request)
        switch context.admission.enter(address) {
        case .failure(let refusal): return .refuse(refusal.response)
        case .success(let place):
            let id = makeConnectionID()
            guard isDialect else {
                return .accept(Connection(shard: self, id: id, place: place, request: request))
            }
            return .accept(
                DialectConnection(
                    shard: self, id: id, place: place, subject: subject, request: request))
        }
    }

    func respond(to exchange: HTTPExchange) {
        if DialectRoutes(shard: self).respond(to: exchange) { return }
        HTTPRoutes(context: context).respond(to: exchange)
    }

    func bodyPolicy(of request: HTTPRequest) -> BodyPolicy {
        DialectRoutes(shard: self).bodyPolicy(of: request)
    }

    func makeConnectionID() -> ConnectionID {
        nextConnection += 1
        return ConnectionID(shard: index, counter: nextConnection)
    }

    func exchangeBegan(_ exchange: DialectExchange) { exchanges[exchange.id] = exchange }

    func exchangeEnded(_ exchange: DialectExchange) {
        guard exchanges.removeValue(forKey: exchange.id) != nil else { return }
        finishDrainSoon()
    }

    func connectionOpened(_ connection: any SessionClient) {
        connections[connection.id] = connection
        metrics.connections.increment()
        metrics.connectionsTotal.increment()
    }

    func connectionClosed(_ connection: any SessionClient, code: CloseCode) {
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        connection.place = nil
        metrics.connections.decrement()
        metrics.closes[String(code.rawValue)].increment()
        finishDrainIfIdle()
    }

    // MARK: Sessions

    /// What the token of `resume` admits to, or why not; a refusal is counted.
    func admit(
        _ resume: ClientCommand.Resume, subject: String
    ) -> Result<SessionTokens.Admitted, SessionTokens.Refusal> {
        let verdict = context.tokens.admit(resume.token, subject: subject)
        if case .failure(let refusal) = verdict {
            metrics.resumes[ResumeOutcome(refusal.code)].increment()
        }
        return verdict
    }

    /// A new session of this shard; nil when there is no room.
    func makeSession(subject: String, continuing: String?) -> HostedSession? {
        makeSession(
            id: RandomID.session(shard: index), subject: subject,
            continuing: continuing)
    }

    /// A new session of the OpenAI dialect; nil when there is no room.
    func makeSession(subject: String, for kind: DialectSessionKind) -> HostedSession? {
        makeSession(
            id: RandomID.session(shard: index), subject: subject,
            continuing: nil, dialect: kind)
    }

    private func makeSession(
        id: SessionID, subject: String, continuing: String?, dialect: DialectSessionKind? = nil
    ) -> HostedSession? {
        if sessions.count >= context.share(of: context.configuration.limits.sessions) {
            guard endLongestDeserted() else { return nil }
        }
        var previous: [UInt8]?
        if let continuing {
            var raw: [UInt8] = []
            raw.append(jsonString: continuing)
            previous = raw
        }
        let settings = dialect.map {
            context.sessions.forDialect(context.configuration.dialect, $0)
        }
        let machine = SessionMachine(
            id: id, epoch: context.epoch,
            shared: settings.map(SharedSessionSettings.init) ?? context.sharedSessions,
            requests: context.requests, continuing: previous, now: loop.now)
        let session = HostedSession(
            machine: machine, subject: subject, shard: self, isDialect: dialect != nil)
        sessions.add(session)
        metrics.sessions.increment()
        return session
    }

    /// Attaches a connection, here or on shard `origin`, to a session of this shard.
    func attach(_ request: AttachRequest, from origin: Int) {
        switch find(request) {
        case .success(let (session, attached)):
            metrics.resumes[attached.reason == nil ? .recovered : .wrongEpoch].increment()
            let after = attached.reason == nil ? request.after : 0
            if origin == index {
                connections[request.connection]?.attachHere(
                    to: session, attached, isResume: attached.reason == nil, after: after)
            } else {
                session.attach(
                    request.connection, .there(shard: origin),
                    as: request.isDialect ? .lines : .native, after: after
                ) {
                    send(.attached(request.connection, attached), to: origin)
                }
            }
        case .failure(let refusal):
            metrics.resumes[ResumeOutcome(refusal.code)].increment()
            if origin == index {
                connections[request.connection]?.beginFresh(
                    reason: refusal.code, continuing: request.lastUpstreamResponse)
            } else {
                send(
                    .attachRefused(
                        request.connection, refusal.code,
                        continuing: request.lastUpstreamResponse), to: origin)
            }
        }
    }

    private struct ResumeRefusal: Error { let code: GatewayErrorCode }

    private func find(
        _ request: AttachRequest
    ) -> Result<(HostedSession, AttachedSession), ResumeRefusal> {
        guard request.epoch == context.epoch else {
            // The log of an earlier process is lost. The chat is not: all its tabs meet again in a
            // session of the same name, and the conversation goes on from where upstream knows it.
            guard
                let session = sessions[request.session]
                    ?? makeSession(
                        id: request.session, subject: request.subject,
                        continuing: request.lastUpstreamResponse,
                        dialect: request.isDialect ? .connection : nil)
            else { return .failure(ResumeRefusal(code: .overloaded)) }
            guard session.subject == request.subject, session.isDialect == request.isDialect else {
                return .failure(ResumeRefusal(code: .tokenSubject))
            }
            if session.machine.log.lastSequence == 0, let running = request.running {
                session.adopt(running)
            }
            return .success((session, describe(session, reason: .epochMismatch)))
        }
        guard let session = sessions[request.session],
            session.isDialect == request.isDialect
        else { return .failure(ResumeRefusal(code: .sessionNotFound)) }
        guard request.after <= session.machine.log.lastSequence else {
            return .failure(ResumeRefusal(code: .positionInFuture))
        }
        return .success((session, describe(session, reason: nil)))
    }

    private func describe(_ session: HostedSession, reason: GatewayErrorCode?) -> AttachedSession {
        AttachedSession(
            session: session.machine.id, sequence: session.machine.log.lastSequence,
            reason: reason, lastUpstreamResponse: session.lastUpstreamResponse,
            running: session.runningResponse)
    }

    /// The session of that name, if this shard has it.
    func session(_ id: SessionID) -> HostedSession? { sessions[id] }

    func sessionDeserted(_ session: HostedSession) { sessions.noteDeserted(session) }

    func endSession(_ session: HostedSession) {
        guard sessions.remove(session) else { return }
        metrics.sessions.decrement()
        for reader in session.end() {
            switch reader.destination {
            case .here(let connection): connection.close(.serviceRestart, "the session is over")
            case .there(let other): send(.sessionEnded(reader.connection), to: other)
            }
        }
        finishDrainSoon()
    }

    /// Ends the session that has been deserted for longest and runs nothing; false when there is none.
    private func endLongestDeserted() -> Bool {
        guard let session = sessions.takeLongestDeserted() else { return false }
        endSession(session)
        return true
    }

    func remoteReadersChanged(by change: Int) {
        remoteReaders += change
        if change < 0 { finishDrainSoon() }
    }

    func sessionBytesChanged(by change: Int) {
        guard change != 0 else { return }
        storedBytes += change
        metrics.replayLogBytes.add(change)
        guard change > 0, isOverMemoryLimit, !isRelieving else { return }
        isRelieving = true
        relieveMemory()
        isRelieving = false
    }

    /// True when the shard's logs together exceed their share of `replay.process_bytes`.
    var isOverMemoryLimit: Bool {
        storedBytes > context.share(of: context.configuration.replay.processBytes)
    }

    /// All logs together are too large: deserted sessions end, then finished responses are compacted.
    private func relieveMemory() {
        while isOverMemoryLimit, endLongestDeserted() {}
        // Looks at every session, so it is done once in a while only; new messages are refused meanwhile.
        guard isOverMemoryLimit, loop.now >= nextRelief else { return }
        nextRelief = loop.now + .seconds(1)
        for session in sessions.all where isOverMemoryLimit { session.compactFinished() }
    }

    // MARK: Sending

    /// Renders what follows `cursor` into the shard's scratch frame and returns the new cursor.
    ///
    /// `withRendered` lends the frame then: whoever sends may meet the log's session again.
    func render(_ log: ReplayLog, after cursor: Int) -> Int {
        let delivery = context.configuration.delivery
        scratch.removeAll(keepingAtMost: 1 << 20)
        let reached = log.render(
            after: cursor, into: &scratch.bytes, maximumBytes: delivery.frameBytes,
            mergeAfter: delivery.mergeAfterEvents)
        if reached - cursor > delivery.mergeAfterEvents {
            metrics.mergedDeltas.increment(by: reached - cursor)
        }
        return reached
    }

    /// The same for a reader of the OpenAI dialect.
    func renderEvents(
        _ log: ReplayLog, after cursor: Int, ofResponse response: Int? = nil,
        maximumBytes: Int, framing: EventFraming
    ) -> Int {
        scratch.removeAll(keepingAtMost: 1 << 20)
        let reached = log.renderEvents(
            after: cursor, ofResponse: response, into: &scratch.bytes, maximumBytes: maximumBytes,
            framing: framing)
        return reached
    }

    /// Lends what was rendered last.
    func withRendered(_ body: (inout OutgoingFrame) -> Void) { body(&scratch) }

    /// Lends the shard's scratch frame, emptied.
    func withScratch<Result>(_ body: (inout OutgoingFrame) -> Result) -> Result {
        scratch.removeAll(keepingAtMost: 1 << 20)
        return body(&scratch)
    }

    func send(_ message: ShardMessage, to shard: Int) {
        guard shard != index else { return handle(message) }
        context.mailboxes[shard].send(message)
    }

    // MARK: Messages

    private func handle(_ message: ShardMessage) {
        switch message {
        case .attach(let request):
            attach(request, from: request.connection.shard)
        case .attached(let connection, let attached):
            if let connection = connections[connection] {
                connection.attachedThere(attached)
            } else {
                send(.detach(attached.session, connection), to: attached.session.shard)
            }
        case .attachRefused(let connection, let code, let continuing):
            connections[connection]?.beginFresh(reason: code, continuing: continuing)
        case .deliver(let connection, let frame): connections[connection]?.deliver(frame)
        case .delivered(let session, let connection, let bytes):
            sessions[session]?.delivered(connection, bytes: bytes)
        case .command(let session, let connection, let command):
            sessions[session]?.receive(command, from: connection)
        case .detach(let session, let connection): sessions[session]?.detach(connection)
        case .sessionIsIdle(let connection): connections[connection]?.sessionIsIdle()
        case .sessionEnded(let connection):
            connections[connection]?.close(.serviceRestart, "the session is over")
            exchanges[connection]?.close(.serviceRestart, "the session is over")
        case .ask(let question): answer(question, from: question.connection.shard)
        case .answer(let connection, let answer): exchanges[connection]?.take(answer)
        case .drive(let session, let connection, let command):
            sessions[session]?.receive(command, from: connection)
        case .refreshToken(let connection, let last, let running):
            connections[connection]?.refreshToken(lastUpstreamResponse: last, running: running)
        case .upstreamGranted(let ticket, let grant):
            if let run = waitingRuns.removeValue(forKey: ticket) {
                run.granted(grant)
            } else {
                context.pool.release(grant, .neutral, isAnswered: false, now: loop.now)
            }
        case .drain: drain()
        case .stop: stop()
        }
    }

    // MARK: Responses

    /// Brings a question to the session it is about: here, or on its shard.
    func ask(_ question: DialectQuestion) {
        if question.session.shard == index {
            answer(question, from: index)
        } else {
            send(.ask(question), to: question.session.shard)
        }
    }

    private func answer(_ question: DialectQuestion, from origin: Int) {
        let exchange = exchanges[question.connection]
        guard let session = sessions[question.session] else {
            if origin == index {
                exchange?.take(.unknown)
            } else {
                send(.answer(question.connection, .unknown), to: origin)
            }
            return
        }
        if origin != index {
            session.answer(question, at: .there(shard: origin))
        } else if let exchange {
            session.answer(question, at: .here(exchange))
        }
    }

    /// Names one response in the queue of the upstreams.
    func makeTicket() -> UpstreamPoolState.Ticket {
        nextTicket += 1
        return UpstreamPoolState.Ticket(shard: index, number: nextTicket)
    }

    func wait(_ run: UpstreamRun, for ticket: UpstreamPoolState.Ticket) {
        waitingRuns[ticket] = run
    }

    func stopWaiting(_ ticket: UpstreamPoolState.Ticket) { waitingRuns[ticket] = nil }

    /// Calls `handOn` of a run at the turn's end (decision 56).
    func handOnAtTurnEnd(_ run: UpstreamRun) {
        pacer?.noteWork()
        waiting.append(run)
    }

    private func handOnWaiting() {
        guard !waiting.isEmpty else { return }
        let runs = waiting
        waiting.removeAll(keepingCapacity: true)
        // A run that was closed meanwhile has nothing to say, and its session may be gone.
        for run in runs where !run.isSilent { run.handOn() }
    }

    func responseEnded(_ report: ResponseReport) {
        report.count(in: metrics)
        report.log(to: logger)
    }

    // MARK: Drain

    /// Takes no new work and lets running responses finish, up to the deadline.
    private func drain() {
        guard drainTimer == nil, !isStopping else { return }
        server?.stopListening()
        let timer = loop.makeTimer { [unowned self] in drainDeadline() }
        drainTimer = timer
        let drain = context.configuration.drain
        timer.arm(after: drain.timeout)
        // Nobody can come back to these: the listener is closed.
        for session in sessions.all where session.isDeserted { session.drain() }
        let count = max(1, connections.count)
        for (position, connection) in Array(connections.values).enumerated() {
            connection.drain(after: drain.spread * position / count)
        }
        for session in sessions.all { session.tellIdleReaders() }
        finishDrainIfIdle()
    }

    /// How long after the deadline the last events may take to their readers.
    private static let lastWords = Duration.seconds(1)

    /// Ends what runs; readers leave by themselves when they have its end, or are closed.
    private func drainDeadline() {
        if isPastDeadline {
            for connection in Array(connections.values) {
                connection.close(.serviceRestart, "the gateway restarts")
            }
            for exchange in Array(exchanges.values) { exchange.close(.serviceRestart, "") }
        } else {
            isPastDeadline = true
            drainTimer?.arm(after: Self.lastWords)
            for session in sessions.all { session.drain() }
        }
        finishDrainIfIdle()
    }

    /// True from the moment the shard takes no new work.
    var isDraining: Bool { drainTimer != nil }

    /// Looks whether the drain is over, but not within the call of a session, which would end with it.
    private func finishDrainSoon() {
        guard isDraining, !isStopping else { return }
        let timer = finishTimer ?? loop.makeTimer { [unowned self] in finishDrainIfIdle() }
        finishTimer = timer
        timer.arm(after: .zero)
    }

    private func finishDrainIfIdle() {
        guard drainTimer != nil, connections.isEmpty, exchanges.isEmpty, remoteReaders == 0 else {
            return
        }
        stop()
    }

    /// Closes everything; the loop ends once all handles are closed.
    func stop() {
        guard !isStopping else { return }
        isStopping = true
        drainTimer?.cancel()
        finishTimer?.cancel()
        for session in sessions.all { endSession(session) }
        context.mailboxes[index].setHandler(nil)
        server?.destroy()
        worker.shutDown()
        pacer?.close()
        loop.close()
    }

    /// After the loop has ended.
    func finishStopping() {
        server?.finishDestroying()
        server = nil
    }
}
