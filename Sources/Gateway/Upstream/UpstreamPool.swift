import Configuration
import EventLoop
import GatewayCore
import Synchronization
import Telemetry
import Upstream

/// The upstreams of the whole process: who serves which attempt, and how they are doing.
///
/// The decisions are `UpstreamPoolState`'s, behind one lock that every attempt takes twice. Whoever waits
/// for a place on another shard gets it through that shard's mailbox.
final class UpstreamPool: Sendable {
    /// One upstream, as the configuration knows it.
    struct Entry: Sendable {
        let name: String
        let server: UpstreamServer
        /// What models are called there.
        let models: [String: String]

        /// What `model` is called there; nil when it keeps its name.
        func replacement(for model: String?) -> String? {
            guard !models.isEmpty else { return nil }
            return model.flatMap { models[$0] } ?? models["*"]
        }
    }

    let upstreams: [Entry]
    private let state: Mutex<UpstreamPoolState>
    private let mailboxes: [Mailbox<ShardMessage>]

    init(
        _ configuration: GatewayConfiguration, mailboxes: [Mailbox<ShardMessage>]
    ) throws(UpstreamError) {
        self.mailboxes = mailboxes
        let fallback = configuration.fallback
        func models(_ name: String) -> [String: String] {
            Dictionary(
                fallback.models.filter { $0.upstream == name }.map { ($0.model, $0.replacement) },
                uniquingKeysWith: { first, _ in first })
        }
        let concurrency = configuration.upstream.concurrency
        let primary = FallbackConfiguration.primary
        var upstreams = [
            Entry(
                name: primary,
                server: try UpstreamServer(UpstreamServer.Options(configuration.upstream)),
                models: models(primary))
        ]
        var members = [
            UpstreamPoolState.Member(
                name: primary, rank: 0, weight: fallback.primaryWeight, concurrency: concurrency)
        ]
        for other in fallback.upstreams {
            let options = UpstreamServer.Options(other, reachedLike: configuration.upstream)
            upstreams.append(
                Entry(
                    name: other.name, server: try UpstreamServer(options),
                    models: models(other.name)))
            members.append(
                UpstreamPoolState.Member(
                    name: other.name, rank: other.rank, weight: other.weight,
                    concurrency: concurrency))
        }
        self.upstreams = upstreams
        state = Mutex(
            UpstreamPoolState(
                members: members, breaker: CircuitBreaker.Settings(configuration.breaker),
                queueLimit: configuration.upstream.queue,
                queueTimeout: configuration.upstream.queueTimeout,
                maximumPause: configuration.upstream.maximumRetryAfter))
    }

    // MARK: Places

    func acquire(
        _ ticket: UpstreamPoolState.Ticket, pinned: Int?, tried: Set<Int>, now: Instant
    ) -> UpstreamPoolState.Admission {
        let random = draw()
        return telling {
            $0.acquire(ticket, pinned: pinned, tried: tried, now: now, random: random)
        }
    }

    func poll(_ ticket: UpstreamPoolState.Ticket, now: Instant) -> UpstreamPoolState.Admission {
        let random = draw()
        return telling { $0.poll(ticket, now: now, random: random) }
    }

    /// What decides among upstreams; a system call, and nothing to decide where there is one.
    private func draw() -> UInt64 {
        upstreams.count > 1 ? UInt64.random(in: .min ... .max) : 0
    }

    /// Asks the state, and tells those who wait what that means for them.
    private func telling<Answer: Sendable>(
        _ ask: (inout UpstreamPoolState) -> Answer
    ) -> Answer {
        let (answer, notices) = state.withLock { state in (ask(&state), state.takeNotices()) }
        for notice in notices {
            mailboxes[notice.ticket.shard].send(.upstreamNotice(notice))
        }
        return answer
    }

    /// Gives up waiting; false when a place or a refusal is on its way.
    func leave(_ ticket: UpstreamPoolState.Ticket, now: Instant) -> Bool {
        let random = draw()
        return telling { $0.leave(ticket, now: now, random: random) }
    }

