import Testing

@testable import EventLoop

@Suite("A timer wheel")
struct TimerWheelTests {
    @Test(
        "fires each entry at its tick, near and far",
        arguments: [0, 1, 255, 256, 65_791, 16_777_300])
    func firesAtTick(_ tick: UInt64) {
        for start in [UInt64(0), 1, 255, 65_535] {
            var wheel = TimerWheel<Int>(current: start)
            _ = wheel.insert(7, at: start + tick)
            var due: [Int] = []
            if tick > 0 {
                wheel.advance(to: start + tick - 1, due: &due)
                #expect(due.isEmpty, "fired before \(tick)")
            }
            wheel.advance(to: start + tick, due: &due)
            #expect(due == [7])
            #expect(wheel.count == 0)
            #expect(wheel.nextTick == nil)
        }
    }

    @Test("never names a tick later than the earliest entry, nor one that is past")
    func nextTickIsNeverLate() {
        var random = SplitMix(state: 3)
        for _ in 0..<500 {
            var wheel = TimerWheel<Int>(current: random.next() % 1_000_000)
            let ticks = (0..<5).map { _ in
                wheel.current + random.next() % (1 << (random.next() % 30))
            }
            for tick in ticks { _ = wheel.insert(0, at: tick) }
            if let next = wheel.nextTick, let earliest = ticks.min() {
                #expect(next <= earliest)
                #expect(next >= wheel.current)
            }
        }
    }

    @Test("agrees with a sorted list over random schedules", arguments: 1...20)
    func agreesWithSortedList(_ seed: UInt64) {
        var random = SplitMix(state: seed)
        var wheel = TimerWheel<Int>(current: random.next() % 100_000)
        var model: [Int: UInt64] = [:]
        var keys: [Int: TimerWheel<Int>.Key] = [:]
        var nextID = 0
        for _ in 0..<2_000 {
            switch random.next() % 4 {
            case 0, 1:
                let tick = wheel.current + random.next() % (1 << (random.next() % 27))
                keys[nextID] = wheel.insert(nextID, at: tick)
                model[nextID] = tick
                nextID += 1
            case 2:
                if let victim = keys.keys.min(), let key = keys.removeValue(forKey: victim) {
                    wheel.remove(key)
                    model[victim] = nil
                }
            default:
                let now = wheel.current + random.next() % (1 << (random.next() % 20))
                var due: [Int] = []
                wheel.advance(to: now, due: &due)
                let expected = model.filter { $0.value <= now }
                #expect(Set(due) == Set(expected.keys), "seed \(seed)")
                let ticks = due.map { expected[$0] ?? 0 }
                #expect(ticks == ticks.sorted(), "seed \(seed)")
                for id in due {
                    model[id] = nil
                    keys[id] = nil
                }
            }
            #expect(wheel.count == model.count)
        }
    }
}

/// A small seeded generator, so that a failing seed reproduces.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
