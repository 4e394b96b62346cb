import Testing

@testable import WebSocketServer

@Suite("Pongs that wait")
struct OutgoingPongsTests {
    private static func pongs(_ payloads: [Int]) -> OutgoingPongs {
        var pongs = OutgoingPongs()
        for (number, count) in payloads.enumerated() {
            pongs.append([UInt8](repeating: UInt8(number), count: count).span)
        }
        return pongs
    }

    @Test("stand one behind the other")
    func standInOrder() {
        #expect(Self.pongs([0, 1, 2]).frames == [0x8A, 0, 0x8A, 1, 1, 0x8A, 2, 2, 2])
    }

    @Test("are all there up to the limit, and the last one alone above it", arguments: [-1, 0, 1])
    func areBounded(beyond: Int) {
        // Seven of the longest take 889 bytes of 1,024.
        let payloads = [Int](repeating: 125, count: 7) + [10, 121 + beyond]
        let pongs = Self.pongs(payloads)
        let all = payloads.reduce(0) { $0 + 2 + $1 }
        #expect(all == OutgoingPongs.maximumBytes + beyond)
        #expect(pongs.frames.count == (beyond > 0 ? 124 : all))
        #expect(pongs.frames.suffix(120).allSatisfy { $0 == 8 })
    }
}
