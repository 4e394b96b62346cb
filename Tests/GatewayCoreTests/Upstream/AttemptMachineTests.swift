import Testing

@testable import GatewayCore

@Suite("Attempts at a response")
struct AttemptMachineTests {
    private static let busy = AttemptFailure(
        .serverError, .again,
        ResponseError(code: "upstream_http_status", message: "503", isRetryable: true))
    private static let key = AttemptFailure(
        .refused, .elsewhere,
        ResponseError(code: "upstream_http_status", message: "401", isRetryable: false))
    private static let mistake = AttemptFailure(
        .rejected, .final,
        ResponseError(code: "upstream_http_status", message: "400", isRetryable: false))
    private static let cut = AttemptFailure(
        .cut, .again, ResponseError(code: "upstream_truncated", message: "eof", isRetryable: true))

    private static func failed(
        _ failure: AttemptFailure, budget: Bool = true
    ) -> AttemptMachine.Event {
        .failed(failure, random: 0, hasBudget: budget)
    }

    private static func machine(_ members: Int = 1) -> AttemptMachine {
        AttemptMachine(policy: RetryPolicy(), memberCount: members)
    }

    @Test("one upstream: fails twice, pauses, answers")
    func retries() {
        var machine = Self.machine()
        #expect(machine.handle(.start) == .acquire(tried: []))
        #expect(machine.handle(.granted(0)) == .open(0))
        #expect(machine.handle(.connected) == .none)
        #expect(machine.handle(Self.failed(Self.busy)) == .backOff(.milliseconds(500)))
        #expect(machine.handle(.timer) == .acquire(tried: []))
        #expect(machine.handle(.granted(0)) == .open(0))
        #expect(machine.handle(Self.failed(Self.busy)) == .backOff(.seconds(1)))
        #expect(machine.handle(.timer) == .acquire(tried: []))
        #expect(machine.handle(.granted(0)) == .open(0))
        #expect(machine.handle(.connected) == .none)
        #expect(machine.handle(.output) == .none)
        #expect(machine.state == .streaming)
        #expect(machine.handle(.finished) == .none)
        #expect(machine.isEnded && machine.attempts == 3)
        #expect(machine.handle(Self.failed(Self.busy)) == .none)
    }

