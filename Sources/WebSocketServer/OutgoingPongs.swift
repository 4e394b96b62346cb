internal import GatewayCore

/// Pongs that are to be sent, as the frames that they go out in.
///
/// Source: RFC 6455, section 5.5.3.
struct OutgoingPongs {
    /// More than so many bytes never wait.
    static let maximumBytes = 1 << 10

    private(set) var frames: [UInt8] = []

    /// Adds the answer to a ping with `payload`, of at most 125 bytes.
    ///
    /// Where the peer does not read, the last one is enough: it replaces all others when there is no room for it.
    mutating func append(_ payload: Span<UInt8>) {
        if frames.count + 2 + payload.count > Self.maximumBytes { frames = [] }
        frames.append(0x8A)
        frames.append(UInt8(payload.count))
        frames.append(payload)
    }

    /// Lends the frames to one that writes them.
    mutating func withFrames<Result>(
        _ body: (UnsafeMutableBufferPointer<UInt8>) -> Result
    ) -> Result {
        frames.withUnsafeMutableBufferPointer { body($0) }
    }
}
