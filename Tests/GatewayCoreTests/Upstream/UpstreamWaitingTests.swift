import Testing

@testable import GatewayCore

/// What becomes of those who wait for a place while an upstream asks for a pause, or is left alone.
@Suite("Waiting for a place at an upstream")
struct UpstreamWaitingTests {
    private static let start = Instant(nanoseconds: 0)

    /// A pool in which nobody waits longer than ten seconds.
    private struct World {
        var pool: UpstreamPoolState

        init(members: Int = 1, unreachable: Int = 0, concurrency: Int = 1) {
            var breaker = CircuitBreaker.Settings()
            breaker.unreachable = unreachable
            pool = UpstreamPoolState(
                members: (0..<members).map {
                    .init(name: "u\($0)", rank: 0, concurrency: concurrency)
                },
                breaker: breaker, queueLimit: 10, queueTimeout: .seconds(10),
                maximumPause: .seconds(60))
        }

        mutating func ask(
            _ number: UInt64, at time: Duration = .zero, pinned: Int? = nil
        ) -> UpstreamPoolState.Admission {
            pool.acquire(
                .init(shard: 0, number: number), pinned: pinned, tried: [],
                now: UpstreamWaitingTests.start + time,
                random: 0)
        }

        mutating func poll(_ number: UInt64, at time: Duration) -> UpstreamPoolState.Admission {
            pool.poll(
                .init(shard: 0, number: number), now: UpstreamWaitingTests.start + time, random: 0)
        }

        mutating func leave(_ number: UInt64, at time: Duration) -> Bool {
            pool.leave(
                .init(shard: 0, number: number), now: UpstreamWaitingTests.start + time, random: 0)
        }

        mutating func release(
            _ outcome: CircuitBreaker.Outcome = .neutral, member: Int = 0, pause: Duration? = nil,
            at time: Duration
        ) {
            pool.release(
                .init(member: member, isProbe: false), outcome, retryAfter: pause,
                isAnswered: true, now: UpstreamWaitingTests.start + time, random: 0)
        }

        mutating func notices() -> [String] {
            pool.takeNotices().map { notice in
                switch notice.word {
                case .granted(let grant): "\(notice.ticket.number) at u\(grant.member)"
                case .refused(.paused(let rest)): "\(notice.ticket.number) paused \(rest)"
                case .refused(.open(let rest)): "\(notice.ticket.number) open \(rest ?? .zero)"
                case .refused(let refusal): "\(notice.ticket.number) \(refusal)"
                case .look: "\(notice.ticket.number) looks"
                }
            }
        }
    }