    @Test("the third failure is the last")
    func givesUp() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        for _ in 0..<2 {
            _ = machine.handle(.granted(0))
            _ = machine.handle(Self.failed(Self.busy))
            _ = machine.handle(.timer)
        }
        _ = machine.handle(.granted(0))
        #expect(!machine.wouldRetry(Self.busy))
        #expect(machine.handle(Self.failed(Self.busy)) == .fail(Self.busy.error))
        #expect(machine.handle(.timer) == .none)
    }

    @Test("another upstream is tried at once, then the pause")
    func fallback() {
        var machine = Self.machine(2)
        _ = machine.handle(.start)
        _ = machine.handle(.granted(0))
        #expect(machine.handle(Self.failed(Self.key)) == .acquire(tried: [0]))
        #expect(machine.handle(.granted(1)) == .open(1))
        #expect(machine.handle(Self.failed(Self.busy)) == .backOff(.seconds(1)))
        #expect(machine.handle(.timer) == .acquire(tried: []))
    }

    @Test("the other upstreams are unusable: back to the first, with a pause")
    func fallbackUnusable() {
        var machine = Self.machine(2)
        _ = machine.handle(.start)
        _ = machine.handle(.granted(0))
        _ = machine.handle(Self.failed(Self.busy))
        #expect(
            machine.handle(.refused(.exhausted)) == .backOff(.milliseconds(500)))
        var other = Self.machine(2)
        _ = other.handle(.start)
        _ = other.handle(.granted(0))
        _ = other.handle(Self.failed(Self.key))
        #expect(other.handle(.refused(.exhausted)) == .fail(Self.key.error), "never again there")
    }

    @Test("what is final ends at once; so does a spent budget, and what has been seen")
    func final() {
        for (failure, budget, output) in [
            (Self.mistake, true, false), (Self.busy, false, false), (Self.cut, true, true),
        ] {
            var machine = Self.machine(3)
            _ = machine.handle(.start)
            _ = machine.handle(.granted(0))
            _ = machine.handle(.connected)
            if output { _ = machine.handle(.output) }
            #expect(machine.handle(Self.failed(failure, budget: budget)) == .fail(failure.error))
            #expect(machine.isEnded)
        }
    }

    @Test("nothing is usable: an error at once")
    func refused() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        guard case .fail(let error) = machine.handle(.refused(.open(retryAfter: .seconds(4))))
        else {
            Issue.record("went on")
            return
        }
        #expect(error.code == "upstream_unavailable" && error.retryAfter == .seconds(4))
    }

    @Test("a background response is reattached to, as long as something new comes")
    func reattaches() {
        var machine = Self.machine(2)
        _ = machine.handle(.start)
        _ = machine.handle(.granted(1))
        _ = machine.handle(.connected)
        _ = machine.handle(.named)
        _ = machine.handle(.output)
        for _ in 0..<100 {
            #expect(
                machine.handle(Self.failed(Self.cut, budget: false)) == .backOff(.zero))
            #expect(machine.handle(.timer) == .reattach(1))
            #expect(machine.handle(.connected) == .none)
            #expect(machine.handle(.progressed) == .none)
        }
        for _ in 0..<8 {
            guard case .backOff = machine.handle(Self.failed(Self.cut)) else {
                Issue.record("gave up early")
                return
            }
            #expect(machine.handle(.timer) == .reattach(1))
        }
        #expect(machine.handle(Self.failed(Self.cut)) == .fail(Self.cut.error))
    }

    @Test("a response of an earlier process is reattached to, and nowhere else")
    func adopts() {
        var machine = AttemptMachine.reattaching(
            to: 0, shared: Shared(RetryPolicy()), memberCount: 2)
        #expect(machine.handle(.start) == .reattach(0))
        #expect(machine.handle(Self.failed(Self.mistake)) == .fail(Self.mistake.error))
    }

    @Test(
        "a response of an earlier process is not asked for again: its request is gone",
        arguments: [false, true])
    func adoptedHasNoRequest(isBackingOff: Bool) {
        var machine = AttemptMachine.reattaching(
            to: 0, shared: Shared(RetryPolicy()), memberCount: 2)
        #expect(machine.handle(.start) == .reattach(0))
        #expect(!machine.mayNeedRequest)
        if isBackingOff {
            #expect(machine.handle(Self.failed(Self.cut)) == .backOff(.zero))
            #expect(machine.handle(.unnamed) == .none)
            #expect(machine.handle(.timer) == .fail(Self.cut.error))
        } else {
            #expect(machine.handle(.unnamed) == .none)
            #expect(!machine.wouldRetry(Self.busy))
            #expect(machine.handle(Self.failed(Self.busy)) == .fail(Self.busy.error))
        }
        #expect(machine.isEnded)
    }

    @Test("the request may be needed until output is shown")
    func needsRequest() {
        var machine = Self.machine(2)
        #expect(machine.mayNeedRequest)
        _ = machine.handle(.start)
        _ = machine.handle(.granted(0))
        _ = machine.handle(.connected)
        #expect(machine.mayNeedRequest)
        _ = machine.handle(.output)
        #expect(!machine.mayNeedRequest)
        #expect(machine.handle(Self.failed(Self.cut)) == .fail(Self.cut.error))
        #expect(!machine.mayNeedRequest)
    }

    @Test(
        "and longer where another upstream could go on with the answer",
        arguments: [(0, 2), (1, 1), (1, 2), (1, 3)])
    func needsRequestForSeam(seams: Int, members: Int) {
        var policy = RetryPolicy()
        policy.maximumSeams = seams
        var machine = AttemptMachine(policy: policy, memberCount: members)
        for event in [AttemptMachine.Event.start, .granted(0), .connected, .output] {
            _ = machine.handle(event)
        }
        #expect(machine.mayNeedRequest == (seams == 1 && members > 1))
        guard machine.mayNeedRequest else { return }
        let cut = AttemptMachine.Event.failed(
            Self.cut, random: 0, hasBudget: true, isContinuable: true)
        #expect(machine.handle(cut) == .acquire(tried: [0]))
        #expect(machine.mayNeedRequest)
        #expect(machine.handle(.granted(1)) == .goOn(at: 1))
        #expect(machine.mayNeedRequest)
        _ = machine.handle(.output)
        #expect(!machine.mayNeedRequest, "one seam is all")
    }

    @Test("cancel is final in every state")
    func cancel() {
        let steps: [AttemptMachine.Event] = [
            .start, .granted(0), .connected, .named, .output, Self.failed(Self.cut),
        ]
        for count in 0...steps.count {
            var machine = Self.machine()
            for step in steps.prefix(count) { _ = machine.handle(step) }
            #expect(machine.handle(.cancel) == .none)
            for step in steps + [.timer, .finished, .refused(.queueFull), .queueTimedOut] {
                #expect(machine.handle(step) == .none, "after \(count) steps")
            }
        }
    }
}

