import Configuration
import EventLoop
import WebSocketServer

/// The last part of a shard's life: it takes no new work and lets what runs finish, up to a deadline.
///
///     begin ──everybody has left──────────────────────────────▶ stop
///        └──drain.timeout_ms──▶ cancelled ──last words──▶ closed ──▲
final class ShardDrain {
    /// How long after the deadline the last events may take to their readers.
    private static let lastWords = Duration.seconds(1)

    /// Owns the drain.
    private unowned let shard: ShardCore
    private var deadline: LoopTimer?
    private var finish: LoopTimer?
    private var isPastDeadline = false

    init(of shard: ShardCore) { self.shard = shard }

    /// Tells the clients to go, spread over `drain.spread_ms`; the listener is closed already.
    func begin() {
        let configuration = shard.context.configuration.drain
        let timer = shard.loop.makeTimer { [unowned self] in deadlineReached() }
        deadline = timer
        timer.arm(after: configuration.timeout)
        // Nobody can come back to these.
        for session in shard.sessions.all where session.isDeserted { session.drain() }
        let count = max(1, shard.connections.count)
        for (position, connection) in Array(shard.connections.values).enumerated() {
            connection.drain(after: configuration.spread * position / count)
        }
        for session in shard.sessions.all { session.tellIdleReaders() }
        finishIfIdle()
    }

    /// Ends what runs; readers leave by themselves when they have its end, or are closed.
    private func deadlineReached() {
        if isPastDeadline {
            for connection in Array(shard.connections.values) { connection.close(.restart) }
            for exchange in Array(shard.exchanges.values) { exchange.close(.restart) }
        } else {
            isPastDeadline = true
            deadline?.arm(after: Self.lastWords)
            for session in shard.sessions.all { session.drain() }
        }
        finishIfIdle()
    }

    /// Looks whether the drain is over, but not within the call of a session or a socket, which would end with it.
    func finishSoon() {
        guard !shard.isStopping else { return }
        let timer = finish ?? shard.loop.makeTimer { [unowned self] in finishIfIdle() }
        finish = timer
        timer.arm(after: .zero)
    }

    /// Stops the shard when nobody reads from it any more.
    private func finishIfIdle() {
        guard shard.isDeserted else { return }
        shard.stop()
    }

    /// The shard stops.
    func cancel() {
        deadline?.cancel()
        finish?.cancel()
    }
}