    @Test("a pause that outlasts the time of one that waits refuses it", arguments: -1...1)
    func outlasted(offset: Int64) {
        var world = World()
        _ = world.ask(1)
        #expect(world.ask(2, at: .seconds(4)) == .queued(pollAt: nil))
        // It waits up to second 14; the other one up to 15.
        #expect(world.ask(3, at: .seconds(5)) == .queued(pollAt: nil))
        let pause = Duration.seconds(8) + .nanoseconds(offset)
        world.release(pause: pause, at: .seconds(6))
        guard offset > 0 else {
            #expect(world.notices() == ["2 looks"])
            #expect(
                world.poll(2, at: .seconds(6)) == .queued(pollAt: Self.start + .seconds(6) + pause))
            return
        }
        #expect(world.notices() == ["2 paused \(pause)", "3 looks"])
        #expect(world.leave(2, at: .seconds(6)) == false)
        #expect(world.pool.queueLength == 1)
    }

    @Test("while another upstream may still serve it one waits on, unless it is tied to that one")
    func others() {
        var world = World(members: 2)
        for number in 1...2 { _ = world.ask(UInt64(number)) }
        _ = world.ask(3)
        _ = world.ask(4, pinned: 0)
        world.release(pause: .seconds(20), at: .zero)
        #expect(world.notices() == ["4 paused 20.0 seconds", "3 looks"])
        world.release(member: 1, at: .seconds(1))
        #expect(world.notices() == ["3 at u1"])
    }

    @Test("a breaker that opens refuses those that wait, as it refuses those that come")
    func opened() {
        var world = World(unreachable: 1)
        _ = world.ask(1)
        _ = world.ask(2)
        world.release(.unreachable, at: .zero)
        #expect(world.notices() == ["2 open 5.0 seconds"])
        #expect(world.ask(3) == .refused(.open(retryAfter: .seconds(5))))
    }

    @Test(
        "what waited already when a shorter pause began goes on at its end, though nothing else comes"
    )
    func shortPause() {
        var world = World()
        _ = world.ask(1)
        for number in 2...4 { #expect(world.ask(UInt64(number)) == .queued(pollAt: nil)) }
        world.release(pause: .seconds(2), at: .zero)
        #expect(world.notices() == ["2 looks"], "one looks for all")
        #expect(world.poll(2, at: .zero) == .queued(pollAt: Self.start + .seconds(2)))
        // It gives up, and the next one looks in its place.
        #expect(world.leave(2, at: .seconds(1)) == true)
        #expect(world.notices() == ["3 looks"])
        #expect(world.poll(3, at: .seconds(1)) == .queued(pollAt: Self.start + .seconds(2)))
        #expect(
            world.poll(3, at: .seconds(2)) == .granted(.init(member: 0, isProbe: false)))
        #expect(
            world.notices().isEmpty, "the slot is taken: its end is what the last one waits for")
        world.release(pause: .seconds(3), at: .seconds(3))
        #expect(world.notices() == ["4 looks"])
    }

    @Test("when the first gives up at the very end of the pause, the next one goes on")
    func handsOnTheLook() {
        var world = World()
        _ = world.ask(1)
        for number in 2...3 { _ = world.ask(UInt64(number)) }
        world.release(pause: .seconds(10), at: .zero)
        _ = world.poll(2, at: .zero)
        _ = world.notices()
        #expect(world.leave(2, at: .seconds(10)) == true)
        #expect(world.notices() == ["3 at u0"])
    }

    @Test("so does one whose only free upstream is left alone, when that is tried again")
    func reopened() {
        var world = World(members: 2, unreachable: 1)
        for number in 1...2 { _ = world.ask(UInt64(number)) }
        _ = world.ask(3)
        world.release(.unreachable, at: .zero)
        #expect(world.notices() == ["3 looks"])
        #expect(world.poll(3, at: .zero) == .queued(pollAt: Self.start + .seconds(5)))
        guard case .granted(let grant) = world.poll(3, at: .seconds(5)) else {
            Issue.record("no probe")
            return
        }
        #expect(grant.isProbe && grant.member == 0)
    }

    @Test(
        "a probe of before the last opening says nothing", arguments: ["answers", "is cut", "ends"])
    func staleProbe(what: String) throws {
        var world = World(unreachable: 1, concurrency: 9)
        _ = world.ask(1)
        world.release(.unreachable, at: .zero)
        func probe(_ number: UInt64, _ time: Duration) throws -> UpstreamPoolState.Grant {
            guard case .granted(let grant) = world.ask(number, at: time), grant.isProbe else {
                throw NoProbe()
            }
            return grant
        }
        let first = try probe(2, .seconds(5))
        let now = Self.start + .seconds(6)
        let proven = world.pool.prove(first, isSlow: false, now: now, random: 0)
        let stale = try probe(3, .seconds(6))
        // The first one breaks off: the breaker opens again, for ten seconds.
        world.pool.release(proven, .failure, isAnswered: true, now: now, random: 0)
        _ = try probe(4, .seconds(16))
        let later = Self.start + .seconds(17)
        switch what {
        case "answers": _ = world.pool.prove(stale, isSlow: false, now: later, random: 0)
        case "is cut": world.pool.release(stale, .failure, isAnswered: true, now: later, random: 0)
        default: world.pool.release(stale, .neutral, isAnswered: false, now: later, random: 0)
        }
        #expect(
            world.pool.members[0].breaker.state == .halfOpen(succeeded: 0, isProbing: true))
        guard case .refused(.open) = world.ask(5, at: .seconds(17)) else {
            Issue.record("two probes at a time")
            return
        }
    }

    private struct NoProbe: Error {}

    @Test("the answer to a probe lets the next one through, to one that waits first")
    func proven() {
        var world = World(unreachable: 1, concurrency: 2)
        _ = world.ask(1)
        _ = world.ask(2)
        world.release(.unreachable, at: .zero)
        let later = Self.start + .seconds(5)
        guard case .granted(let probe) = world.ask(3, at: .seconds(5)) else {
            Issue.record("no probe")
            return
        }
        #expect(world.ask(4, at: .seconds(5)) == .refused(.open(retryAfter: .seconds(5))))
        let proven = world.pool.prove(probe, isSlow: false, now: later, random: 0)
        #expect(world.pool.prove(proven, isSlow: true, now: later, random: 0) == proven)
        // The slot of the other call that had begun before is still taken.
        #expect(world.ask(5, at: .seconds(5)) == .queued(pollAt: nil))
        world.pool.release(
            proven, .success, isAnswered: true, now: later, random: 0)
        #expect(world.notices() == ["5 at u0"])
        #expect(
            world.pool.members[0].breaker.state == .halfOpen(succeeded: 1, isProbing: true))
    }
}
