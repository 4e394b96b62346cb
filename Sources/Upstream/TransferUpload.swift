internal import GatewayCore

/// The body of a request that is fed while it is sent: what waits for libcurl, or libcurl for it.
struct TransferUpload {
    /// What libcurl is told when it asks for more.
    enum Portion: Equatable {
        case bytes(count: Int)
        /// None yet: it stops asking until it is told to go on.
        case later
        /// None any more, whatever waits.
        case end
    }

    /// Sent bytes that may stand before the others: to move those each time would cost more than the room.
    private static let maximumSentBytes = 1 << 20

    /// What was fed; sent up to `start`.
    private var bytes: [UInt8] = []
    private var start = 0
    /// libcurl stopped asking for want of bytes.
    private(set) var isStarved = false
    private var isRefused = false

    /// Bytes that were fed and are not sent.
    var waitingBytes: Int { bytes.count - start }

    mutating func feed(_ more: Span<UInt8>) { bytes.append(more) }

    /// Upstream answers with a refusal: what it has not read by now, it does not want.
    mutating func refuse() { isRefused = true }

    /// Fills `room` as far as the bytes reach.
    mutating func take(into room: UnsafeMutableBufferPointer<UInt8>) -> Portion {
        guard !isRefused else { return .end }
        let count = min(room.count, waitingBytes)
        guard count > 0 else {
            isStarved = true
            return .later
        }
        _ = room.update(fromContentsOf: bytes[start..<(start + count)])
        start += count
        if start == bytes.count || start > Self.maximumSentBytes {
            bytes.removeFirst(start)
            start = 0
        }
        return .bytes(count: count)
    }

    /// True when libcurl is to ask again: it had stopped, and there is something to be told now.
    mutating func goesOn() -> Bool {
        guard isStarved, waitingBytes > 0 || isRefused else { return false }
        isStarved = false
        return true
    }
}
