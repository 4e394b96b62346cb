import Configuration
import EventLoop
import GatewayCore
import Telemetry
import Upstream
import WebSocketServer

/// A session on its home shard: the machine that decides, its readers, and the runs that feed it.
///
/// Every entry point ends with `commit`: actions are carried out, then each reader gets what follows its
/// cursor. Readers elsewhere get it through their shard's mailbox.
final class HostedSession {
    private(set) var machine: SessionMachine
    /// Strong, for the price of an unowned reference on each delta; the shard lets go of a session that ends.
    let shard: ShardCore
    private(set) var readers: [SessionReader] = []
    /// Names of the session's responses in the process's index.
    private var names: [String] = []
    private var runs: [Int: UpstreamRun] = [:]
    /// What became of runs that ended before their response was told to have.
    private var stories: [Int: UpstreamStory] = [:]
    /// Background responses that go on at upstream, whatever becomes of this process.
    private var running: [Int: ResumeClaims.Running] = [:]
    /// The upstream that knows the conversation, where upstream keeps it.
    private var conversationMember: Int?
    private var actions: [SessionAction] = []
    private var isCommitting = false
    private var timer: LoopTimer?
    /// What the shard has counted of this session's bytes.
    private var countedBytes = 0
    /// The highest cursor of all readers; while nobody is there, what it was last.
    private var bestCursor = 0
    /// Responses that were opened and have not ended.
    private var inFlight: Set<Int> = []
    private var hasEnded = false

    /// Whose session it is.
    let subject: String
    /// It is one of the OpenAI dialect: native clients cannot attach to it.
    let isDialect: Bool
    /// The machine wants every upstream event as it came.
    let logsEvents: Bool

    init(
        machine: SessionMachine, subject: String, shard: ShardCore,
        isDialect: Bool = false
    ) {
        self.isDialect = isDialect
        logsEvents = machine.logsEvents
        self.machine = machine
        self.subject = subject
        self.shard = shard
        let timer = shard.loop.makeTimer { [unowned self] in tick() }
        self.timer = timer
        armTimer()
    }

    var isDeserted: Bool { readers.isEmpty }

    // MARK: Readers

    /// Attaches a reader at `cursor`, after `greet` has sent what comes before the log.
    func attach(
        _ connection: ConnectionID, _ destination: SessionReader.Destination,
        as form: SessionReader.Form = .native, after cursor: Int, greet: () -> Void = {}
    ) {
        let reader = SessionReader(
            connection: connection, destination: destination, form: form, cursor: cursor)
        readers.append(reader)
        if case .there = destination { shard.remoteReadersChanged(by: 1) }
        greet()
        machine.attach(connection, now: shard.loop.now, actions: &actions)
        commit()
        armTimer()
    }

    func detach(_ connection: ConnectionID) {
        guard let position = readers.firstIndex(where: { $0.connection == connection }) else {
            return
        }
        let reader = readers.remove(at: position)
        machine.detach(connection, now: shard.loop.now)
        if readers.isEmpty {
            shard.sessionDeserted(self)
            // Nobody can come back: the listener is closed.
            if shard.isDraining { drain() }
        }
        commit()
        armTimer()
        if case .there = reader.destination { shard.remoteReadersChanged(by: -1) }
    }

    /// A reader's socket takes bytes again.
    func readerIsClear(_ connection: ConnectionID) {
        guard let reader = readers.first(where: { $0.connection == connection }) else { return }
        offer(to: reader)
        updateFlow()
        if shard.isDraining { tellIdleReaders() }
    }

    /// A reader elsewhere has taken deliveries.
    func delivered(_ connection: ConnectionID, bytes: Int) {
        guard let reader = readers.first(where: { $0.connection == connection }) else { return }
        reader.unacknowledgedBytes -= bytes
        offer(to: reader)
        updateFlow()
        if shard.isDraining { tellIdleReaders() }
    }

    /// While draining: readers that have everything of a session that is at rest may leave.
    func tellIdleReaders() {
        guard !machine.isRunning else { return }
        for reader in readers where reader.cursor == machine.log.lastSequence {
            if machine.isWaiting { continue }
            switch reader.destination {
            case .here(let connection): if connection.isReadyForLog { connection.sessionIsIdle() }
            case .there(let other):
                guard reader.unacknowledgedBytes == 0 else { continue }
                shard.send(.sessionIsIdle(reader.connection), to: other)
            }
        }
    }

    // MARK: Commands

