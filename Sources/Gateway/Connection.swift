import Configuration
import EventLoop
import GatewayCore
import Synchronization
import Telemetry
import WebSocketServer

/// One client of the native protocol: its greeting, its limits, and the way to its session.
///
///     greeting ──hello──▶ attaching ──session found──▶ attached ──close, cut, timeout──▶ closed
///         └──────────────────────hello timeout, faults────────────────────────────────────▲
///
/// Log events are written straight to the socket from the session's cursor. Only frames that are not in
/// the log, what precedes them, and deliveries from other shards wait here, in an outbox with a limit: until the end
/// of the turn, so that they leave in one write, or until the socket takes more.
final class Connection: WebSocketHandler, SessionClient {
    /// Commands that may wait for a home shard's answer.
    private static let maximumWaitingCommands = 16

    let id: ConnectionID
    /// Held as long as the socket is there.
    var place: Admission.Place?
    private let shard: ShardCore
    private var socket: WebSocket?
    private var attachment = Attachment<ClientCommand>.none
    private var subject: String
    private var isAuthorized: Bool
    private var bucket: TokenBucket
    private var faults = 0
    private var timer: LoopTimer?
    /// What waits to be sent before any log event.
    private var outbox = Outbox()
    /// True when `turnEnds` is about to be called.
    private var waitsForTurnEnd = false
    private var tokens = ResumeTokenIssuer()
    private let resumeInURL: ClientCommand.Resume?
    private var presence: Presence

    init(shard: ShardCore, id: ConnectionID, place: Admission.Place, request: HTTPRequest) {
        self.shard = shard
        self.id = id
        self.place = place
        let configuration = shard.context.configuration
        bucket = TokenBucket(
            ratePerSecond: configuration.limits.framesPerSecond,
            burst: configuration.limits.framesBurst, now: shard.loop.now)
        presence = Presence(heartbeat: configuration.server.heartbeat)
        let keys = shard.context.keys
        let name = keys.subject(of: request)
        isAuthorized = name != nil
        subject = name ?? AccessKeys.anonymous
        resumeInURL = ClientCommand.Resume(of: request)
    }

    var maximumMessageBytes: Int { shard.context.configuration.limits.messageBytes }
    var maximumFrameBytes: Int { shard.context.configuration.limits.frameBytes }

    // MARK: From the socket

    func webSocketOpened(_ socket: WebSocket) {
        self.socket = socket
        shard.connectionOpened(self)
        let timer = shard.loop.makeTimer { [unowned self] in timerFired() }
        self.timer = timer
        timer.arm(after: shard.context.configuration.limits.helloTimeout)
        if let resumeInURL { greet(ClientCommand.Hello(resume: resumeInURL)) }
    }

    func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {
        shard.metrics.framesReceived.increment()
        shard.metrics.receivedBytes.increment(by: message.count)
        guard !isBinary else { return close(.notText) }
        // Each object counts as a frame of its own: half a million of them fit into one.
        shard.context.frames.forEachLine(of: message) { object in
            guard socket.isOpen else { return }
            switch bucket.take(now: shard.loop.now) {
            case .admitted: take(object)
            case .limited(let retryAfter): refuseForRate(object, retryAfter)
            case .abusive: close(.rateLimited)
            }
        }
    }

    private func take(_ object: Span<UInt8>) {
        do throws(ClientFrameError) {
            handle(try shard.context.frames.parse(object))
        } catch {
            fault(error)
        }
    }

    /// Refuses what came too soon: a message by its id, so that a client knows what to repeat.
    private func refuseForRate(_ object: Span<UInt8>, _ retryAfter: Duration) {
        let rate = shard.context.configuration.limits.framesPerSecond
        refuse(
            .rateLimited, "more than \(rate) frames a second (limits.frames_per_s)",
            retryAfter: retryAfter,
            messageID: (try? shard.context.frames.parse(object))?.messageID)
    }

    func webSocketIsClear(_ socket: WebSocket) {
        if flushOutbox() { attachment.readerIsClear(id) }
    }

    func webSocketClosed(_ socket: WebSocket) {
        let left = attachment
        attachment = .closed
        timer?.cancel()
        timer = nil
        self.socket = nil
        left.detach(id, from: shard)
        shard.connectionClosed(self, code: socket.closeCode)
    }

    // MARK: Commands