/// Whole outages in virtual time: many responses, one pool, seeded upstreams.
@Suite("Policies together")
struct ResilienceSimulationTests {
    /// One event of the virtual world.
    private enum Step {
        case arrive(Int)
        case granted(Int, UpstreamPoolState.Grant)
        case refused(Int, UpstreamPoolState.Refusal)
        case ends(Int)
        case backOffOver(Int)
        case poll(Int)
        case queueDeadline(Int)
    }

    private struct World {
        var generator: SeededGenerator
        var pool: UpstreamPoolState
        var budget: RetryBudget
        var machines: [Int: AttemptMachine] = [:]
        var grants: [Int: UpstreamPoolState.Grant] = [:]
        var waiting: Set<Int> = []
        var queue: [(at: Instant, order: Int, step: Step)] = []
        var order = 0
        var now = Instant(nanoseconds: 0)
        var completed = 0
        var failed = 0
        var calls = [0, 0]
        var mostInFlight = 0
        var responses = 0
        /// How likely an attempt at a member fails now.
        var failing: (Int, Instant) -> Double

        mutating func at(_ instant: Instant, _ step: Step) {
            order += 1
            queue.append((instant, order, step))
        }

        mutating func take(_ response: Int, _ action: AttemptMachine.Action) {
            switch action {
            case .none: break
            case .acquire(let tried):
                let ticket = UpstreamPoolState.Ticket(shard: 0, number: UInt64(response))
                let admission = pool.acquire(
                    ticket, pinned: nil, tried: tried, now: now, random: generator.next())
                tellWaiters()
                admitted(response, admission, isFirst: true)
            case .open(let member), .goOn(let member), .reattach(let member):
                calls[member] += 1
                mostInFlight = max(mostInFlight, pool.members.map(\.inFlight).max() ?? 0)
                at(
                    now + .milliseconds(Int.random(in: 50...500, using: &generator)),
                    .ends(response))
            case .backOff(let pause): at(now + pause, .backOffOver(response))
            case .fail:
                failed += 1
                machines[response] = nil
            }
        }

        mutating func admitted(
            _ response: Int, _ admission: UpstreamPoolState.Admission, isFirst: Bool
        ) {
            switch admission {
            case .granted(let grant):
                waiting.remove(response)
                begin(response, grant)
            case .queued(let pollAt):
                waiting.insert(response)
                if isFirst { at(now + .seconds(2), .queueDeadline(response)) }
                if let pollAt { at(pollAt, .poll(response)) }
            case .refused(let refusal):
                waiting.remove(response)
                handle(response, .refused(refusal))
            }
        }

        mutating func begin(_ response: Int, _ grant: UpstreamPoolState.Grant) {
            grants[response] = grant
            handle(response, .granted(grant.member))
        }

        mutating func handle(_ response: Int, _ event: AttemptMachine.Event) {
            guard let action = machines[response]?.handle(event) else { return }
            take(response, action)
        }