    func receive(_ command: ClientCommand, from connection: ConnectionID) {
        let now = shard.loop.now
        switch command {
        case .message(let message): receive(message, from: connection, now: now)
        case .cancel(let target):
            if !machine.cancel(target, from: connection, now: now, actions: &actions) {
                let code = GatewayErrorCode.responseNotFound
                shard.metrics.errors[code.rawValue].increment()
            }
        case .toolOutput:
            shard.metrics.errors[GatewayErrorCode.toolOutputUnsupported.rawValue].increment()
            send(
                ServerFrames.error(
                    .toolOutputUnsupported, "this gateway runs no client tools"), to: connection)
        case .hello, .ping: break  // The connection's own business.
        }
        commit()
        armTimer()
    }

    /// Lets the OpenAI dialect drive the machine, and carries out what comes of it.
    func drive<Failure: Error, Result>(
        _ body: (inout SessionMachine, Instant, inout [SessionAction]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer {
            commit()
            armTimer()
        }
        return try body(&machine, shard.loop.now, &actions)
    }

    private func receive(
        _ message: ClientCommand.Message, from connection: ConnectionID, now: Instant
    ) {
        guard !shard.isOverMemoryLimit else {
            shard.metrics.messages[.limited].increment()
            shard.metrics.errors[GatewayErrorCode.overloaded.rawValue].increment()
            return send(
                ServerFrames.error(
                    .overloaded, "the logs of all sessions are full (replay.process_bytes)",
                    retryAfter: .seconds(5), messageID: message.id), to: connection)
        }
        let outcome = machine.receive(
            message, from: connection, responseID: RandomID.response(), now: now,
            actions: &actions)
        shard.metrics.messages[MessageResult(outcome)].increment()
        switch outcome {
        case .accepted, .attached: break
        case .conflict:
            shard.metrics.errors[GatewayErrorCode.messageIDConflict.rawValue].increment()
        case .limited(let code), .refused(let code): shard.metrics.errors[code.rawValue].increment()
        }
    }

    /// Ends all running responses because the gateway stops.
    func drain() {
        // Background responses outlive us: the next process goes on with them.
        machine.cancelAll(
            .draining, except: Set(running.keys), now: shard.loop.now, actions: &actions)
        commit()
    }

    // MARK: From the runs

    func upstreamConnected(_ response: Int) {
        machine.upstreamConnected(response, now: shard.loop.now, actions: &actions)
        commit()
    }

    func upstreamConnecting(_ response: Int) {
        machine.upstreamConnecting(response, now: shard.loop.now, actions: &actions)
        commit()
    }

    func upstreamQueued(_ response: Int, until: Instant) {
        machine.upstreamQueued(response, until: until, now: shard.loop.now, actions: &actions)
        commit()
    }

    func upstreamRetrying(_ response: Int, at: Instant, attempt: Int) {
        machine.upstreamRetrying(
            response, at: at, attempt: attempt, now: shard.loop.now, actions: &actions)
        commit()
    }

    /// A background response has its id: from now on a resume token names it.
    func upstreamNamed(_ response: Int, id: String, upstream: String) {
        guard let message = machine.messageID(of: response) else { return }
        running[response] = ResumeClaims.Running(
            response: id, message: message, upstream: upstream)
        refreshTokens()
    }

    func upstreamSilent(_ response: Int) {
        machine.upstreamSilent(response, now: shard.loop.now, actions: &actions)
        commit()
    }

    /// Logs one event; the run commits once for all events of a read.
    func upstream(
        _ response: Int, _ output: ResponsesOutput, data: Span<UInt8>, now: Instant
    ) {
        machine.upstream(response, output, data: data, now: now, actions: &actions)
    }

    /// Upstream has answered with a stream.
    func upstreamAnswered(_ response: Int, _ head: UpstreamResponseHead) {
        machine.upstreamAnswered(response, head)
    }

    /// Logs one event as it came, in a session of the OpenAI dialect; after what the reducer made of it.
    func upstreamEvent(_ response: Int, data: Span<UInt8>, now: Instant) {
        machine.upstreamEvent(response, data: data, now: now, actions: &actions)
    }

    /// From here on the answer is another upstream's.
    func upstreamSeam(_ response: Int, reason: String) {
        machine.upstreamSeam(response, reason: reason)
    }

    func upstreamFailed(_ response: Int, _ error: ResponseError) {
        machine.upstreamFailed(response, error, now: shard.loop.now, actions: &actions)
        commit()
    }

    func runEnded(_ run: UpstreamRun) {
        if !run.isReported { stories[run.response] = run.story }
        if runs[run.response] === run { runs[run.response] = nil }
        // The session's deadline depends on what still runs.
        armTimer()
    }

    // MARK: Carrying out

    /// Carries out what the machine wants, then hands every reader what follows its cursor.
    func commit() {
        // An action's own consequences are appended to the list that is being worked through.
        guard !isCommitting else { return }
        if !actions.isEmpty { carryOutActions() }
        guard !hasEnded else { return }
        for reader in readers { offer(to: reader) }
        updateFlow()
        if shard.isDraining { tellIdleReaders() }
        let change = machine.takeStoredBytesChange()
        countedBytes += change
        shard.sessionBytesChanged(by: change)
    }

    private func carryOutActions() {
        isCommitting = true
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            carryOut(action)
        }
        actions.removeAll(keepingCapacity: true)
        isCommitting = false
    }

