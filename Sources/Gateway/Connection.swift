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
/// the log, and deliveries from other shards, wait here, in an outbox with a limit.
final class Connection: WebSocketHandler, SessionClient {
    private enum Phase {
        case greeting
        /// The home shard was asked; commands that come meanwhile wait.
        case attaching(AttachRequest, waiting: [ClientCommand])
        case attachedHere(HostedSession)
        case attachedThere(SessionID, shard: Int)
        case closed
    }

    /// One frame that waits.
    private struct Outgoing {
        let frame: [UInt8]
        /// True for what a session elsewhere has sent, and waits to hear of.
        let isDelivery: Bool
    }

    /// Unnumbered frames that may wait for a reader; beyond it the reader is not reading at all.
    static let maximumOutboxBytes = 256 << 10
    /// Commands that may wait for a home shard's answer.
    private static let maximumWaitingCommands = 16

    let id: ConnectionID
    /// Held as long as the socket is there.
    var place: Admission.Place?
    private let shard: ShardCore
    private var socket: WebSocket?
    private var phase = Phase.greeting
    private var subject: String
    private var isAuthorized: Bool
    private var bucket: TokenBucket
    private var faults = 0
    private var timer: LoopTimer?
    /// What waits to be sent before any log event.
    private var outbox: [Outgoing] = []
    /// Bytes in it that are no deliveries.
    private var ownOutboxBytes = 0
    private var tokenRefreshAt = Instant(nanoseconds: .max)
    private var session:
        (id: SessionID, epoch: String, last: String?, running: ResumeClaims.Running?)?
    private let resumeInURL: ClientCommand.Resume?
    /// While the gateway drains: when this connection is to go, if nothing runs on it.
    private var leavesAt: Instant?
    private var isSessionIdle = false

    init(shard: ShardCore, id: ConnectionID, place: Admission.Place, request: HTTPRequest) {
        self.shard = shard
        self.id = id
        self.place = place
        let limits = shard.context.configuration.limits
        bucket = TokenBucket(
            ratePerSecond: limits.framesPerSecond, burst: limits.framesBurst,
            now: shard.loop.now)
        let keys = shard.context.keys
        let name = keys.subject(of: request)
        isAuthorized = name != nil
        subject = name ?? AccessKeys.anonymous
        resumeInURL = request.queryValue("resume").map { token in
            ClientCommand.Resume(
                token: token, after: request.queryValue("after").flatMap { Int($0) } ?? 0)
        }
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
        guard !isBinary else {
            return close(.unsupportedData, "send text frames", code: .invalidFrame)
        }
        switch bucket.take(now: shard.loop.now) {
        case .admitted: break
        case .limited(let retryAfter):
            return refuseForRate(message, retryAfter)
        case .abusive:
            return close(CloseCode(4429), "frames keep coming too fast", code: .rateLimited)
        }
        shard.context.frames.forEachLine(of: message) { line in
            guard socket.isOpen else { return }
            do throws(ClientFrameError) {
                handle(try shard.context.frames.parse(line))
            } catch {
                fault(error)
            }
        }
    }

    /// Refuses a frame that came too soon: each of its messages by its id, so that a client knows what to repeat.
    private func refuseForRate(_ frame: Span<UInt8>, _ retryAfter: Duration) {
        let rate = shard.context.configuration.limits.framesPerSecond
        var messages: [String?] = []
        shard.context.frames.forEachLine(of: frame) { line in
            guard messages.count < Self.maximumWaitingCommands else { return }
            if let id = (try? shard.context.frames.parse(line))?.messageID { messages.append(id) }
        }
        for id in messages.isEmpty ? [nil] : messages {
            refuse(
                .rateLimited, "more than \(rate) frames a second (limits.frames_per_s)",
                retryAfter: retryAfter, messageID: id)
        }
    }

    func webSocketIsClear(_ socket: WebSocket) {
        guard flushOutbox() else { return }
        if case .attachedHere(let session) = phase { session.readerIsClear(id) }
    }

