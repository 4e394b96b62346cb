import Configuration
import EventLoop
import GatewayCore
import Synchronization
import Telemetry
import WebSocketServer

/// One WebSocket of the OpenAI dialect: one event a frame, lanes, and what the service lacks, resume.
///
///     opened ──fresh, or session found──▶ attached ──close, cut, lifetime──▶ closed
///        └─resume elsewhere─▶ attaching ──▲
final class DialectConnection: WebSocketHandler, SessionClient {
    private static let maximumWaitingCommands = 64

    let id: ConnectionID
    var place: Admission.Place?
    private let subject: String
    private let shard: ShardCore
    private var socket: WebSocket?
    private var attachment = Attachment<DialectCommand>.none
    private var bucket: TokenBucket
    private var faults = 0
    private var timer: LoopTimer?
    /// What waits to be sent before any log event.
    private var outbox = Outbox()
    private var tokens = ResumeTokenIssuer()
    /// When its lifetime ends; nil once it has.
    private var expiresAt: Instant?
    private let resume: ClientCommand.Resume?
    private var presence: Presence

    init(
        shard: ShardCore, id: ConnectionID, place: Admission.Place, subject: String,
        request: HTTPRequest
    ) {
        self.shard = shard
        self.id = id
        self.place = place
        self.subject = subject
        let configuration = shard.context.configuration
        bucket = TokenBucket(
            ratePerSecond: configuration.limits.framesPerSecond,
            burst: configuration.limits.framesBurst, now: shard.loop.now)
        expiresAt = shard.loop.now + configuration.dialect.connectionLifetime
        resume = ClientCommand.Resume(of: request)
        presence = Presence(heartbeat: configuration.server.heartbeat)
    }

    var maximumMessageBytes: Int { shard.context.configuration.limits.messageBytes }

    // MARK: From the socket

    func webSocketOpened(_ socket: WebSocket) {
        self.socket = socket
        shard.connectionOpened(self)
        let timer = shard.loop.makeTimer { [unowned self] in timerFired() }
        self.timer = timer
        armTimer()
        guard let resume else { return beginFresh(reason: nil, continuing: nil) }
        switch shard.admit(resume, subject: subject) {
        case .failure(let refusal): beginFresh(reason: refusal.code, continuing: nil)
        case .success(let claims):
            let request = AttachRequest(
                connection: id, session: claims.session, epoch: claims.epoch,
                after: max(0, resume.after), conversation: nil, running: nil,
                subject: subject,
                isDialect: true)
            attachment = .attaching(request, waiting: [])
            shard.askToAttach(request)
        }
    }

