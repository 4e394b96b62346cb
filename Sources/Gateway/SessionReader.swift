import GatewayCore

/// One reader of a session, on the session's home shard: a cursor and where its frames go.
final class SessionReader {
    /// Where a reader's connection is.
    enum Destination {
        /// On this shard: frames go straight to the socket.
        case here(Connection)
        /// On another shard: frames go through its mailbox, as far as credit reaches.
        case there(shard: Int)
    }

    /// Bytes that may be on their way to another shard's socket.
    static let creditBytes = 256 << 10

    let connection: ConnectionID
    let destination: Destination
    /// The number of the last event handed on.
    var cursor: Int
    /// Bytes on their way to another shard.
    var unacknowledgedBytes = 0

    init(connection: ConnectionID, destination: Destination, cursor: Int) {
        self.connection = connection
        self.destination = destination
        self.cursor = cursor
    }
}
