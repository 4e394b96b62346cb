import EventLoop
import GatewayCore
import Telemetry
import Upstream
import WebSocketServer

/// A session on its home shard: the machine that decides, its readers, and the runs that feed it.
///
/// What comes in ends with `commit`: actions are carried out, then each reader gets what follows its cursor.
/// Readers elsewhere get it through their shard's mailbox. What a run reads is only taken in (`upstream`,
/// `upstreamEvent`, `upstreamAnswered`, `upstreamNamed`, `upstreamSeam`): the run commits once for all of it, when the
/// turn ends or it fails. What it tells in its own name (`upstreamQueued`, `upstreamFailed`, …) is committed at once.
final class HostedSession {
    private(set) var machine: SessionMachine
    /// Strong, since an unowned reference would be checked on each delta; the shard lets go of a session that ends.
    let shard: ShardCore
    private(set) var readers: [SessionReader] = []
    /// Names of the session's responses in the process's index.
    private var names: [String] = []
    var runs: SessionRuns
    private var actions: [SessionAction] = []
    private var isCommitting = false
    /// One of the actions that are carried out has opened a run.
    private var hasOpened = false
    private var hasEnded = false
    /// A reader was there that wants to leave.
    private(set) var hasLeavingReader = false
    /// The machine wants every upstream event as it came: the session is one of the OpenAI dialect, and native
    /// clients cannot attach to it.
    let logsEvents: Bool
    private var timer: LoopTimer?
    /// What the shard has counted of this session's bytes.
    private var countedBytes = 0
    /// The highest cursor of all readers; while nobody is there, what it was last.
    private var bestCursor = 0

    /// Whose session it is.
    let subject: String

    init(
        machine: SessionMachine, subject: String, shard: ShardCore, conversationMember: Int?
    ) {
        logsEvents = machine.logsEvents
        self.machine = machine
        self.subject = subject
        self.shard = shard
        runs = SessionRuns(metrics: shard.metrics, conversationMember: conversationMember)
        let timer = shard.loop.makeTimer { [unowned self] in tick() }
        self.timer = timer
        armTimer()
    }

    var isDeserted: Bool { readers.isEmpty }
    /// The number of its last desertion: `SessionTable` tells by it whether there was another one since.
    var desertion = 0

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
        reader.isBlocked = false
        offer(to: reader)
        updateFlow()
        tellIdleReaders()
    }

    /// A reader elsewhere has taken deliveries.
    func delivered(_ connection: ConnectionID, bytes: Int) {
        guard let reader = readers.first(where: { $0.connection == connection }) else { return }
        reader.unacknowledgedBytes -= bytes
        offer(to: reader)
        updateFlow()
        tellIdleReaders()
    }

    /// A reader's connection wants to leave as soon as nothing runs: `sessionIsIdle` tells it.
    func readerLeaves(_ connection: ConnectionID) {
        guard let reader = readers.first(where: { $0.connection == connection }) else { return }
        reader.isLeaving = true
        hasLeavingReader = true
        tellIdleReaders()
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

    /// Asks the machine in place: what is asked of a class's property directly is asked of a copy of it, with its
    /// twenty references (decision 52).
    func ask<Answer>(_ question: (inout SessionMachine) -> Answer) -> Answer {
        question(&machine)
    }

    /// Lets the machine take something in; what comes of it is carried out with the next `commit`.
    func hear<Answer>(
        _ news: (inout SessionMachine, inout [SessionAction]) -> Answer
    ) -> Answer {
        news(&machine, &actions)
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
            message, from: connection, responseID: shard.names.response(), now: now,
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
            .draining, except: runs.background, now: shard.loop.now, actions: &actions)
        commit()
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
        tellIdleReaders()
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
        // Not emptied but dropped, with its storage: most sessions have nothing to do most of the time.
        actions = []
        isCommitting = false
        guard hasOpened else { return }
        hasOpened = false
        // Upstream gets the request before the clients hear of it, at the turn's end: each write that wakes a reader
        // takes its time. After all other actions, because a quick upstream answers before this returns.
        shard.worker.startWaiting()
    }

    private func carryOut(_ action: SessionAction) {
        switch action {
        case .openUpstream(let response, let request):
            open(response, request)
            hasOpened = true
        case .closeUpstream(let response):
            let run = runs.take(response)
            run?.close()
            runs.keep(run?.story, of: response)
            machine.upstreamClosed(response, now: shard.loop.now, actions: &actions)
        case .pauseUpstream: for run in runs.all { run.pause() }
        case .resumeUpstream: for run in runs.all { run.resume() }
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

    /// Pauses or resumes the transfers, as far as the readers have come.
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
        if logsEvents, ask({ $0.isReleasedByReader }) { armTimer() }
        if actions.count > before { commit() }
    }

    // MARK: Time

    private func tick() {
        machine.tick(now: shard.loop.now, actions: &actions)
        commit()
        armTimer()
    }

    /// Waits for the machine's next deadline.
    func armTimer() {
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
        for run in runs.all { run.close(leavesRunning: true) }
        runs.removeAll()
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
