import WebSocketServer

/// The one frame in which a shard builds what it writes; all its sockets borrow the same storage.
final class ScratchFrame {
    /// Storage that has grown beyond this is given back.
    private static let keptBytes = 1 << 20

    private var frame = OutgoingFrame(capacity: 64 << 10)

    /// Lends the frame, emptied, to one that fills it and sends it; nobody else may borrow it meanwhile.
    func lend<Result>(_ body: (inout OutgoingFrame) -> Result) -> Result {
        frame.removeAll(keepingAtMost: Self.keptBytes)
        return body(&frame)
    }
}