    func webSocketClosed(_ socket: WebSocket) {
        let left = phase
        phase = .closed
        timer?.cancel()
        timer = nil
        self.socket = nil
        switch left {
        case .attachedHere(let session): session.detach(id)
        case .attachedThere(let session, let other): shard.send(.detach(session, id), to: other)
        case .attaching(let request, _):
            // The home shard may have attached it already; it finds nobody to detach otherwise.
            shard.send(.detach(request.session, id), to: request.session.shard)
        case .greeting, .closed: break
        }
        shard.connectionClosed(self, code: socket.closeCode)
    }

    // MARK: Commands

    private func handle(_ command: ClientCommand) {
        if case .ping(let pingID) = command { return send(ServerFrames.pong(id: pingID)) }
        switch phase {
        case .greeting:
            guard case .hello(let hello) = command else {
                send(ServerFrames.error(.helloRequired, "the first frame must be a hello"))
                return close(CloseCode(4400), "hello required", code: .helloRequired)
            }
            if let auth = hello.auth { authorize(auth) }
            greet(hello)
        case .attaching(let request, var waiting):
            if case .hello = command { return refuse(.helloRepeated, "one hello a connection") }
            guard waiting.count < Self.maximumWaitingCommands else {
                return refuse(
                    .rateLimited, "too many commands before ready", retryAfter: .seconds(1),
                    messageID: command.messageID)
            }
            waiting.append(command)
            phase = .attaching(request, waiting: waiting)
        case .attachedHere(let session):
            guard admits(command) else { return }
            session.receive(command, from: id)
        case .attachedThere(let session, let other):
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

    private func authorize(_ secret: String) {
        if let name = shard.context.keys.name(for: secret) {
            isAuthorized = true
            subject = name
        }
    }

    // MARK: Greeting

    private func greet(_ hello: ClientCommand.Hello) {
        guard isAuthorized else {
            send(ServerFrames.error(.unauthorized, "hello.auth is missing or unknown"))
            return close(CloseCode(4401), "unauthorized", code: .unauthorized)
        }
        armTimer()
        guard let resume = hello.resume else { return beginFresh(reason: nil, continuing: nil) }
        switch shard.admit(resume, subject: subject) {
        case .failure(let refusal): beginFresh(reason: refusal.code, continuing: nil)
        case .success(let claims):
            let request = AttachRequest(
                connection: id, session: claims.session, epoch: claims.epoch, after: resume.after,
                lastUpstreamResponse: claims.lastUpstreamResponse, running: claims.running,
                subject: subject)
            phase = .attaching(request, waiting: [])
            if claims.session.shard == shard.index {
                shard.attach(request, from: shard.index)
            } else {
                shard.send(.attach(request), to: claims.session.shard)
            }
        }
    }

    /// Goes on with a session of its own shard.
    func beginFresh(reason: GatewayErrorCode?, continuing: String?) {
        var waiting: [ClientCommand] = []
        if case .attaching(_, let commands) = phase { waiting = commands }
        guard let session = shard.makeSession(subject: subject, continuing: continuing) else {
            send(
                ServerFrames.error(
                    .overloaded, "no room for another session (limits.sessions)",
                    retryAfter: .seconds(5)))
            return close(.tryAgainLater, "overloaded", code: .overloaded)
        }
        attachHere(
            to: session,
            AttachedSession(
                session: session.machine.id, sequence: 0, reason: reason,
                lastUpstreamResponse: continuing),
            isResume: false, after: 0)
        for command in waiting { handle(command) }
    }

    /// Goes on with a session of this shard.
    func attachHere(
        to session: HostedSession, _ attached: AttachedSession, isResume: Bool, after: Int
    ) {
        var waiting: [ClientCommand] = []
        if case .attaching(_, let commands) = phase { waiting = commands }
        phase = .attachedHere(session)
        isSessionIdle = false
        session.attach(id, .here(self), after: after) {
            sendReady(attached, recovered: isResume)
        }
        for command in waiting { handle(command) }
    }

    /// The home shard has attached this connection: deliveries follow.
    func attachedThere(_ attached: AttachedSession) {
        guard case .attaching(let request, let waiting) = phase else { return }
        phase = .attachedThere(request.session, shard: request.session.shard)
        isSessionIdle = false
        sendReady(attached, recovered: attached.reason == nil)
        for command in waiting { handle(command) }
    }

    private func sendReady(_ attached: AttachedSession, recovered: Bool) {
        let configuration = shard.context.configuration
        // Who may not name a model has no choice among them.
        let mayChoose = configuration.options.allow.contains("model")
        session = (
            attached.session, shard.context.epoch, attached.lastUpstreamResponse, attached.running
        )
        let (token, expires) = makeToken()
        send(
            ServerFrames.ready(
                ServerFrames.Ready(
                    session: attached.session.text, epoch: shard.context.epoch,
                    sequence: attached.sequence, resumeToken: token, expiresInSeconds: expires,
                    recovered: recovered, reason: attached.reason,
                    limits: [
                        ("message_bytes", configuration.limits.messageBytes),
                        ("input_bytes", configuration.limits.inputBytes),
                        ("frames_per_s", configuration.limits.framesPerSecond),
                        ("responses_per_connection", configuration.limits.responsesPerConnection),
                        ("responses_per_session", configuration.limits.responsesPerSession),
                        ("resume_window_s", Int(configuration.resume.window.seconds)),
                    ],
                    heartbeatSeconds: Int(configuration.server.heartbeat.seconds),
                    allowedOptions: configuration.options.allow,
                    defaultModel: configuration.options.defaultModel,
                    models: mayChoose ? shard.context.requests.models : OfferedModels())))
    }

    // MARK: Tokens

    private func makeToken() -> (token: String, expiresIn: Int) {
        guard let session else { return ("", 0) }
        let lifetime = shard.context.configuration.resume.tokenLifetime
        // Refreshed well before it expires, also for a client that is away when it would be.
        tokenRefreshAt = shard.loop.now + lifetime / 2
        armTimer()
        let token = shard.context.tokens.sign(
            session: session.id, epoch: session.epoch, subject: subject, last: session.last,
            running: session.running, lifetime: lifetime)
        return (token, Int(lifetime.seconds))
    }

    /// The conversation goes on from another upstream response: the token is to say so.
    func refreshToken(lastUpstreamResponse: String?, running: ResumeClaims.Running?) {
        guard let session, session.last != lastUpstreamResponse || session.running != running
        else { return }
        self.session?.last = lastUpstreamResponse
        self.session?.running = running
        sendToken()
    }

    private func sendToken() {
        let (token, expires) = makeToken()
        send(ServerFrames.token(token, expiresInSeconds: expires))
    }

    // MARK: Sending

    /// True when log events can be written now: the socket is clear and nothing waits before them.
    var isReadyForLog: Bool { outbox.isEmpty && socket?.isClear == true }

    /// Writes log events; only when `isReadyForLog`.
    func sendLog(_ frame: inout OutgoingFrame) {
        guard socket?.send(&frame) == .sent else { return }
        shard.metrics.framesSent.increment()
        shard.metrics.sentBytes.increment(by: frame.count)
    }

    func askForWritable() { socket?.askForWritable() }

    /// Sends a frame that is not in the log, after those that wait.
    func send(_ frame: [UInt8]) {
        guard socket?.isOpen == true else { return }
        guard ownOutboxBytes <= Self.maximumOutboxBytes else {
            return close(CloseCode(4410), "reads too slowly", code: .slowReader)
        }
        outbox.append(Outgoing(frame: frame, isDelivery: false))
        ownOutboxBytes += frame.count
        _ = flushOutbox()
    }

    /// Frames of a session elsewhere; they are bounded by the credit that its shard keeps.
    func deliver(_ frame: [UInt8]) {
        guard socket?.isOpen == true else { return }
        outbox.append(Outgoing(frame: frame, isDelivery: true))
        _ = flushOutbox()
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
            let sent = shard.withScratch { frame in
                repeat {
                    if count > 0 { frame.bytes.append(UInt8(ascii: "\n")) }
                    frame.bytes.append(contentsOf: outbox[count].frame)
                    count += 1
                } while count < outbox.count && frame.count + outbox[count].frame.count < limit
                guard socket.send(&frame) == .sent else { return false }
                shard.metrics.framesSent.increment()
                shard.metrics.sentBytes.increment(by: frame.count)
                return true
            }
            guard sent else { return false }
            var delivered = 0
            for sent in outbox[..<count] {
                if sent.isDelivery {
                    delivered += sent.frame.count
                } else {
                    ownOutboxBytes -= sent.frame.count
                }
            }
            // Without its storage: nearly always nothing waits.
            if count == outbox.count { outbox = [] } else { outbox.removeFirst(count) }
            if delivered > 0 { acknowledge(delivered) }
        }
        return true
    }

    /// Gives credit back to a session elsewhere.
    private func acknowledge(_ bytes: Int) {
        guard case .attachedThere(let session, let other) = phase else { return }
        shard.send(.delivered(session, id, bytes: bytes), to: other)
    }

    // MARK: Faults

    private func fault(_ error: ClientFrameError) {
        faults += 1
        refuse(error.code, error.message, messageID: error.messageID)
        guard faults > shard.context.configuration.limits.errorsPerConnection else { return }
        close(
            CloseCode(4400), "too many faulty frames (limits.errors_per_connection)",
            code: .tooManyErrors)
    }

    private func refuse(
        _ code: GatewayErrorCode, _ message: String, retryAfter: Duration? = nil,
        messageID: String? = nil
    ) {
        shard.metrics.errors[code.rawValue].increment()
        send(ServerFrames.error(code, message, retryAfter: retryAfter, messageID: messageID))
    }

    private func close(_ closeCode: CloseCode, _ reason: String, code: GatewayErrorCode) {
        shard.metrics.errors[code.rawValue].increment()
        close(closeCode, reason)
    }

    func close(_ closeCode: CloseCode, _ reason: String) {
        socket?.close(closeCode, reason)
    }

    // MARK: Time

    /// Arms for whatever comes first: the next ping, a fresh token, leaving.
    private func armTimer() {
        let now = shard.loop.now
        let beat = Heartbeat.next(
            after: now, every: shard.context.configuration.server.heartbeat)
        var next = min(beat, tokenRefreshAt)
        if let leavesAt, leavesAt > now { next = min(next, leavesAt) }
        timer?.arm(at: next)
    }

    private func timerFired() {
        let now = shard.loop.now
        leaveIfIdle()
        guard let socket, socket.isOpen else { return }
        if case .greeting = phase {
            return close(CloseCode(4408), "no hello in time", code: .helloTimeout)
        }
        let heartbeat = shard.context.configuration.server.heartbeat
        if now >= socket.lastHeard + heartbeat + heartbeat {
            // No close frame would be read by a peer that is gone: cut when it does not answer.
            return close(CloseCode(4409), "nothing heard for two heartbeats")
        }
        socket.ping()
        if now >= tokenRefreshAt { sendToken() }
        armTimer()
    }

    // MARK: Drain

    /// Tells the client to go elsewhere, and goes itself when the time has come and nothing runs.
    func drain(after delay: Duration) {
        send(ServerFrames.goingAway(reconnectAfter: delay))
        leavesAt = shard.loop.now + delay
        if case .greeting = phase { isSessionIdle = true }
        armTimer()
        leaveIfIdle()
    }

    /// Nothing runs in the session and everything has been written: the connection may leave.
    func sessionIsIdle() {
        isSessionIdle = true
        leaveIfIdle()
    }

    private func leaveIfIdle() {
        guard isSessionIdle, let leavesAt, shard.loop.now >= leavesAt else { return }
        close(.serviceRestart, "the gateway restarts")
    }
}
