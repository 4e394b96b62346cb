import GatewayCore
import Testing

@testable import Gateway

@Suite("How the deltas of a run are measured")
struct DeltaMeterTests {
    @Test("a read says how many it brought, and how long after the one before that brought some")
    func reads() {
        var meter = DeltaMeter()
        let empty = meter.takeRead(at: Instant(nanoseconds: 10))
        #expect(empty == nil)
        meter.add()
        meter.add(2)
        let first = meter.takeRead(at: Instant(nanoseconds: 20))
        #expect(first == .init(deltas: 3, gapNanoseconds: nil))
        let between = meter.takeRead(at: Instant(nanoseconds: 30))
        #expect(between == nil)
        meter.add()
        let second = meter.takeRead(at: Instant(nanoseconds: 50))
        #expect(second == .init(deltas: 1, gapNanoseconds: 30))
    }
}
