import GatewayCore
import Testing

@testable import Gateway

@Suite("What an attempt holds back")
struct HeldOutputsTests {
    @Test("is 64 KiB at most; then the attempt counts", arguments: [-1, 0, 1])
    func limit(difference: Int) {
        var held = HeldOutputs()
        let now = Instant(nanoseconds: 1)
        let half = Array(repeating: UInt8(ascii: "x"), count: 32 << 10)
        let isFirstHeld = held.hold(nil, half.span, at: now)
        #expect(isFirstHeld)
        let rest = Array(repeating: UInt8(ascii: "x"), count: (32 << 10) + difference)
        let isRestHeld = held.hold(nil, rest.span, at: now)
        #expect(isRestHeld == (difference <= 0))
        let kept = isRestHeld ? [half, rest] : [half]
        #expect(held.takeAll().map(\.data) == kept)
        #expect(held.isEmpty)
        let isHeldAgain = held.hold(nil, half.span, at: now)
        #expect(isHeldAgain, "what was given out does not count")
    }
}