    private func carryOut(_ action: SessionAction) {
        switch action {
        case .openUpstream(let response, let request): open(response, request)
        case .closeUpstream(let response):
            let run = runs.removeValue(forKey: response)
            run?.close()
            stories[response] = run?.story
            machine.upstreamClosed(response, now: shard.loop.now, actions: &actions)
        case .pauseUpstream: for run in runs.values { run.pause() }
        case .resumeUpstream: for run in runs.values { run.resume() }
        case .send(let connection, let frame): send(frame, to: connection)
        case .broadcast(let frame):
            for reader in readers { send(frame, to: reader) }
        case .responseEnded(let summary): responseEnded(summary)
        case .responseNamed(let response, let id):
            let name = String(decoding: id, as: UTF8.self)
            names.append(name)
            shard.context.responses.add(
                name,
                ResponseIndex.Owner(
                    subject: subject, member: runs[response]?.member ?? 0, session: machine.id))
        case .expire: shard.endSession(self)
        }
    }

    private func open(_ response: Int, _ request: UpstreamRequestBody) {
        inFlight.insert(response)
        shard.metrics.responsesInFlight.increment()
        let run = UpstreamRun(
            response: response, body: request,
            pinned: request.isTied ? keeper(of: response) : nil, session: self, shard: shard)
        runs[response] = run
        run.start()
        if machine.isPaused { run.pause() }
        // Upstream gets the request before the clients hear of it: each write that wakes a reader takes its time.
        shard.worker.startWaiting()
    }

    /// The upstream that has what a response goes on from.
    private func keeper(of response: Int) -> Int {
        machine.previous(of: response).flatMap {
            shard.context.responses.owner(ofValue: $0)?.member
        }
            ?? conversationMember ?? 0
    }

    /// Goes on with a background response of an earlier process.
    func adopt(_ adopted: ResumeClaims.Running) {
        guard let member = shard.context.pool.member(named: adopted.upstream) else { return }
        let response = machine.adopt(
            message: adopted.message, responseID: RandomID.response(), now: shard.loop.now)
        running[response] = adopted
        inFlight.insert(response)
        shard.metrics.responsesInFlight.increment()
        let run = UpstreamRun(
            response: response, reattachingTo: adopted.response, at: member, session: self,
            shard: shard)
        runs[response] = run
        run.start()
        commit()
        armTimer()
    }

    private func responseEnded(_ summary: ResponseSummary) {
        let number = summary.response
        if inFlight.remove(number) != nil { shard.metrics.responsesInFlight.decrement() }
        let story = runs[number]?.story ?? stories[number]
        runs[number]?.isReported = true
        stories[number] = nil
        running[number] = nil
        if summary.outcome == .completed || summary.outcome == .incomplete {
            conversationMember = story?.member ?? conversationMember
        }
        shard.responseEnded(
            ResponseReport(summary: summary, story: story, session: machine.id))
        refreshTokens()
    }

    /// Gives every reader a token that says from where the session can go on, if its own does not.
    private func refreshTokens() {
        let last = lastUpstreamResponse
        let running = runningResponse
        for reader in readers {
            offer(to: reader)
            switch reader.destination {
            case .here(let connection):
                connection.refreshToken(lastUpstreamResponse: last, running: running)
            case .there(let other):
                shard.send(
                    .refreshToken(
                        reader.connection, lastUpstreamResponse: last, running: running),
                    to: other)
            }
        }
    }

    /// The upstream id that the conversation goes on from, for a resume token.
    var lastUpstreamResponse: String? { machine.lastUpstreamID.flatMap(Self.plain) }

