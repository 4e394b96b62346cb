import Testing

@testable import GatewayCore

@Suite("Deadlines of an upstream transfer")
struct UpstreamDeadlinesTests {
    private static let limits: UpstreamDeadlines.Limits = {
        var limits = UpstreamDeadlines.Limits()
        limits.responseHeader = .seconds(60)
        limits.firstEvent = .seconds(50)
        limits.silence = .seconds(40)
        limits.keepaliveSilence = .seconds(100)
        limits.total = .seconds(1000)
        limits.notice = .seconds(10)
        return limits
    }()

    private static func at(_ seconds: Int) -> Instant {
        Instant(nanoseconds: Int64(seconds) * 1_000_000_000)
    }

    private static func begin() -> UpstreamDeadlines {
        UpstreamDeadlines(limits: limits, now: at(0))
    }

    @Test("headers, the first event, silence: one after the other", arguments: [-1, 0])
    func stages(difference: Int) {
        var deadlines = Self.begin()
        func expect(_ second: Int, _ expiry: UpstreamDeadlines.Expiry, _ copy: UpstreamDeadlines) {
            var copy = copy
            let verdict = copy.check(now: Self.at(second + difference))
            if difference < 0 {
                #expect(
                    verdict == .wait(until: Self.at(second))
                        || verdict == .notice(until: Self.at(second)))
            } else {
                #expect(verdict == .expired(expiry))
            }
        }
        expect(60, .responseHeader, deadlines)
        deadlines.receivedHead(now: Self.at(30))
        expect(80, .firstEvent, deadlines)
        deadlines.received(isEvent: false, now: Self.at(70))
        expect(80, .firstEvent, deadlines)
        deadlines.received(isEvent: true, now: Self.at(75))
        expect(115, .silence, deadlines)
        for second in stride(from: 100, through: 150, by: 25) {
            deadlines.received(isEvent: false, now: Self.at(second))
        }
        expect(175, .keepalive, deadlines)
    }

    @Test("the whole takes no longer than its limit, whatever comes")
    func total() {
        var deadlines = Self.begin()
        deadlines.receivedHead(now: Self.at(1))
        for second in stride(from: 2, to: 1000, by: 30) {
            deadlines.received(isEvent: true, now: Self.at(second))
        }
        #expect(deadlines.check(now: Self.at(1000)) == .expired(.total))
    }

    @Test("one notice for each silence, comments or not; none before the first event")
    func notices() {
        var deadlines = Self.begin()
        deadlines.receivedHead(now: Self.at(0))
        #expect(deadlines.check(now: Self.at(20)) == .wait(until: Self.at(50)))
        deadlines.received(isEvent: true, now: Self.at(20))
        #expect(deadlines.check(now: Self.at(20)) == .wait(until: Self.at(30)))
        deadlines.received(isEvent: false, now: Self.at(25))
        #expect(deadlines.check(now: Self.at(30)) == .notice(until: Self.at(65)))
        #expect(deadlines.check(now: Self.at(30)) == .wait(until: Self.at(65)))
        deadlines.received(isEvent: false, now: Self.at(45))
        #expect(deadlines.check(now: Self.at(60)) == .wait(until: Self.at(85)))
        deadlines.received(isEvent: true, now: Self.at(61))
        #expect(deadlines.check(now: Self.at(61)) == .wait(until: Self.at(71)))
        #expect(deadlines.check(now: Self.at(75)) == .notice(until: Self.at(101)))
    }

    @Test("while nothing is read only the last deadline runs; afterwards all count anew")
    func paused() {
        for stage in 0...2 {
            var deadlines = Self.begin()
            if stage > 0 { deadlines.receivedHead(now: Self.at(1)) }
            if stage > 1 { deadlines.received(isEvent: true, now: Self.at(2)) }
            deadlines.paused()
            #expect(deadlines.check(now: Self.at(500)) == .wait(until: Self.at(1000)))
            var late = deadlines
            #expect(late.check(now: Self.at(1000)) == .expired(.total))
            deadlines.resumed(now: Self.at(600))
            let next = [660, 650, 610][stage]
            #expect(deadlines.check(now: Self.at(600)) == .wait(until: Self.at(next)), "\(stage)")
        }
    }

    @Test("a timer that follows the verdicts always moves on, and ends", arguments: 1...300)
    func progress(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var limits = UpstreamDeadlines.Limits()
        func duration() -> Duration { .seconds(Int.random(in: 0...60, using: &random)) }
        limits.responseHeader = duration()
        limits.firstEvent = duration()
        limits.silence = duration()
        limits.keepaliveSilence = duration()
        limits.notice = duration()
        limits.total = .seconds(200)
        var now = Self.at(0)
        var deadlines = UpstreamDeadlines(limits: limits, now: now)
        var notices = 0
        for _ in 0..<2000 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0: deadlines.receivedHead(now: now)
            case 1:
                deadlines.received(isEvent: true, now: now)
                notices = 0
            case 2: deadlines.received(isEvent: false, now: now)
            case 3: deadlines.paused()
            case 4:
                deadlines.resumed(now: now)
                notices = 0
            default: break
            }
            switch deadlines.check(now: now) {
            case .wait(let until):
                #expect(until > now)
                now = Bool.random(using: &random) ? until : now + .milliseconds(700)
            case .notice(let until):
                notices += 1
                #expect(notices == 1, "one for each silence")
                #expect(until > now)
                #expect(deadlines.check(now: now) == .wait(until: until))
            case .expired: return
            }
        }
        Issue.record("never ends")
    }

    @Test(
        "a timer that is set anew only when that is asked for never fires late", arguments: 1...300)
    func punctual(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var limits = UpstreamDeadlines.Limits()
        func duration() -> Duration { .seconds(Int.random(in: 1...60, using: &random)) }
        limits.responseHeader = duration()
        limits.firstEvent = duration()
        limits.firstText = duration()
        limits.silence = duration()
        limits.keepaliveSilence = duration()
        limits.notice = duration()
        limits.total = .seconds(300)
        var now = Self.at(0)
        var deadlines = UpstreamDeadlines(limits: limits, now: now)
        var timer = now
        var hasHead = false
        while true {
            if deadlines.needsCheck || now >= timer {
                switch deadlines.check(now: now) {
                case .wait(let until), .notice(let until): timer = until
                case .expired: return
                }
            }
            var copy = deadlines
            switch copy.check(now: now) {
            case .wait(let until): #expect(timer <= until, "due at \(until), looked at \(timer)")
            case .notice, .expired: Issue.record("due at \(now), looked at \(timer)")
            }
            now = min(timer, now + .milliseconds(Int.random(in: 0...20_000, using: &random)))
            guard now < timer else { continue }
            switch Int.random(in: 0..<8, using: &random) {
            case 0 where !hasHead:
                deadlines.receivedHead(now: now)
                hasHead = true
            case 1...2 where hasHead: deadlines.received(isEvent: true, now: now)
            case 3 where hasHead: deadlines.received(isEvent: false, now: now)
            case 4 where hasHead: deadlines.receivedText()
            case 5: deadlines.paused()
            case 6: deadlines.resumed(now: now)
            default: break
            }
        }
    }
}
