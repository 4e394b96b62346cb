/// How much the reads of one answer brought at a time; pure.
///
/// A model that writes as it thinks brings an event or two each time, and a small receive buffer is enough for
/// it. From a server that sends as fast as it can, a small one would cost a read, and a look whether there is
/// more, for every few events. One answer tells which kind the server's next one will be (decision 58).
package struct ReadPace: Equatable, Sendable {
    private let bufferBytes: UInt32
    private var turns: UInt32 = 0
    private var fullTurns: UInt32 = 0

    /// Fewer reads say nothing: a head and its first events come together from everybody.
    private static let leastTurns = 8

    /// Begins without a read; the question is whether a buffer of `bufferBytes` holds what a turn of the loop brings.
    package init(bufferBytes: Int) { self.bufferBytes = UInt32(clamping: bufferBytes) }

    /// Notes that a turn of the loop has brought `byteCount` bytes.
    package mutating func note(_ byteCount: Int) {
        turns &+= 1
        if byteCount > bufferBytes { fullTurns &+= 1 }
    }

    /// True when most turns brought more than such a buffer holds; nil as long as there were too few to say.
    package var isFast: Bool? {
        turns < Self.leastTurns ? nil : fullTurns > turns / 2
    }
}
