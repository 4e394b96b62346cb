import GatewayCore

/// One reader of a session, on the session's home shard: a cursor and where its frames go.
final class SessionReader {
    /// Where a reader's connection is.
    enum Destination {
        /// On this shard: frames go straight to the socket.
        case here(any LogReader)
        /// On another shard: frames go through its mailbox, as far as credit reaches.
        case there(shard: Int)
    }

    /// How the log is written for it.
    enum Form {
        /// The native protocol.
        case native
        /// Upstream's events, one a line: the WebSocket mode of the OpenAI dialect.
        case lines
        /// One response's events as an event stream.
        case events(response: Int)
        /// One response's object, at its end.
        case whole(response: Int)
    }

    /// Bytes that may be on their way to another shard's socket.
    static let creditBytes = 256 << 10

    // What every event of the session asks of every reader comes first: one line of memory for those that wait.

    /// The number of the last event handed on.
    var cursor: Int
    /// Its socket takes no more for now: `readerIsClear` follows, and until then no event is news to it.
    var isBlocked = false
    let connection: ConnectionID
    let destination: Destination
    /// Bytes on their way to another shard.
    var unacknowledgedBytes = 0
    /// Its connection waits for the session's rest, to leave.
    var isLeaving = false

    let form: Form
    /// Of a form for one response: its answer has begun.
    var hasBegun = false

    init(connection: ConnectionID, destination: Destination, form: Form, cursor: Int) {
        self.form = form
        self.connection = connection
        self.destination = destination
        self.cursor = cursor
    }
}