    func release(
        _ grant: UpstreamPoolState.Grant, _ outcome: CircuitBreaker.Outcome,
        retryAfter: Duration? = nil, isAnswered: Bool, now: Instant
    ) {
        let random = draw()
        telling {
            $0.release(
                grant, outcome, retryAfter: retryAfter, isAnswered: isAnswered, now: now,
                random: random)
        }
    }

    /// The grant that is to be given back, now that its answer has begun.
    func prove(
        _ grant: UpstreamPoolState.Grant, isSlow: Bool, now: Instant
    ) -> UpstreamPoolState.Grant {
        guard grant.isProbe else { return grant }
        let random = draw()
        return telling { $0.prove(grant, isSlow: isSlow, now: now, random: random) }
    }

    func observe(
        _ head: UpstreamResponseHead, of member: Int, answering grant: UpstreamPoolState.Grant?,
        now: Instant
    ) {
        state.withLock { $0.observe(head, of: member, answering: grant, now: now) }
    }

    func sendAgain(_ grant: UpstreamPoolState.Grant, now: Instant) -> UpstreamPoolState.Grant {
        state.withLock { $0.sendAgain(grant, now: now) }
    }

    func note(_ streaming: UpstreamStreaming, of member: Int, for model: String) {
        state.withLock { $0.note(streaming, of: member, for: model) }
    }

    func streaming(of member: Int, for model: String) -> UpstreamStreaming {
        state.withLock { $0.streaming(of: member, for: model) }
    }

    /// The place of an upstream with this name.
    func member(named name: String) -> Int? { upstreams.firstIndex { $0.name == name } }

    // MARK: For operators

    func isUsable(now: Instant) -> Bool { state.withLock { $0.isUsable(now: now) } }

    private func statuses<Value>(
        _ value: @Sendable (UpstreamPoolState.Status) -> Value
    ) -> [Value] {
        state.withLock { $0.members }.map(value)
    }

    /// A line for each upstream, for `/readyz`.
    func report(now: Instant) -> String {
        statuses { $0 }.map { status in
            let word =
                switch status.breaker.state {
                case .closed: "closed"
                case .open(let until): until <= now ? "probing" : "open"
                case .halfOpen: "probing"
                }
            return "upstream \(status.member.name) breaker=\(word) in_flight=\(status.inFlight)\n"
        }.joined()
    }

    func register(in registry: MetricRegistry) {
        let names = upstreams.map(\.name)
        func observe(
            _ name: String, _ help: String, _ kind: MetricDefinition.Kind = .gauge,
            _ value: @escaping @Sendable (UpstreamPoolState.Status) -> Double?
        ) {
            registry.observe(name, help, kind, label: "upstream", values: names) {
                [weak self] in self?.statuses(value) ?? []
            }
        }
        observe(
            "gateway_upstream_breaker_state", "Breaker: 0 closed, 1 lets probes through, 2 open."
        ) { status in
            switch status.breaker.state {
            case .closed: 0
            case .halfOpen: 1
            case .open: 2
            }
        }
        observe("gateway_upstream_breaker_openings_total", "Times the breaker opened.", .counter) {
            Double($0.breaker.totalOpenings)
        }
        observe("gateway_upstream_in_flight", "Attempts at the upstream that are running now.") {
            Double($0.inFlight)
        }
        observe(
            "gateway_upstream_ratelimit_remaining_requests",
            "Requests that are left, as upstream's headers say."
        ) { $0.limits.requests.remaining.map { Double($0) } }
        observe(
            "gateway_upstream_ratelimit_limit_requests",
            "The limit of requests, as upstream's headers say."
        ) { $0.limits.requests.limit.map { Double($0) } }
        observe(
            "gateway_upstream_ratelimit_remaining_tokens",
            "Tokens that are left, as upstream's headers say."
        ) { $0.limits.tokens.remaining.map { Double($0) } }
        observe(
            "gateway_upstream_ratelimit_limit_tokens",
            "The limit of tokens, as upstream's headers say."
        ) { $0.limits.tokens.limit.map { Double($0) } }
        registry.observe(
            "gateway_upstream_queue", "Responses that wait for a place at an upstream.", .gauge
        ) { [weak self] in
            self.map { pool in Double(pool.state.withLock { $0.queueLength }) }
        }
    }
}