    /// The newest background response that runs, for a resume token.
    var runningResponse: ResumeClaims.Running? {
        running.max { $0.key < $1.key }?.value
    }

    private static func plain(_ raw: [UInt8]) -> String? {
        JSONValue(kind: .string, range: 0..<raw.count).decoded(in: raw.span)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Sending

    private func send(_ frame: [UInt8], to connection: ConnectionID) {
        guard let reader = readers.first(where: { $0.connection == connection }) else { return }
        send(frame, to: reader)
    }

    /// Sends an unnumbered frame after the events that it may speak of.
    func send(_ frame: [UInt8], to reader: SessionReader) {
        offer(to: reader)
        switch reader.destination {
        case .here(let connection): connection.send(frame)
        case .there(let other):
            reader.unacknowledgedBytes += frame.count
            shard.send(.deliver(reader.connection, frame: frame), to: other)
        }
    }

    /// Hands a reader what follows its cursor, one frame at most here, as credit allows elsewhere.
    private func offer(to reader: SessionReader) {
        switch reader.form {
        case .native: break
        case .lines: return offerLines(to: reader)
        case .events(let response): return offerEvents(of: response, to: reader)
        case .whole(let response): return offerWhole(response, to: reader)
        }
        guard reader.cursor < machine.log.lastSequence else { return }
        switch reader.destination {
        case .here(let connection):
            guard connection.isReadyForLog else { return }
            if reader.cursor < machine.log.compactedThrough {
                catchUp(reader)
                guard reader.cursor < machine.log.lastSequence, connection.isReadyForLog else {
                    return
                }
            }
            reader.cursor = shard.render(machine.log, after: reader.cursor)
            shard.withRendered { connection.sendLog(&$0) }
            if reader.cursor < machine.log.lastSequence { connection.askForWritable() }
        case .there(let other):
            while reader.unacknowledgedBytes < SessionReader.creditBytes,
                reader.cursor < machine.log.lastSequence
            {
                catchUp(reader)
                guard reader.cursor < machine.log.lastSequence else { return }
                var frame: [UInt8] = []
                let delivery = shard.context.configuration.delivery
                reader.cursor = machine.log.render(
                    after: reader.cursor, into: &frame, maximumBytes: delivery.frameBytes,
                    mergeAfter: delivery.mergeAfterEvents)
                reader.unacknowledgedBytes += frame.count
                shard.send(.deliver(reader.connection, frame: frame), to: other)
            }
        }
    }

    /// A reader inside the compacted part gets a snapshot that stands for all up to the end.
    private func catchUp(_ reader: SessionReader) {
        guard machine.needsSnapshot(at: reader.cursor) else { return }
        shard.metrics.snapshots.increment()
        reader.cursor = machine.log.lastSequence
        send(machine.snapshotFrame(), to: reader)
    }

    private func updateFlow() {
        var best = -1
        var lowest = Int.max
        for reader in readers {
            best = max(best, reader.cursor)
            lowest = min(lowest, reader.cursor)
        }
        if best >= 0 { bestCursor = best }
        let before = actions.count
        machine.updateFlow(bestCursor: bestCursor, lowestCursor: lowest, actions: &actions)
        if actions.count > before, !isCommitting {
            isCommitting = true
            let flow = actions
            actions.removeAll(keepingCapacity: true)
            for action in flow { carryOut(action) }
            isCommitting = false
            if !actions.isEmpty { commit() }
        }
    }

    // MARK: Time

    private func tick() {
        machine.tick(now: shard.loop.now, actions: &actions)
        commit()
        armTimer()
    }

    private func armTimer() {
        guard let timer else { return }
        if let deadline = machine.nextDeadline { timer.arm(at: deadline) } else { timer.cancel() }
    }

    /// Gives memory back before its time.
    func compactFinished() {
        guard !isCommitting, machine.compactFinished() else { return }
        commit()
    }

    /// Forgets everything.
    ///
    /// Readers are told by whoever ends the session.
    func end() -> [SessionReader] {
        hasEnded = true
        timer?.cancel()
        timer = nil
        for name in names { shard.context.responses.forget(name, in: machine.id) }
        for run in runs.values { run.close(leavesRunning: true) }
        for _ in inFlight { shard.metrics.responsesInFlight.decrement() }
        inFlight = []
        runs = [:]
        shard.sessionBytesChanged(by: -countedBytes)
        countedBytes = 0
        let left = readers
        readers = []
        for reader in left {
            if case .there = reader.destination { shard.remoteReadersChanged(by: -1) }
        }
        return left
    }
}