    private func handle(_ command: ClientCommand) {
        if case .ping(let pingID) = command { return send(ServerFrames.pong(id: pingID)) }
        switch attachment {
        case .none:
            guard case .hello(let hello) = command else {
                send(ServerFrames.error(.helloRequired, "the first frame must be a hello"))
                return close(.helloRequired)
            }
            if let auth = hello.auth { authorize(auth) }
            greet(hello)
        case .attaching:
            if case .hello = command { return refuse(.helloRepeated, "one hello a connection") }
            guard attachment.keep(command, limit: Self.maximumWaitingCommands) else {
                return refuse(
                    .rateLimited, "too many commands before ready", retryAfter: .seconds(1),
                    messageID: command.messageID)
            }
        case .here(let session):
            guard admits(command) else { return }
            session.receive(command, from: id)
        case .there(let session, let other):
            guard admits(command) else { return }
            shard.send(.command(session, id, command), to: other)
        case .closed: break
        }
    }

    /// What is refused before it reaches the session.
    private func admits(_ command: ClientCommand) -> Bool {
        switch command {
        case .hello:
            refuse(.helloRepeated, "one hello a connection")
            return false
        case .message(let message):
            guard shard.context.isDraining.load(ordering: .relaxed) else { return true }
            refuse(
                .draining, "the gateway takes no new messages; reconnect", messageID: message.id)
            return false
        case .cancel, .ping, .toolOutput: return true
        }
    }

    /// Takes the key of the first frame: it counts instead of the handshake's header, even where it is wrong.
    private func authorize(_ secret: String) {
        let keys = shard.context.keys
        guard keys.areRequired else { return }
        let name = keys.name(for: secret)
        isAuthorized = name != nil
        if let name { subject = name }
    }

    // MARK: Greeting

    private func greet(_ hello: ClientCommand.Hello) {
        guard isAuthorized else {
            send(ServerFrames.error(.unauthorized, "hello.auth is missing or unknown"))
            return close(.unauthorized)
        }
        armTimer()
        guard let resume = hello.resume else { return beginFresh(reason: nil, continuing: nil) }
        switch shard.admit(resume, subject: subject) {
        case .failure(let refusal): beginFresh(reason: refusal.code, continuing: nil)
        case .success(let claims):
            let request = AttachRequest(
                connection: id, session: claims.session, epoch: claims.epoch, after: resume.after,
                conversation: claims.conversation, running: claims.running,
                subject: subject)
            attachment = .attaching(request, waiting: [])
            shard.askToAttach(request)
        }
    }

    /// Goes on with a session of its own shard.
    func beginFresh(reason: GatewayErrorCode?, continuing: ConversationPlace?) {
        guard let session = shard.makeSession(subject: subject, continuing: continuing) else {
            send(
                ServerFrames.error(
                    .overloaded, "no room for another session (limits.sessions)",
                    retryAfter: .seconds(5)))
            return close(.overloaded)
        }
        attachHere(
            to: session,
            AttachedSession(
                session: session.machine.id, sequence: 0, reason: reason,
                conversation: continuing),
            isResume: false, after: 0)
    }

    /// Goes on with a session of this shard.
    func attachHere(
        to session: HostedSession, _ attached: AttachedSession, isResume: Bool, after: Int
    ) {
        let waiting = attachment.waiting
        attachment = .here(session)
        presence.isSessionIdle = false
        session.attach(id, .here(self), after: after) {
            sendReady(attached, recovered: isResume)
        }
        for command in waiting { handle(command) }
    }

    /// The home shard has attached this connection: deliveries follow.
    func attachedThere(_ attached: AttachedSession) {
        guard case .attaching(let request, let waiting) = attachment else { return }
        attachment = .there(request.session, shard: request.session.shard)
        presence.isSessionIdle = false
        sendReady(attached, recovered: attached.reason == nil)
        for command in waiting { handle(command) }
    }

    private func sendReady(_ attached: AttachedSession, recovered: Bool) {
        tokens.begin(
            attached.session, conversation: attached.conversation,
            running: attached.running)
        send(
            ServerFrames.ready(
                ServerFrames.Ready(
                    attached, recovered: recovered, token: makeToken(), of: shard.context)))
    }

    // MARK: Tokens

    private func makeToken() -> ResumeTokenIssuer.Token {
        let token = tokens.issue(to: subject, of: shard.context, now: shard.loop.now)
        armTimer()
        return token
    }

    /// The conversation goes on from another response: the token is to say so.
    func refreshToken(conversation: ConversationPlace?, running: ResumeClaims.Running?) {
        guard tokens.note(conversation: conversation, running: running) else {
            return
        }
        sendToken()
    }

    private func sendToken() {
        let token = makeToken()
        send(ServerFrames.token(token.text, expiresInSeconds: token.expiresInSeconds))
    }

    // MARK: Sending

    /// True when log events can be written now: the socket is clear and nothing waits before them.
    var isReadyForLog: Bool { outbox.isEmpty && socket?.isClear == true }

    /// True when the outbox waits for nothing but the end of the turn.
    var isGathering: Bool { (outbox.isEmpty || waitsForTurnEnd) && socket?.isClear == true }

