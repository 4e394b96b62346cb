import WebSocketServer

/// Storage that is filled, sent and emptied again and again.
protocol ReusableStorage {
    /// Makes storage for `capacity` payload bytes.
    init(capacity: Int)

    /// Empties it, and gives back what it holds beyond `limit` bytes.
    mutating func removeAll(keepingAtMost limit: Int)
}

extension OutgoingFrame: ReusableStorage {}
extension OutgoingMessages: ReusableStorage {}

/// The one piece of storage in which a shard builds what it writes; all its sockets borrow the same.
final class Scratch<Storage: ReusableStorage> {
    /// Storage that has grown beyond this is given back.
    private static var keptBytes: Int { 1 << 20 }

    private var storage = Storage(capacity: 64 << 10)

    /// Lends the storage, emptied, to one that fills it and sends it; nobody else may borrow it meanwhile.
    func lend<Result>(_ body: (inout Storage) -> Result) -> Result {
        storage.removeAll(keepingAtMost: Self.keptBytes)
        return body(&storage)
    }
}
