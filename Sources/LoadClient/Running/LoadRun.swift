/// Drives one scenario on one thread: sockets and timers in, measurements out.
///
/// The loop decides nothing about the protocol (``MessageComposer``, ``StreamChecker``) nor about
/// arrivals (``ArrivalSchedule``); it connects, sends, reads and remembers. Bounded by the scenario's times.
package final class LoadRun {
    enum Timer {
        case start(session: Int)
        case due(session: Int, serial: UInt32)
        case reconnect(session: Int, reader: Int, serial: UInt32)
        case slowRead(token: UInt64)
        case storm
    }

    enum Stage: String {
        case ramp
        case warmup
        case measured
        case drain
    }

    let scenario: Scenario
    let settings: RunSettings
    let target: TargetURL
    let address: SocketAddress
    let tls: TLSClient?
    let poller: Poller
    let signals: SignalWatch
    let composer: any MessageComposer
    let sampler: ProcessSampler?
    var schedule: ArrivalSchedule
    var random: SplitMix64
    var timers = TimerHeap<Timer>()
    var sessions: [LoadSession] = []
    /// By descriptor.
    var connections: [Connection?] = []
    var connectionSerial: UInt32 = 0
    var openingCount = 0
    var openCount = 0
    var sourceCounter = 0
    /// Readers whose turn to connect has not come, first come first served.
    var connectQueue: [(reader: Reader, dueAt: UInt64)] = []
    var connectQueueStart = 0
    let buffer: UnsafeMutableRawBufferPointer
    /// The time at which the bytes in hand were read.
    var now: UInt64
    let startedAt: UInt64
    let startedWallSeconds: Int
    var stage = Stage.ramp
    var stageEndsAt: UInt64
    var stop: RunReport.Stop?
    /// The signal that ended the run.
    var interruptedBy: Int32?
    var measurements: Measurements
    var timeline = Timeline()
    var violations: [RunReport.ViolationRecord] = []
    var violationCount = 0
    var meter: UsageMeter
    var activeCount = 0
    var lastProgressAt: UInt64
    var nextQuietCheck: UInt64 = 0
    /// Counters at the last sample, and the sample itself.
    var sampled = Measurements.Counters()
    var sampledAt: UInt64
    var newest = Timeline.Sample()
    var peakConnections = 0
    var peakClientCPU = 0.0
    var everReady = false
    /// Messages that were due, and not sent when the measured time was over.
    var unsentCount = 0
    var lastConnectFailure = ""
    /// Whoever breaks a promise is there, too.
    var wasReached: Bool { everReady || violationCount > 0 }

    static let bufferBytes = 256 << 10
    static let tick: UInt64 = 1_000_000_000
    /// Failed attempts of each session after which nobody is waited for; with their pauses three to six seconds.
    static let firstAttempts = 6
    /// Attempts that take long need not be so many.
    static let patience: UInt64 = 10_000_000_000

    /// Resolves the target and prepares everything; nothing is connected yet.
    package init(_ scenario: Scenario, _ settings: RunSettings) throws(LoadError) {
        self.scenario = scenario
        self.settings = settings
        do throws(TargetURL.Failure) {
            target = try TargetURL(scenario.url, defaultPath: scenario.wireProtocol.defaultPath)
        } catch {
            throw .configuration(error.description)
        }
        let limit = FileAccess.raiseDescriptorLimit()
        guard scenario.connections + 32 <= limit else {
            throw .configuration(
                "\(scenario.connections) connections need more than the \(limit) descriptors"
                    + " this process may open (ulimit -n)")
        }
        do throws(SystemError) {
            address = try SocketAddress.resolve(host: target.host, port: target.port)
            poller = try Poller()
            signals = try SignalWatch()
            try poller.add(signals.fd, .read, token: UInt64(signals.fd))
        } catch {
            throw .unavailable(error.description)
        }
        do throws(TLSClient.Failure) {
            tls =
                target.isSecure
                ? try TLSClient(
                    host: target.host, isVerifying: settings.isVerifyingTLS,
                    authorityFile: settings.authorityFile) : nil
        } catch {
            throw .configuration(error.description)
        }
        composer = scenario.wireProtocol.makeComposer(scenario, auth: settings.auth)
        sampler = settings.serverPID.map { ProcessSampler(pid: $0) }
        guard sampler == nil || sampler?.read() != nil else {
            throw .configuration("--server-pid: there is no such process here")
        }
        // Known before the run, not after an hour of it.
        if sampler == nil,
            let threshold = scenario.thresholds.first(where: { $0.metric.hasPrefix("server.") })
        {
            throw .configuration("thresholds: \(threshold.metric) needs --server-pid")
        }
        measurements = Measurements(following: scenario.followedLatency)
        schedule = ArrivalSchedule(scenario)
        random = SplitMix64(seed: UInt64(scenario.seed))
        buffer = .allocate(byteCount: Self.bufferBytes, alignment: 16)
        now = MonotonicClock.now
        startedAt = now
        lastProgressAt = now
        sampledAt = now
        startedWallSeconds = MonotonicClock.wallSeconds
        stageEndsAt = now + UInt64(scenario.rampSeconds * 1e9)
        meter = UsageMeter(sampler: sampler, now: now)
    }

    deinit { buffer.deallocate() }

    /// Runs to the end, whichever comes: the time, the last response, a signal, a violation.
    package func run() -> RunReport {
        Timing.tighten()
        prepareSessions()
        var nextTick = startedAt + Self.tick
        let progressInterval = settings.progress.interval
        while stop == nil {
            now = MonotonicClock.now
            fireTimers()
            startQueuedConnects()
            if now >= nextTick {
                takeSample()
                sweep()
                checkReach()
                nextTick = now + Self.tick
            }
            if let progressInterval, now - lastProgressAt >= progressInterval { showProgress() }
            advanceStage()
            let next = min(nextTick, timers.soonest ?? .max, stageEndsAt)
            // A queue of connects moves on when one of them is decided, so it needs no time-out.
            let limit: UInt64 = stage == .drain ? 5_000_000 : 100_000_000
            poller.wait(timeout: next > now ? min(next - now, limit) : 0) { token, ready in
                handle(token: token, ready)
            }
        }
        return finish()
    }

    private func prepareSessions() {
        let step = scenario.rampSeconds * 1e9 / Double(scenario.sessions)
        for index in 0..<scenario.sessions {
            let isSpeaking = scenario.sendsMessages && random.chance(scenario.messages.share)
            let session = LoadSession(index: index, isSpeaking: isSpeaking)
            session.readers = (0..<scenario.readers).map { makeReader(session, $0) }
            sessions.append(session)
            timers.add(.start(session: index), at: startedAt + UInt64(step * Double(index)))
        }
        if scenario.storm.everySeconds > 0 {
            timers.add(.storm, at: stageEndsAt + UInt64(scenario.storm.everySeconds * 1e9))
        }
    }

    func makeReader(_ session: LoadSession, _ index: Int) -> Reader {
        Reader(
            session: session, index: index,
            checker: scenario.wireProtocol.makeChecker(
                maximumResponseBytes: scenario.limits.responseBytes, sha256: Digest.sha256),
            transcriptBytes: scenario.limits.transcriptBytes,
            isSlow: random.chance(scenario.slow.share))
    }

    private func fireTimers() {
        // Bounded, so that sockets get their turn in between.
        for _ in 0..<1_024 {
            guard let timer = timers.popDue(now: now) else { return }
            fire(timer.payload, due: timer.at)
        }
    }

    private func fire(_ timer: Timer, due: UInt64) {
        switch timer {
        case .start(let index):
            guard stage != .drain else { return }
            let session = sessions[index]
            session.hasStarted = true
            let talkFrom = scenario.messages.duringRamp ? now : startedAt + scenario.rampNanoseconds
            if session.isSpeaking {
                let first = schedule.first(session: index, start: talkFrom)
                // A closed loop has one due time for each message that may be on its way.
                let count = schedule.isOpen ? 1 : scenario.messages.inFlight
                session.due = Array(repeating: first, count: count)
                timers.add(.due(session: index, serial: session.timerSerial), at: first)
            }
            ask(toConnect: session.readers[0], dueAt: due)
        case .due(let index, let serial):
            let session = sessions[index]
            if session.timerSerial == serial { sendDue(session) }
        case .reconnect(let index, let readerIndex, let serial):
            let reader = sessions[index].readers[readerIndex]
            if reader.timerSerial == serial, reader.connection == nil {
                ask(toConnect: reader, dueAt: due)
            }
        case .slowRead(let token): slowRead(token)
        case .storm: storm()
        }
    }

    private func advanceStage() {
        // Looks at every session, so not at every turn of the loop.
        if activeCount == 0, now >= nextQuietCheck {
            nextQuietCheck = now + 5_000_000
            if stage == .drain, sessions.allSatisfy(\.isQuiet) {
                stop = stop ?? .finished
                return
            }
            if stage == .measured, isAllSaid { stageEndsAt = min(stageEndsAt, now) }
        }
        guard now >= stageEndsAt else { return }
        switch stage {
        case .ramp:
            stage = .warmup
            stageEndsAt += UInt64(scenario.warmupSeconds * 1e9)
            advanceStage()
        case .warmup:
            stage = .measured
            measurements.isMeasuring = true
            meter.begin(measurements.counters, now: now)
            stageEndsAt = now + UInt64(scenario.durationSeconds * 1e9)
        case .measured:
            stage = .drain
            countUnsent()
            meter.end(measurements.counters, now: now)
            stageEndsAt = now + UInt64(scenario.drainSeconds * 1e9)
            hurrySlowReaders()
        case .drain:
            reportUnfinished()
            stop = stop ?? .finished
        }
    }

    /// Every session has sent what it had to say and been answered.
    private var isAllSaid: Bool {
        let limit = scenario.messages.perSession
        guard limit > 0, scenario.sendsMessages else { return false }
        return sessions.allSatisfy {
            !$0.isSpeaking || $0.hasGivenUp
                || ($0.messagesSent >= limit && $0.inFlight.isEmpty)
        }
    }
}

extension Scenario {
    var rampNanoseconds: UInt64 { UInt64(rampSeconds * 1e9) }
}

extension RunSettings.Progress {
    var interval: UInt64? {
        switch self {
        case .none: nil
        case .lines: 5_000_000_000
        case .terminal: 500_000_000
        }
    }
}