    func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {
        shard.metrics.framesReceived.increment()
        shard.metrics.receivedBytes.increment(by: message.count)
        guard !isBinary else { return close(.notText) }
        switch bucket.take(now: shard.loop.now) {
        case .admitted: break
        case .limited(let wait):
            return refuse(
                DialectError(
                    429, "rate_limit_exceeded", "too many frames a second (limits.frames_per_s)",
                    type: "requests", retryAfter: max(1, Int(wait.seconds.rounded(.up)))), lane: nil
            )
        case .abusive: return close(.rateLimited)
        }
        let depth = shard.context.configuration.limits.jsonDepth
        do throws(DialectError) {
            switch try DialectFrame(parsing: message, maximumDepth: depth) {
            case .create(let request): create(request)
            case .cancel(let target): drive(.cancel(target))
            case .steer(let frame): send(frame)
            }
        } catch {
            faults += 1
            refuse(error, lane: DialectFrame.lane(of: message, maximumDepth: depth))
            if faults > shard.context.configuration.limits.errorsPerConnection {
                close(.tooManyErrors)
            }
        }
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

    private func create(_ request: DialectRequest) {
        if hasExpired { return refuse(.connectionLimit, lane: request.lane) }
        if shard.context.isDraining.load(ordering: .relaxed) {
            return refuse(.draining, lane: request.lane)
        }
        drive(.create(request))
    }

    private func drive(_ command: DialectCommand) {
        switch attachment {
        case .here(let session): session.receive(command, from: id)
        case .there(let session, let other):
            shard.send(.drive(session, id, command), to: other)
        case .attaching:
            guard attachment.keep(command, limit: Self.maximumWaitingCommands) else {
                return refuse(
                    DialectError(
                        429, "rate_limit_exceeded", "too many requests before gateway.session",
                        type: "requests", retryAfter: 1), lane: nil)
            }
        case .none, .closed: break
        }
    }

    private func refuse(_ error: DialectError, lane: [UInt8]?) { send(error.frame(lane: lane)) }

    // MARK: SessionClient

    func beginFresh(reason: GatewayErrorCode?, continuing: ConversationPlace?) {
        guard let session = shard.makeSession(subject: subject, for: .connection) else {
            refuse(.overloaded, lane: nil)
            return close(.overloaded)
        }
        attachHere(
            to: session,
            AttachedSession(
                session: session.machine.id, sequence: 0, reason: reason,
                conversation: nil), isResume: false, after: 0)
    }

    func attachHere(
        to session: HostedSession, _ attached: AttachedSession, isResume: Bool, after: Int
    ) {
        let waiting = attachment.waiting
        attachment = .here(session)
        session.attach(id, .here(self), as: .lines, after: after) {
            sendSession(attached, recovered: isResume)
        }
        for command in waiting { drive(command) }
        if hasExpired { attachment.leave(id, from: shard) }
    }

    func attachedThere(_ attached: AttachedSession) {
        guard case .attaching(let request, let waiting) = attachment else { return }
        attachment = .there(request.session, shard: request.session.shard)
        sendSession(attached, recovered: attached.reason == nil)
        for command in waiting { drive(command) }
        if hasExpired { attachment.leave(id, from: shard) }
    }

    private func sendSession(_ attached: AttachedSession, recovered: Bool) {
        // The tokens name no response: a request says itself what it goes on from.
        tokens.begin(attached.session)
        let configuration = shard.context.configuration
        let token = makeToken()
        send(
            ServerFrames.frame("gateway.session") { frame in
                frame.field("session", attached.session.text)
                frame.field("epoch", shard.context.epoch)
                frame.field("seq", attached.sequence)
                frame.field("resume_token", token.text)
                frame.field("expires_in_s", token.expiresInSeconds)
                frame.field("recovered", recovered)
                if let reason = attached.reason { frame.field("reason", reason.rawValue) }
                frame.append(literal: ",\"limits\":{\"responses_per_connection\":")
                frame.append(decimal: configuration.dialect.responsesPerConnection)
                frame.field("lanes", configuration.dialect.lanes)
                frame.field("waiting", configuration.dialect.waiting)
                frame.field("message_bytes", configuration.limits.messageBytes)
                frame.field(
                    "connection_lifetime_s", Int(configuration.dialect.connectionLifetime.seconds))
                frame.field("resume_window_s", Int(configuration.resume.window.seconds))
                frame.append(UInt8(ascii: "}"))
            })
    }

    private func makeToken() -> ResumeTokenIssuer.Token {
        let token = tokens.issue(to: subject, of: shard.context, now: shard.loop.now)
        armTimer()
        return token
    }

    private func sendToken() {
        let token = makeToken()
        send(
            ServerFrames.frame("gateway.token") { frame in
                frame.field("resume_token", token.text)
                frame.field("expires_in_s", token.expiresInSeconds)
            })
    }

    func refreshToken(conversation: ConversationPlace?, running: ResumeClaims.Running?) {}

    // MARK: Sending

    var isReadyForLog: Bool { outbox.isEmpty && socket?.isClear == true }

    /// Sends events, one a line: each is a message of its own, and all leave in one write.
    func sendLog(_ frame: inout OutgoingFrame) {
        guard !frame.isEmpty else { return }
        shard.scratchMessages.lend { messages in
            messages.append(linesOf: frame)
            write(&messages)
        }
    }

    private func write(_ messages: inout OutgoingMessages) {
        guard socket?.send(&messages) == .sent else { return }
        shard.metrics.framesSent.increment(by: messages.count)
        shard.metrics.sentBytes.increment(by: messages.payloadCount)
    }

    func askForWritable() { socket?.askForWritable() }

    func send(_ frame: [UInt8], _ kind: Outbox.Kind) {
        guard socket?.isOpen == true else { return }
        guard !outbox.isOverfull else { return close(.slowReader) }
        outbox.put(frame, kind)
        _ = flushOutbox()
    }

    /// Events of a session elsewhere come many in one piece, one a line: each becomes its own frame.
    func deliver(_ frame: [UInt8]) {
        guard socket?.isOpen == true else { return }
        var start = 0
        for index in 0...frame.count where index == frame.count || frame[index] == 10 {
            outbox.put(
                Array(frame[start..<index]), index < frame.count ? .deliveredLine : .delivery)
            start = index + 1
        }
        _ = flushOutbox()
    }

    /// Writes what waits; false when the socket will not take more.
    private func flushOutbox() -> Bool {
        let frameBytes = shard.context.configuration.delivery.frameBytes
        var sent = 0
        defer { attachment.acknowledge(outbox.removeFirst(sent), of: id, from: shard) }
        while sent < outbox.count {
            guard let socket, socket.isOpen else { return false }
            guard socket.isClear else {
                socket.askForWritable()
                return false
            }
            shard.scratchMessages.lend { messages in
                repeat {
                    messages.append(outbox[sent].span)
                    sent += 1
                } while sent < outbox.count && messages.payloadCount < frameBytes
                write(&messages)
            }
        }
        return true
    }

    func close(_ reason: CloseReason) { socket?.close(reason.code, reason.text) }

    // MARK: Time

    /// Arms for whatever comes first: the next ping, a fresh token, the end of the lifetime, leaving.
    private func armTimer() {
        let other = expiresAt.map { min($0, tokens.refreshAt) } ?? tokens.refreshAt
        timer?.arm(at: presence.next(before: other, now: shard.loop.now))
    }

    private func timerFired() {
        guard let socket, socket.isOpen else { return }
        let now = shard.loop.now
        switch presence.duty(now: now, lastHeard: socket.lastHeard) {
        case .leave: close(.restart)
        case .giveUp: close(.silent)
        case .ping:
            if let expiresAt, now >= expiresAt { expire() }
            guard socket.isOpen else { return }
            socket.ping()
            if now >= tokens.refreshAt { sendToken() }
            armTimer()
        }
    }

    /// Takes no more requests, and goes once what runs has its end.
    private func expire() {
        expiresAt = nil
        refuse(.connectionLimit, lane: nil)
        attachment.leave(id, from: shard)
    }

    private var hasExpired: Bool { expiresAt == nil }

    // MARK: Drain

    func drain(after delay: Duration) {
        send(
            ServerFrames.frame("gateway.going_away") { frame in
                frame.field("reconnect_after_ms", Int(delay.milliseconds))
            })
        presence.departure = shard.loop.now + delay
        armTimer()
        leaveIfIdle()
    }

    func sessionIsIdle() {
        guard !hasExpired else { return close(.lifetimeOver) }
        presence.isSessionIdle = true
        leaveIfIdle()
    }

    private func leaveIfIdle() {
        if presence.isOver(now: shard.loop.now) { close(.restart) }
    }
}

extension DialectError {
    static let connectionLimit = DialectError(
        400, "websocket_connection_limit_reached",
        "Responses websocket connection limit reached (dialect.connection_lifetime_s). Open a new "
            + "connection.")
}