        mutating func release(_ response: Int, _ outcome: CircuitBreaker.Outcome) {
            guard let grant = grants.removeValue(forKey: response) else { return }
            pool.release(
                grant, outcome, isAnswered: true, now: now, random: generator.next())
            tellWaiters()
        }

        mutating func tellWaiters() {
            for notice in pool.takeNotices() {
                let other = Int(notice.ticket.number)
                switch notice.word {
                case .granted(let grant):
                    waiting.remove(other)
                    at(now, .granted(other, grant))
                case .refused(let refusal):
                    waiting.remove(other)
                    at(now, .refused(other, refusal))
                case .look: at(now, .poll(other))
                }
            }
        }

        mutating func run(_ step: Step) {
            switch step {
            case .arrive(let response):
                if response + 1 < responses { at(now + .milliseconds(10), .arrive(response + 1)) }
                machines[response] = AttemptMachine(policy: RetryPolicy(), memberCount: 2)
                budget.earn(now: now)
                handle(response, .start)
            case .granted(let response, let grant): begin(response, grant)
            case .refused(let response, let refusal): handle(response, .refused(refusal))
            case .ends(let response):
                guard let grant = grants[response] else { return }
                if Double.random(in: 0..<1, using: &generator) < failing(grant.member, now) {
                    let failure = AttemptFailure(
                        .serverError, .again,
                        ResponseError(code: "upstream_http_status", message: "", isRetryable: true))
                    let hasBudget = budget.take(now: now)
                    release(response, .failure)
                    handle(
                        response,
                        .failed(failure, random: generator.next(), hasBudget: hasBudget))
                } else {
                    release(response, .success)
                    completed += 1
                    handle(response, .finished)
                    machines[response] = nil
                }
            case .backOffOver(let response): handle(response, .timer)
            case .poll(let response):
                guard waiting.contains(response) else { return }
                let ticket = UpstreamPoolState.Ticket(shard: 0, number: UInt64(response))
                let admission = pool.poll(ticket, now: now, random: generator.next())
                tellWaiters()
                admitted(response, admission, isFirst: false)
            case .queueDeadline(let response):
                guard waiting.contains(response) else { return }
                let ticket = UpstreamPoolState.Ticket(shard: 0, number: UInt64(response))
                guard pool.leave(ticket, now: now, random: generator.next()) else { return }
                waiting.remove(response)
                tellWaiters()
                handle(response, .queueTimedOut)
            }
        }

        mutating func runAll() {
            while !queue.isEmpty {
                var first = 0
                for index in queue.indices.dropFirst()
                where (queue[index].at, queue[index].order) < (queue[first].at, queue[first].order)
                {
                    first = index
                }
                let next = queue.remove(at: first)
                now = max(now, next.at)
                run(next.step)
            }
        }
    }

    private func world(
        seed: UInt64, concurrency: Int = 40, responses: Int = 2_000,
        failing: @escaping (Int, Instant) -> Double
    ) -> World {
        let start = Instant(nanoseconds: 0)
        var world = World(
            generator: SeededGenerator(seed: seed),
            pool: UpstreamPoolState(
                members: [
                    .init(name: "a", rank: 0, concurrency: concurrency),
                    .init(name: "b", rank: 1, concurrency: concurrency),
                ], breaker: .init(), queueLimit: 50, queueTimeout: .seconds(2),
                maximumPause: .seconds(60)),
            budget: RetryBudget(percent: 20, now: start), failing: failing)
        world.responses = responses
        world.at(start, .arrive(0))
        return world
    }

    @Test("the primary dies for ten seconds: hardly anybody notices", arguments: 1...5)
    func outage(_ seed: Int) {
        var world = world(seed: UInt64(seed), responses: 3_000) { member, now in
            member == 0 && (5..<15).contains(now.seconds) ? 1 : 0
        }
        world.runAll()
        #expect(world.completed + world.failed == 3_000, "every response ends once")
        #expect(world.failed == 0, "seed \(seed)")
        #expect(world.calls[0] > 1_000, "it is used again afterwards")
        #expect(world.pool.members.allSatisfy { $0.inFlight == 0 })
        #expect(world.pool.queueLength == 0)
    }

