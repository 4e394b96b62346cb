import Testing

@testable import GatewayCore

@Suite("How much reads bring")
struct ReadPaceTests {
    private static func pace(_ turns: [Int]) -> ReadPace {
        var pace = ReadPace(bufferBytes: 1_024)
        for bytes in turns { pace.note(bytes) }
        return pace
    }

    @Test("says nothing of fewer than eight turns", arguments: [0, 7, 8, 9])
    func few(turns: Int) {
        let pace = Self.pace(.init(repeating: 4_000, count: turns))
        #expect(pace.isFast == (turns < 8 ? nil : true))
    }

    @Test(
        "a turn is full when a buffer does not hold what it brought",
        arguments: [1_023, 1_024, 1_025])
    func full(bytes: Int) {
        #expect(Self.pace(.init(repeating: bytes, count: 8)).isFast == (bytes > 1_024))
    }

    @Test("most turns decide", arguments: [4, 5, 6])
    func most(full: Int) {
        let turns = [Int](repeating: 9_999, count: full) + [Int](repeating: 1, count: 10 - full)
        #expect(Self.pace(turns).isFast == (full > 5))
    }
}
