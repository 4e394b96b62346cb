internal import GatewayCore
internal import Glibc

/// Several text messages that leave in one write, each in a frame of its own.
///
/// The frames are made here, final and unmasked (RFC 6455, sections 5.2 and 5.6), because the library makes one a
/// write. Kept by whoever sends and used again and again.
package struct OutgoingMessages {
    /// The frames as they go out.
    private(set) var bytes: [UInt8] = []
    /// How many messages they are.
    package private(set) var count = 0
    /// Bytes of the messages alone.
    package private(set) var payloadCount = 0

    /// Makes storage that holds `capacity` bytes without growing.
    package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// True when there is nothing to send.
    package var isEmpty: Bool { count == 0 }

    /// Adds `message`, which is UTF-8, behind the others.
    package mutating func append(_ message: Span<UInt8>) {
        bytes.append(0x81)
        switch message.count {
        case ...125: bytes.append(UInt8(message.count))
        case ...0xFFFF:
            bytes.append(126)
            appendLength(message.count, bytes: 2)
        default:
            bytes.append(127)
            appendLength(message.count, bytes: 8)
        }
        bytes.append(message)
        count += 1
        payloadCount += message.count
    }

    /// Adds each line of the payload of `frame`, without its end, as a message.
    package mutating func append(linesOf frame: OutgoingFrame) {
        let text = frame.bytes.span
        var start = OutgoingFrame.headroom
        while start <= text.count {
            let end = Self.lineEnd(text, from: start)
            append(text.extracting(start..<end))
            start = end + 1
        }
    }

    private static func lineEnd(_ text: Span<UInt8>, from start: Int) -> Int {
        text.extracting(start...).withUnsafeBufferPointer { rest in
            guard let base = rest.baseAddress, let end = memchr(base, 0x0A, rest.count) else {
                return text.count
            }
            return start + (end - UnsafeMutableRawPointer(mutating: base))
        }
    }

    private mutating func appendLength(_ length: Int, bytes count: Int) {
        for position in (0..<count).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: length >> (8 * position)))
        }
    }

    /// Lends the frames to one that writes them.
    mutating func withFrames<Result>(
        _ body: (UnsafeMutableBufferPointer<UInt8>) -> Result
    ) -> Result {
        bytes.withUnsafeMutableBufferPointer { body($0) }
    }

    /// Removes all messages and keeps the storage, unless it has grown beyond `limit` bytes.
    package mutating func removeAll(keepingAtMost limit: Int = .max) {
        bytes.removeAll(keepingCapacity: bytes.capacity <= limit)
        count = 0
        payloadCount = 0
    }
}