    @Test("everything is dead: retries make no storm", arguments: 1...5)
    func dead(_ seed: Int) {
        var world = world(seed: UInt64(seed)) { _, _ in 1 }
        world.runAll()
        #expect(world.completed == 0 && world.failed == 2_000)
        // Without breakers and budget it would be three calls for each.
        #expect(world.calls[0] + world.calls[1] < 300, "seed \(seed): \(world.calls)")
    }

    @Test("at the limit the queue is bounded, and slots are never lost", arguments: 1...5)
    func overload(_ seed: Int) {
        var world = world(seed: UInt64(seed), concurrency: 5) { _, _ in 0.05 }
        world.runAll()
        #expect(world.completed + world.failed == 2_000)
        #expect(world.mostInFlight <= 5)
        #expect(world.completed > 500)
        #expect(world.pool.members.allSatisfy { $0.inFlight == 0 })
        #expect(world.pool.queueLength == 0 && world.grants.isEmpty && world.machines.isEmpty)
    }
}

extension Instant {
    fileprivate var seconds: Double { Double(nanoseconds) / 1e9 }
}

@Suite("Pool of upstreams")
struct UpstreamPoolTests {
    private static let now = Instant(nanoseconds: 0)

    private static func pool(
        ranks: [Int], concurrency: Int = 2, queue: Int = 2
    ) -> UpstreamPoolState {
        UpstreamPoolState(
            members: ranks.enumerated().map {
                .init(name: "u\($0.offset)", rank: $0.element, concurrency: concurrency)
            }, breaker: .init(), queueLimit: queue, queueTimeout: .seconds(30),
            maximumPause: .seconds(60))
    }

    private static func ticket(_ number: UInt64) -> UpstreamPoolState.Ticket {
        .init(shard: 0, number: number)
    }

    /// Says that so many of 100 requests are left, all of them again in ten seconds.
    private static func head(_ remaining: Int) -> UpstreamResponseHead {
        UpstreamResponseHead(
            status: 200,
            fields: [
                .init(name: "x-ratelimit-limit-requests", value: "100"),
                .init(name: "x-ratelimit-remaining-requests", value: "\(remaining)"),
                .init(name: "x-ratelimit-reset-requests", value: "10s"),
            ])
    }

    @Test("equals share, the fallback waits for its turn")
    func choice() {
        var pool = Self.pool(ranks: [0, 0, 1], concurrency: 100)
        var generator = SeededGenerator(seed: 3)
        for number in 0..<100 {
            _ = pool.acquire(
                Self.ticket(UInt64(number)), pinned: nil, tried: [], now: Self.now,
                random: generator.next())
        }
        #expect(pool.members.map(\.inFlight) == [50, 50, 0])
    }

    @Test("full members: queue, handover in order, then full")
    func queue() {
        var pool = Self.pool(ranks: [0], concurrency: 1, queue: 2)
        func ask(_ number: UInt64) -> UpstreamPoolState.Admission {
            pool.acquire(Self.ticket(number), pinned: nil, tried: [], now: Self.now, random: 0)
        }
        let grant = UpstreamPoolState.Grant(member: 0, isProbe: false)
        #expect(ask(1) == .granted(grant))
        #expect(ask(2) == .queued(pollAt: nil))
        #expect(ask(3) == .queued(pollAt: nil))
        #expect(ask(4) == .refused(.queueFull))
        #expect(pool.leave(Self.ticket(2), now: Self.now, random: 0) == true)
        #expect(pool.leave(Self.ticket(2), now: Self.now, random: 0) == false)
        pool.release(grant, .success, isAnswered: true, now: Self.now, random: 0)
        // Whose turn it is may ask before the news arrives.
        #expect(pool.takeNotices() == [.init(ticket: Self.ticket(3), word: .granted(grant))])
        #expect(pool.poll(Self.ticket(3), now: Self.now, random: 0) == .queued(pollAt: nil))
        #expect(pool.members[0].inFlight == 1)
    }

