import Testing

@testable import WebSocketServer

@Suite("Frames that are read along")
struct IncomingFramesTests {
    /// What came of a stream: what the library was left, the pings, and the rule that was broken.
    private struct Outcome: Equatable {
        var left: [UInt8] = []
        var pings: [[UInt8]] = []
        var failure: IncomingFrames.Failure?
    }

    /// Reads `stream` in pieces that end at `cuts`.
    private static func read(_ stream: [UInt8], cuts: [Int] = []) -> Outcome {
        var frames = IncomingFrames()
        var outcome = Outcome()
        var start = 0
        for end in cuts + [stream.count] where outcome.failure == nil {
            var piece = Array(stream[start..<end])
            start = end
            var bytes = piece.mutableSpan
            let (count, failure) = frames.take(&bytes) { payload in
                outcome.pings.append(payload.indices.map { payload[$0] })
            }
            outcome.left += piece[..<count]
            outcome.failure = failure
        }
        return outcome
    }

    private static let hello = RawClient.frame(1, Array("hello".utf8))

    private static func ping(_ payload: String) -> [UInt8] {
        RawClient.frame(9, Array(payload.utf8))
    }

    /// A frame's header alone, unmasked unless the mask's bit is in `length`.
    private static func header(_ first: UInt8, _ length: UInt8, _ more: [UInt8] = []) -> [UInt8] {
        [first, length] + more
    }

    @Test("takes out pings wherever they stand and however they are cut")
    func takesPings() {
        let long = String(repeating: "p", count: 125)
        let begun = RawClient.frame(1, Array("hel".utf8), isFinal: false)
        let ended = RawClient.frame(0, Array("lo".utf8))
        let stream =
            Self.ping("") + begun + Self.ping("one") + Self.ping(long) + ended + Self.hello
            + Self.ping("last") + RawClient.frame(8, [])
        let expected = Outcome(
            left: begun + ended + Self.hello + RawClient.frame(8, []),
            pings: ["", "one", long, "last"].map { Array($0.utf8) })
        #expect(Self.read(stream) == expected)
        for cut in 1..<stream.count { #expect(Self.read(stream, cuts: [cut]) == expected) }
        #expect(Self.read(stream, cuts: Array(1..<stream.count)) == expected)
    }

    @Test(
        "leaves the library messages of every length", arguments: [0, 1, 125, 126, 0xFFFF, 0x10000])
    func leavesMessages(count: Int) {
        let stream = RawClient.frame(2, [UInt8](repeating: 7, count: count)) + Self.ping("x")
        let left = Array(stream.dropLast(Self.ping("x").count))
        for cut in 1..<min(stream.count, 20) {
            #expect(Self.read(stream, cuts: [cut]) == Outcome(left: left, pings: [[0x78]]))
        }
    }

    @Test(
        "names the rule that is broken, at its first byte and wherever that is cut",
        arguments: [
            (header(0x81, 0x05), .unmasked),
            (header(0x88, 0x00), .unmasked),
            (header(0x89, 0x00), .unmasked),
            (header(0xC1, 0x80), .reservedBits),
            (header(0xA9, 0x80), .reservedBits),
            (header(0x90, 0x80), .reservedBits),
            (header(0x83, 0x80), .reservedOpcode(3)),
            (header(0x8B, 0x80), .reservedOpcode(11)),
            (header(0x8F, 0x80), .reservedOpcode(15)),
            (header(0x09, 0x80), .fragmentedControl),
            (header(0x08, 0x80), .fragmentedControl),
            (header(0x89, 0xFE), .longControl),
            (header(0x8A, 0xFF), .longControl),
            (header(0x81, 0xFE, [0, 125]), .wastefulLength),
            (header(0x81, 0xFF, [0, 0, 0, 0, 0, 0, 0xFF, 0xFF]), .wastefulLength),
            (header(0x82, 0xFF, [0x80, 0, 0, 0, 0, 0, 0, 0]), .excessiveLength),
            (header(0x80, 0x80), .nothingToContinue),
            (RawClient.frame(1, [], isFinal: false) + header(0x81, 0x80), .unfinishedMessage),
            (RawClient.frame(2, [], isFinal: false) + header(0x02, 0x80), .unfinishedMessage),
        ] as [([UInt8], IncomingFrames.Failure)])
    func namesRules(wrong: [UInt8], failure: IncomingFrames.Failure) {
        let before = Self.hello + Self.ping("x")
        let stream = before + wrong + Self.hello
        let whole = Self.read(stream)
        #expect(whole.failure == failure)
        #expect(whole.left.starts(with: Self.hello))
        #expect(whole.pings == [[0x78]])
        for cut in 1..<stream.count {
            let outcome = Self.read(stream, cuts: [cut])
            #expect(outcome.failure == failure)
            // The start of a header that had come alone may have gone to the library.
            #expect(outcome.left.starts(with: whole.left))
            #expect(outcome.left.count < before.count + wrong.count)
        }
    }

    @Test("says so in words that a close frame holds")
    func hasShortReasons() {
        let all: [IncomingFrames.Failure] = [
            .unmasked, .reservedBits, .reservedOpcode(15), .fragmentedControl, .longControl,
            .wastefulLength, .excessiveLength, .nothingToContinue, .unfinishedMessage,
        ]
        for failure in all { #expect((1...123).contains(failure.reason.utf8.count)) }
    }

    @Test("looks at nothing behind a close frame")
    func endsWithClose() {
        let stream = RawClient.frame(8, [3, 0xE8]) + [0x81, 0x05, 0xFF, 0x89]
        for cut in 0..<stream.count {
            #expect(Self.read(stream, cuts: [cut]) == Outcome(left: stream))
        }
    }
}
