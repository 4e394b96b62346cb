import Configuration
import EventLoop
import GatewayCore
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

    // Who is there.
    private var server: WebSocketServer?
    private(set) var connections: [ConnectionID: any SessionClient] = [:]
    /// HTTP requests of the OpenAI dialect that are being answered.
    private(set) var exchanges: [ConnectionID: DialectExchange] = [:]
    /// Readers of this shard's sessions whose connections are on other shards.
    private var remoteReaders = 0
    private var nextConnection: UInt64 = 0

    // What they talk about.
    private(set) var sessions = SessionTable()
    /// For its sessions and their responses.
    var names = RandomNames()
    /// Bytes of all logs.
    private var storedBytes = 0
    private var isRelieving = false
    private var nextRelief = Instant(nanoseconds: .min)

    // What comes from upstream, and what becomes of it.
    let worker: UpstreamWorker
    /// Bounds this shard's retries to a part of its requests.
    var retryBudget: RetryBudget
    /// Responses that wait for a place at an upstream.
    private var waitingRuns: [UpstreamPoolState.Ticket: UpstreamRun] = [:]
    private var nextTicket: UInt64 = 0
    /// Keeps what a turn of the loop brings until the turn ends.
    let turnEnd: TurnEnd
    /// Bytes of one answer that are handed on together at most; see `GatewayConfiguration.handOnBytes`.
    let handOnBytes: Int
    /// In which all that this shard's sockets write is built.
    let scratch = Scratch<OutgoingFrame>()
    let scratchMessages = Scratch<OutgoingMessages>()

    /// Nil until the shard takes no new work.
    private var drain: ShardDrain?
    private(set) var isStopping = false

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
        handOnBytes = context.configuration.handOnBytes
        worker = try UpstreamWorker(loop: loop, options: UpstreamOptions(context))
        turnEnd = try TurnEnd(loop: loop, budget: context.configuration.delivery.latencyBudget)
    }

    /// Opens the shard's listener and returns its port.
    func start(host: String, port: UInt16) throws -> UInt16 {
        let server = try WebSocketServer(
            loop: loop, options: ServerOptions(context), handler: self)
        self.server = server
        context.mailboxes[index].setHandler { [unowned self] message in handle(message) }
        // The first shard must have the port for itself; the others share it with the first.
        return try server.listen(host: host, port: port, isShared: index > 0)
    }

    // MARK: Requests

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        WebSocketRoutes(shard: self).upgrade(request)
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
        drain?.finishSoon()
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
        drain?.finishSoon()
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
    func makeSession(subject: String, continuing: ConversationPlace?) -> HostedSession? {
        makeSession(
            id: names.session(shard: index), subject: subject,
            continuing: continuing)
    }

    /// A new session of the OpenAI dialect; nil when there is no room.
    func makeSession(subject: String, for kind: DialectSessionKind) -> HostedSession? {
        makeSession(
            id: names.session(shard: index), subject: subject,
            continuing: nil, dialect: kind)
    }

    /// A session of that name, which is not there; nil when there is no room.
    func makeSession(
        id: SessionID, subject: String, continuing: ConversationPlace?,
        dialect: DialectSessionKind? = nil
    ) -> HostedSession? {
        if sessions.count >= context.share(of: context.configuration.limits.sessions) {
            guard endLongestDeserted() else { return nil }
        }
        let settings = dialect.map {
            Shared(context.sessions.value.forDialect(context.configuration.dialect, $0))
        }
        let machine = SessionMachine(
            id: id, epoch: context.epoch, shared: settings ?? context.sessions,
            requests: context.requests, continuing: continuing, now: loop.now)
        let session = HostedSession(
            machine: machine, subject: subject, shard: self,
            conversationMember: continuing?.upstream.flatMap(context.pool.member))
        sessions.add(session)
        metrics.sessions.increment()
        return session
    }

    /// Asks the home shard of a session to attach a connection of this one.
    func askToAttach(_ request: AttachRequest) {
        if request.session.shard == index {
            Resumption(shard: self).attach(request, from: index)
        } else {
            send(.attach(request), to: request.session.shard)
        }
    }

    /// The session of that name, if this shard has it.
    func session(_ id: SessionID) -> HostedSession? { sessions[id] }

    func sessionDeserted(_ session: HostedSession) { sessions.noteDeserted(session) }

    func endSession(_ session: HostedSession) {
        guard sessions.remove(session) else { return }
        metrics.sessions.decrement()
        for reader in session.end() {
            switch reader.destination {
            case .here(let connection): connection.close(.sessionOver)
            case .there(let other): send(.sessionEnded(reader.connection), to: other)
            }
        }
        drain?.finishSoon()
    }

    /// Ends the session that has been deserted for longest and runs nothing; false when there is none.
    private func endLongestDeserted() -> Bool {
        guard let session = sessions.takeLongestDeserted() else { return false }
        endSession(session)
        return true
    }

    func remoteReadersChanged(by change: Int) {
        remoteReaders += change
        if change < 0 { drain?.finishSoon() }
    }

    // MARK: Memory

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
    ///
    /// The second step looks at every session, so where the first was not enough it is a second before the next try. New
    /// messages are refused meanwhile.
    private func relieveMemory() {
        guard loop.now >= nextRelief else { return }
        metrics.memoryReliefs.increment()
        while isOverMemoryLimit, endLongestDeserted() {}
        guard isOverMemoryLimit else { return }
        nextRelief = loop.now + .seconds(1)
        for session in sessions.all where isOverMemoryLimit { session.compactFinished() }
    }

    // MARK: Messages

    func send(_ message: ShardMessage, to shard: Int) {
        guard shard != index else { return handle(message) }
        context.mailboxes[shard].send(message)
    }

    private func handle(_ message: ShardMessage) {
        switch message {
        case .attach(let request):
            Resumption(shard: self).attach(request, from: request.connection.shard)
        case .attached(let connection, let attached):
            if let connection = connections[connection] {
                connection.attachedThere(attached)
            } else {
                send(.detach(attached.session, connection), to: attached.session.shard)
            }
        case .attachRefused(let connection, let code, let continuing):
            connections[connection]?.beginFresh(reason: code, continuing: continuing)
        case .deliver(let connection, let frame): connections[connection]?.deliver(frame)
        case .sendAlone(let connection, let frame):
            connections[connection]?.send(frame, .answer)
        case .delivered(let session, let connection, let bytes):
            sessions[session]?.delivered(connection, bytes: bytes)
        case .command(let session, let connection, let command):
            sessions[session]?.receive(command, from: connection)
        case .detach(let session, let connection): sessions[session]?.detach(connection)
        case .leave(let session, let connection): sessions[session]?.readerLeaves(connection)
        case .sessionIsIdle(let connection): connections[connection]?.sessionIsIdle()
        case .sessionEnded(let connection):
            connections[connection]?.close(.sessionOver)
            exchanges[connection]?.close(.sessionOver)
        case .ask(let question): answer(question, from: question.connection.shard)
        case .answer(let connection, let answer): exchanges[connection]?.take(answer)
        case .drive(let session, let connection, let command):
            sessions[session]?.receive(command, from: connection)
        case .refreshToken(let connection, let conversation, let running):
            connections[connection]?.refreshToken(conversation: conversation, running: running)
        case .upstreamNotice(let notice): tell(notice)
        case .drain: beginDrain()
        case .stop: stop()
        }
    }

    // MARK: Questions about responses

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

    func responseEnded(_ report: ResponseReport) {
        report.count(in: metrics)
        report.log(to: logger)
    }

    // MARK: Waiting for upstreams

    /// Names one response in the queue of the upstreams.
    func makeTicket() -> UpstreamPoolState.Ticket {
        nextTicket += 1
        return UpstreamPoolState.Ticket(shard: index, number: nextTicket)
    }

    func wait(_ run: UpstreamRun, for ticket: UpstreamPoolState.Ticket) {
        waitingRuns[ticket] = run
    }

    func stopWaiting(_ ticket: UpstreamPoolState.Ticket) { waitingRuns[ticket] = nil }

    private func tell(_ notice: UpstreamPoolState.Notice) {
        if let run = waitingRuns[notice.ticket] {
            run.heard(notice.word)
        } else if case .granted(let grant) = notice.word {
            context.pool.release(grant, .neutral, isAnswered: false, now: loop.now)
        }
    }

    // MARK: The end

    /// True from the moment the shard takes no new work.
    var isDraining: Bool { drain != nil }

    /// True when nobody reads from this shard, here or elsewhere.
    var isDeserted: Bool { connections.isEmpty && exchanges.isEmpty && remoteReaders == 0 }

    private func beginDrain() {
        guard drain == nil, !isStopping else { return }
        server?.stopListening()
        let drain = ShardDrain(of: self)
        self.drain = drain
        drain.begin()
    }

    /// Closes everything; the loop ends once all handles are closed.
    func stop() {
        guard !isStopping else { return }
        isStopping = true
        drain?.cancel()
        // This turn has no other end.
        turnEnd.end()
        for session in sessions.all { endSession(session) }
        context.mailboxes[index].setHandler(nil)
        server?.destroy()
        worker.shutDown()
        turnEnd.close()
        loop.close()
    }

    /// After the loop has ended.
    func finishStopping() {
        server?.finishDestroying()
        server = nil
    }
}
