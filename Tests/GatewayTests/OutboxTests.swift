import Testing
import WebSocketServer

@testable import Gateway

@Suite("What waits for a client")
struct OutboxTests {
    private static func written(_ outbox: Outbox, limit: Int) -> (text: String, count: Int) {
        var frame = OutgoingFrame()
        let count = outbox.gather(into: &frame, limit: limit)
        let text = String(decoding: frame.bytes[OutgoingFrame.headroom...], as: UTF8.self)
        return (text, count)
    }

    @Test("leaves oldest first, a line each, below the limit of a frame")
    func gathersLines() {
        var outbox = Outbox()
        for text in ["one", "two", "three"] { outbox.put(Array(text.utf8), .unnumbered) }
        #expect(Self.written(outbox, limit: 100) == ("one\ntwo\nthree", 3))
        #expect(Self.written(outbox, limit: 13) == ("one\ntwo\nthree", 3))
        #expect(Self.written(outbox, limit: 12) == ("one\ntwo", 2))
        #expect(Self.written(outbox, limit: 1) == ("one", 1), "one at least")
    }

    @Test("gives credit for deliveries alone, and for the newlines that were cut out of them")
    func credit() {
        var outbox = Outbox()
        outbox.put([1, 2, 3], .unnumbered)
        outbox.put([1, 2], .events)
        outbox.put([1, 2, 3, 4], .delivery)
        outbox.put([1, 2, 3, 4], .deliveredLine)
        #expect(outbox.removeFirst(2) == 0)
        #expect(outbox.removeFirst(1) == 4)
        #expect(outbox.removeFirst(1) == 5)
        #expect(outbox.isEmpty && outbox.bytes == 0)
    }

    @Test("is overfull by unnumbered frames alone, of here or elsewhere", arguments: [0, 1])
    func limit(excess: Int) {
        var outbox = Outbox()
        let large = [UInt8](repeating: 0, count: Outbox.maximumUnnumberedBytes + excess)
        outbox.put(large, .events)
        outbox.put(large, .delivery)
        #expect(!outbox.isOverfull)
        outbox.put(large, .unnumbered)
        #expect(outbox.isOverfull == (excess > 0))
        _ = outbox.removeFirst(3)
        #expect(!outbox.isOverfull)
        outbox.put(large, .answer)
        #expect(outbox.isOverfull == (excess > 0))
        #expect(outbox.removeFirst(1) == large.count, "and its credit is given back")
        #expect(!outbox.isOverfull)
    }
}