    /// Writes log events; only when `isReadyForLog`.
    func sendLog(_ frame: inout OutgoingFrame) {
        guard socket?.send(&frame) == .sent else { return }
        shard.metrics.framesSent.increment()
        shard.metrics.sentBytes.increment(by: frame.count)
    }

    func askForWritable() {
        // The turn's end asks the session by itself.
        if !waitsForTurnEnd { socket?.askForWritable() }
    }

    func send(_ frame: [UInt8], _ kind: Outbox.Kind) {
        guard socket?.isOpen == true else { return }
        guard !outbox.isOverfull else { return close(.slowReader) }
        put(frame, kind)
    }

    /// Sends log events after the frames that wait; only when `isGathering`.
    func gather(_ events: [UInt8]) { put(events, .events) }

    /// Log events of a session elsewhere; they are bounded by the credit that its shard keeps.
    func deliver(_ frame: [UInt8]) {
        guard socket?.isOpen == true else { return }
        put(frame, .delivery)
    }

    /// Keeps a frame for the end of the turn, unless there is enough for one that goes at once.
    private func put(_ frame: [UInt8], _ kind: Outbox.Kind) {
        outbox.put(frame, kind)
        // Also where the frames go out below: what follows them in the log goes out then.
        if !waitsForTurnEnd {
            waitsForTurnEnd = true
            shard.turnEnd.flushLater(self)
        }
        let limit = shard.context.configuration.delivery.frameBytes
        if outbox.bytes >= limit || outbox.isOverfull { _ = flushOutbox() }
    }

    /// Writes what this turn has brought, then what came to the log behind it.
    func turnEnds() {
        waitsForTurnEnd = false
        if flushOutbox() { attachment.readerIsClear(id) }
    }

    /// Writes what waits, several frames in one; false when the socket will not take more.
    private func flushOutbox() -> Bool {
        while !outbox.isEmpty {
            guard let socket, socket.isOpen else { return false }
            guard socket.isClear else {
                socket.askForWritable()
                return false
            }
            let limit = shard.context.configuration.delivery.frameBytes
            var count = 0
            let sent = shard.scratch.lend { frame in
                count = outbox.gather(into: &frame, limit: limit)
                guard socket.send(&frame) == .sent else { return false }
                shard.metrics.framesSent.increment()
                shard.metrics.sentBytes.increment(by: frame.count)
                return true
            }
            guard sent else { return false }
            attachment.acknowledge(outbox.removeFirst(count), of: id, from: shard)
        }
        return true
    }

    // MARK: Faults

    private func fault(_ error: ClientFrameError) {
        faults += 1
        refuse(error.code, error.message, messageID: error.messageID)
        if faults > shard.context.configuration.limits.errorsPerConnection { close(.tooManyErrors) }
    }

    private func refuse(
        _ code: GatewayErrorCode, _ message: String, retryAfter: Duration? = nil,
        messageID: String? = nil
    ) {
        shard.metrics.errors[code.rawValue].increment()
        send(ServerFrames.error(code, message, retryAfter: retryAfter, messageID: messageID))
    }

    func close(_ reason: CloseReason) {
        if let error = reason.error { shard.metrics.errors[error.rawValue].increment() }
        // The client is to read first why.
        if waitsForTurnEnd { _ = flushOutbox() }
        socket?.close(reason.code, reason.text)
    }

    // MARK: Time

    /// Arms for whatever comes first: the next ping, a fresh token, leaving.
    private func armTimer() {
        timer?.arm(at: presence.next(before: tokens.refreshAt, now: shard.loop.now))
    }

    private func timerFired() {
        guard let socket, socket.isOpen else { return }
        let now = shard.loop.now
        switch presence.duty(now: now, lastHeard: socket.lastHeard) {
        case .leave: close(.restart)
        case _ where attachment.isNone: close(.helloTimeout)
        case .giveUp: close(.silent)
        case .ping:
            socket.ping()
            if now >= tokens.refreshAt { sendToken() }
            armTimer()
        }
    }

    // MARK: Drain

    /// Tells the client to go elsewhere, and goes itself when the time has come and nothing runs.
    func drain(after delay: Duration) {
        send(ServerFrames.goingAway(reconnectAfter: delay))
        presence.departure = shard.loop.now + delay
        if attachment.isNone { presence.isSessionIdle = true }
        armTimer()
        leaveIfIdle()
    }

    /// Nothing runs in the session and everything has been written: the connection may leave.
    func sessionIsIdle() {
        presence.isSessionIdle = true
        leaveIfIdle()
    }

    private func leaveIfIdle() {
        if presence.isOver(now: shard.loop.now) { close(.restart) }
    }
}
