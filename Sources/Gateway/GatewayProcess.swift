import CommandLineOptions
package import Configuration
import EventLoop
import GatewayCore
import Glibc
import Synchronization
package import Telemetry
import Upstream
import WebSocketServer

/// Runs a whole gateway: the control loop on the calling thread, one thread a shard.
///
/// Shards start one after another, since the libraries' start-up is not thread-safe; the first one's port
/// is everyone's. The control loop ends when the last shard has.
package final class GatewayProcess {
    private let configuration: GatewayConfiguration
    private let logger: Logger
    private let loop: EventLoop
    private let shardLoops: [EventLoop]
    private let context: GatewayContext
    private var threads: [LoopThread] = []
    private var stopped = 0
    private var signals: [SignalWatcher] = []
    private var isDraining = false
    private var failure: String?
    /// Called once with the port, as soon as every shard listens.
    package var onListening: ((UInt16) -> Void)?

    /// Prepares a gateway; nothing listens before `run`.
    package init(configuration: GatewayConfiguration, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        signal(SIGPIPE, SIG_IGN)
        EventLoop.returnLargeBlocks()
        let count = configuration.server.shards ?? EventLoop.availableProcessors
        try ProcessLimits.adjustOpenFiles(configuration.server, shards: count)
        try ProcessLimits.requireRandomDevice()
        try CurlGlobal.initialize()
        // A peer's bytes are enough for most of what the library calls an error.
        LibwebsocketsLog.receive { level, line in
            let level: LogLevel = level == .error ? .warn : .debug
            logger.log(level, "libwebsockets", ["message": .text(line)])
        }
        loop = try EventLoop()
        shardLoops = try (0..<count).map { _ in try EventLoop() }
        context = try GatewayContext(
            configuration: configuration, logger: logger,
            mailboxes: shardLoops.map { Mailbox(loop: $0) }, process: Mailbox(loop: loop))
    }

    /// Runs until a signal or `stop` ends it; returns false when it could not start.
    package func run(handlesSignals: Bool = true) -> Bool {
        loop.run(started: {
            context.process.setHandler { [unowned self] message in handle(message) }
            do {
                if handlesSignals { try watchSignals() }
                try startShard(0, port: configuration.server.listen.port)
            } catch {
                fail("\(error)")
            }
        })
        for thread in threads { thread.join() }
        // Shards that were never reached have a loop all the same.
        for loop in shardLoops.dropFirst(threads.count) {
            loop.run(started: { loop.close() })
            _ = loop.destroy()
        }
        _ = loop.destroy()
        if let failure {
            logger.error("gateway failed", ["error.message": .text(failure)])
            return false
        }
        logger.info("gateway stopped")
        return true
    }

    /// A handle to end a running gateway from another thread.
    package var stopper: GatewayStopper { GatewayStopper(context: context) }

    private func watchSignals() throws {
        // A terminal that closes is no reason to cut streams off; `nohup` has it ignored.
        let hangUp = SignalWatcher.isIgnored(SIGHUP) ? [] : [SIGHUP]
        for number in [SIGTERM, SIGINT] + hangUp {
            signals.append(
                try SignalWatcher(loop: loop, signal: number) { [unowned self] in
                    signalled(isHangUp: number == SIGHUP)
                })
        }
    }

    private func signalled(isHangUp: Bool) {
        if isDraining {
            // When a terminal closes, its shell and the kernel send one each.
            guard !isHangUp else { return }
            logger.warn("second signal: stopping at once")
            context.tellAll(.stop)
        } else {
            isDraining = true
            logger.info("draining")
            context.beginDrain()
        }
    }

    private func startShard(_ index: Int, port: UInt16) throws {
        let context = context
        let shardLoop = shardLoops[index]
        let host = configuration.server.listen.host
        let thread = try LoopThread(name: "shard-\(index)") {
            GatewayProcess.runShard(index, on: shardLoop, context: context, host: host, port: port)
        }
        threads.append(thread)
    }

    private static func runShard(
        _ index: Int, on loop: EventLoop, context: GatewayContext, host: String, port: UInt16
    ) {
        var core: ShardCore?
        loop.run(started: {
            do {
                let made = try ShardCore(index: index, loop: loop, context: context)
                core = made
                let port = try made.start(host: host, port: port)
                context.process.send(.started(shard: index, port: port))
            } catch {
                context.process.send(.failed(shard: index, reason: "\(error)"))
                if let core { core.stop() } else { loop.close() }
            }
        })
        core?.finishStopping()
        core = nil
        if !loop.destroy() {
            context.logger.error(
                "handles left on a shard's loop", ["gateway.shard": .integer(index)])
        }
        context.process.send(.stopped(shard: index))
    }

    private func handle(_ message: ProcessMessage) {
        switch message {
        case .started(let shard, let port):
            guard failure == nil else { return }
            if shard + 1 < shardLoops.count {
                do {
                    try startShard(shard + 1, port: port)
                } catch {
                    fail("\(error)")
                }
            } else {
                onListening?(port)
            }
        case .failed(_, let reason): fail(reason)
        case .stopped:
            stopped += 1
            if stopped == threads.count { end() }
        }
    }

    private func fail(_ reason: String) {
        failure = failure ?? reason
        if threads.isEmpty { return end() }
        context.tellAll(.stop)
    }

    private func end() {
        if !signals.isEmpty {
            for watcher in signals { watcher.close() }
            signals = []
            // All is done but for the threads' last steps: an impatient signal is not to spoil the exit code.
            for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_IGN) }
        }
        loop.close()
    }
}

/// Ends a running gateway from any thread.
package struct GatewayStopper: Sendable {
    let context: GatewayContext

    /// As the first SIGTERM: no new work, the rest finishes.
    package func drain() { context.beginDrain() }

    /// As the second: now.
    package func stop() { context.tellAll(.stop) }
}

extension GatewayContext {
    func beginDrain() {
        isDraining.store(true, ordering: .relaxed)
        tellAll(.drain)
    }

    func tellAll(_ message: ShardMessage) {
        for mailbox in mailboxes { mailbox.send(message) }
    }
}