    @Test("a pause that upstream asked for delays others too")
    func pause() {
        var pool = Self.pool(ranks: [0])
        let grant = UpstreamPoolState.Grant(member: 0, isProbe: false)
        _ = pool.acquire(Self.ticket(1), pinned: nil, tried: [], now: Self.now, random: 0)
        pool.release(
            grant, .neutral, retryAfter: .seconds(2), isAnswered: true, now: Self.now, random: 0)
        let until = Self.now + .seconds(2)
        #expect(
            pool.acquire(Self.ticket(2), pinned: nil, tried: [], now: Self.now, random: 0)
                == .queued(pollAt: until))
        #expect(pool.poll(Self.ticket(2), now: until, random: 0) == .granted(grant))
    }

    @Test("a pause that is longer than anybody waits refuses others, and has a limit")
    func longPause() {
        var pool = UpstreamPoolState(
            members: [.init(name: "u0", rank: 0, concurrency: 2)], breaker: .init(), queueLimit: 2,
            queueTimeout: .seconds(5), maximumPause: .seconds(20))
        let grant = UpstreamPoolState.Grant(member: 0, isProbe: false)
        func ask(_ number: UInt64, at seconds: Int64) -> UpstreamPoolState.Admission {
            pool.acquire(
                Self.ticket(number), pinned: nil, tried: [], now: Self.now + .seconds(seconds),
                random: 0)
        }
        #expect(ask(1, at: 0) == .granted(grant))
        pool.release(
            grant, .neutral, retryAfter: .seconds(3600), isAnswered: true, now: Self.now, random: 0)
        #expect(ask(2, at: 0) == .refused(.paused(retryAfter: .seconds(20))))
        #expect(ask(3, at: 14) == .refused(.paused(retryAfter: .seconds(6))))
        #expect(ask(4, at: 15) == .queued(pollAt: Self.now + .seconds(20)))
        #expect(pool.leave(Self.ticket(4), now: Self.now + .seconds(15), random: 0) == true)
        #expect(ask(5, at: 20) == .granted(UpstreamPoolState.Grant(member: 0, isProbe: false)))
    }

    @Test("after a pause those who have waited go first, in their order")
    func order() {
        var pool = Self.pool(ranks: [0], concurrency: 2, queue: 5)
        let grant = UpstreamPoolState.Grant(member: 0, isProbe: false)
        func ask(_ number: UInt64, at now: Instant) -> UpstreamPoolState.Admission {
            pool.acquire(Self.ticket(number), pinned: nil, tried: [], now: now, random: 0)
        }
        _ = ask(1, at: Self.now)
        pool.release(
            grant, .neutral, retryAfter: .seconds(2), isAnswered: true, now: Self.now, random: 0)
        let until = Self.now + .seconds(2)
        #expect(ask(2, at: Self.now) == .queued(pollAt: until), "the first looks for all")
        for number in 3...4 { #expect(ask(UInt64(number), at: Self.now) == .queued(pollAt: nil)) }
        // The third of them looks all the same, and somebody new comes at the same time.
        #expect(pool.poll(Self.ticket(4), now: until, random: 0) == .queued(pollAt: nil))
        #expect(
            pool.takeNotices()
                == [2, 3].map { .init(ticket: Self.ticket($0), word: .granted(grant)) })
        #expect(ask(5, at: until) == .queued(pollAt: nil))
        pool.release(grant, .success, isAnswered: true, now: until, random: 0)
        #expect(pool.takeNotices() == [.init(ticket: Self.ticket(4), word: .granted(grant))])
    }

    @Test("a limit that nears spaces attempts, from the answer that says so")
    func spacing() {
        var pool = Self.pool(ranks: [0], concurrency: 100, queue: 5)
        func ask(_ number: UInt64, at now: Instant) -> UpstreamPoolState.Admission {
            pool.acquire(Self.ticket(number), pinned: nil, tried: [], now: now, random: 0)
        }
        var answers = 0
        func granted(after answers: Int) -> UpstreamPoolState.Admission {
            .granted(.init(member: 0, isProbe: false, answeredBefore: answers))
        }
        func observe(_ head: UpstreamResponseHead, at now: Instant) {
            let grant = UpstreamPoolState.Grant(
                member: 0, isProbe: false, answeredBefore: answers)
            answers += 1
            pool.observe(head, of: 0, answering: grant, now: now)
        }
        #expect(ask(1, at: Self.now) == granted(after: 0))
        observe(Self.head(5), at: Self.now)
        #expect(ask(2, at: Self.now) == granted(after: 1), "a twentieth is left")
        observe(Self.head(4), at: Self.now)
        let spaced = Self.now + .nanoseconds(10_000_000_000 / 96)
        #expect(ask(3, at: Self.now) == .queued(pollAt: spaced))
        #expect(pool.poll(Self.ticket(3), now: spaced, random: 0) == granted(after: 2))
        // Nothing is left: others use the same key.
        observe(Self.head(0), at: spaced)
        #expect(ask(4, at: spaced) == .queued(pollAt: spaced + .seconds(1)))
        #expect(
            pool.poll(Self.ticket(4), now: spaced + .seconds(1), random: 0)
                == granted(after: 3))
    }

    @Test("a request that is sent again within its place is counted again, each until its own head")
    func sentAgain() throws {
        var pool = Self.pool(ranks: [0])
        func ask(_ number: UInt64) throws -> UpstreamPoolState.Grant {
            let admission = pool.acquire(
                Self.ticket(number), pinned: nil, tried: [], now: Self.now, random: 0)
            guard case .granted(let grant) = admission else { throw Refused() }
            return grant
        }
        for number in 0..<50 {
            let first = try ask(UInt64(number))
            pool.observe(Self.head(30), of: 0, answering: first, now: Self.now)
            let second = pool.sendAgain(first, now: Self.now)
            pool.observe(Self.head(30), of: 0, answering: second, now: Self.now)
            pool.release(second, .success, isAnswered: true, now: Self.now, random: 0)
            #expect(pool.members[0].limits.requests.remaining == 30)
        }
        // One that is on its way counts: nothing was answered more often than it was sent.
        _ = try ask(50)
        pool.observe(Self.head(20), of: 0, answering: try ask(51), now: Self.now)
        #expect(pool.members[0].limits.requests.remaining == 19)
    }

    private struct Refused: Error {}

    @Test("what a member makes of streams is known by model, of so many at most")
    func streaming() {
        var pool = Self.pool(ranks: [0, 1])
        let limit = UpstreamPoolState.Status.maximumKnownModels
        for number in 0..<limit { pool.note(.refuses, of: 0, for: "m\(number)") }
        #expect(pool.streaming(of: 0, for: "m0") == .refuses)
        #expect(pool.streaming(of: 0, for: "other") == .streams)
        #expect(pool.streaming(of: 1, for: "m0") == .streams)
        pool.note(.answersWhole, of: 0, for: "m0")
        #expect(pool.streaming(of: 0, for: "m0") == .answersWhole)
        pool.note(.streams, of: 0, for: "m0")
        pool.note(.refuses, of: 0, for: "m\(limit)")
        #expect(pool.streaming(of: 0, for: "m1") == .refuses)
        pool.note(.refuses, of: 0, for: "one more")
        #expect(pool.streaming(of: 0, for: "m1") == .streams)
        #expect(pool.streaming(of: 0, for: "one more") == .refuses)
    }

    @Test("a request that is tied to one upstream gets that or nothing")
    func pinned() {
        var pool = Self.pool(ranks: [0, 1])
        let tied = pool.acquire(Self.ticket(1), pinned: 1, tried: [], now: Self.now, random: 0)
        #expect(tied == .granted(.init(member: 1, isProbe: false)))
        #expect(
            pool.acquire(Self.ticket(2), pinned: 1, tried: [1], now: Self.now, random: 0)
                == .refused(.exhausted))
    }
}
