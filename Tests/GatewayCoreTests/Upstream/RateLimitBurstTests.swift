import GatewayCore
import Testing

/// Bursts at an upstream with a request limit, whose answers come in any order.
@Suite("Bursts at a request limit")
struct RateLimitBurstTests {
    /// One upstream with a bucket of requests, and a pool that knows it by its answers only.
    private struct World {
        static let limit = 40
        static let refill = Duration.milliseconds(500)

        var pool = UpstreamPoolState(
            members: [.init(name: "a", rank: 0, concurrency: 1_000)], breaker: .init(),
            queueLimit: 1_000, queueTimeout: .seconds(3_600), maximumPause: .seconds(60))
        var generator: SeededGenerator
        var now = Instant(nanoseconds: 0)
        /// When the bucket is full.
        var fullAt = Instant(nanoseconds: 0)
        /// Sent, and not yet with upstream.
        var sent: [UpstreamPoolState.Grant] = []
        /// Answered, and not yet with the pool.
        var answers: [(grant: UpstreamPoolState.Grant, head: UpstreamResponseHead)] = []
        var waiting: [UInt64] = []
        var pollAt: Instant?
        var accepted = 0
        var refused = 0
        var asked: UInt64 = 0

        mutating func ask() {
            asked += 1
            take(
                asked,
                pool.acquire(
                    .init(shard: 0, number: asked), pinned: nil, tried: [], now: now,
                    random: generator.next()), isNew: true)
        }

        private mutating func take(
            _ number: UInt64, _ admission: UpstreamPoolState.Admission, isNew: Bool
        ) {
            switch admission {
            case .granted(let grant):
                waiting.removeAll { $0 == number }
                sent.append(grant)
            case .queued(let pollAt):
                if isNew { waiting.append(number) }
                self.pollAt = pollAt
            case .refused: Issue.record("refused by the pool")
            }
        }

        /// Whoever waits looks again when it was told to.
        mutating func poll() {
            if let first = waiting.first {
                take(
                    first,
                    pool.poll(
                        .init(shard: 0, number: first), now: now, random: generator.next()),
                    isNew: false)
            }
            for notice in pool.takeNotices() {
                guard case .granted(let grant) = notice.word else { continue }
                waiting.removeAll { $0 == notice.ticket.number }
                sent.append(grant)
            }
        }

        /// One of those on their way reaches upstream.
        mutating func accept() {
            guard !sent.isEmpty else { return }
            let grant = sent.remove(at: Int(generator.next() % UInt64(sent.count)))
            let full = Self.refill * Self.limit
            let left = max(.zero, fullAt - now)
            if full - left < Self.refill {
                refused += 1
            } else {
                accepted += 1
                fullAt = now + left + Self.refill
            }
            let missing = fullAt - now
            let remaining = (full - missing).nanoseconds / Self.refill.nanoseconds
            answers.append(
                (
                    grant,
                    UpstreamResponseHead(
                        status: 200,
                        fields: [
                            .init(name: "x-ratelimit-limit-requests", value: "\(Self.limit)"),
                            .init(name: "x-ratelimit-remaining-requests", value: "\(remaining)"),
                            .init(
                                name: "x-ratelimit-reset-requests",
                                value: "\(missing.nanoseconds / 1_000_000)ms"),
                        ])
                ))
        }

        /// One of the answers on their way reaches the pool, which has many threads to be late on.
        mutating func observe() {
            guard !answers.isEmpty else { return }
            let answer = answers.remove(at: Int(generator.next() % UInt64(answers.count)))
            pool.observe(answer.head, of: 0, answering: answer.grant, now: now)
            pool.release(
                answer.grant, .success, isAnswered: true, now: now, random: generator.next())
        }

        mutating func step() {
            now = now + .microseconds(Int64(generator.next() % 5_000))
            switch generator.next() % 3 {
            case 0: accept()
            case 1: observe()
            default: poll()
            }
        }
    }

    @Test("none is refused by upstream, and all get there in time", arguments: 1...200)
    func burst(seed: Int) {
        var world = World(generator: SeededGenerator(seed: UInt64(seed)))
        world.ask()
        while world.accepted < 1 || !world.answers.isEmpty { world.step() }
        for _ in 0..<50 { world.ask() }
        while world.accepted < 51, world.refused == 0, world.now.nanoseconds < 60_000_000_000 {
            world.step()
        }
        #expect(world.refused == 0)
        #expect(world.accepted == 51)
        // Eleven wait for a refill each: somewhat longer is care, much longer a hang.
        #expect(world.now.nanoseconds < 12_000_000_000)
    }
}
