/// A buffer to build one outgoing frame in, with the room in front that the server writes headers to.
///
/// Kept by whoever sends and used again and again: sending copies nothing, and rendering appends.
package struct OutgoingFrame {
    /// Bytes before the payload that sending may overwrite: a WebSocket header or a chunk's length.
    package static let headroom = 16

    /// The headroom, then the payload.
    package var bytes: [UInt8]

    /// Makes an empty frame that holds `capacity` payload bytes without growing.
    package init(capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(Self.headroom + capacity)
        bytes.append(contentsOf: repeatElement(0, count: Self.headroom))
    }

    /// Payload bytes in the frame.
    package var count: Int { bytes.count - Self.headroom }

    /// True when there is no payload.
    package var isEmpty: Bool { count == 0 }

    /// Removes the payload and keeps the storage, unless it has grown beyond `limit` bytes.
    package mutating func removeAll(keepingAtMost limit: Int = .max) {
        if bytes.capacity > limit {
            self = OutgoingFrame(capacity: 0)
        } else {
            bytes.removeSubrange(Self.headroom...)
        }
    }
}
