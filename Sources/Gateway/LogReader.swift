import GatewayCore
import WebSocketServer

/// Where a session on the same shard writes: a WebSocket of either protocol, or an HTTP response.
protocol LogReader: AnyObject {
    /// True when log events can be written now.
    var isReadyForLog: Bool { get }

    /// True when log events and frames that are sent now leave together, at the end of the turn.
    var isGathering: Bool { get }

    /// Sends log events together with what is sent in this turn; only when `isGathering`.
    func gather(_ events: [UInt8])

    /// Writes log events; only when `isReadyForLog`.
    func sendLog(_ frame: inout OutgoingFrame)

    /// Asks to be told when log events can be written again: `HostedSession.readerIsClear` follows.
    func askForWritable()

    /// Sends a frame that is not in the log.
    func send(_ frame: [UInt8])

    /// While draining, or when it wants to leave: nothing runs in the session, and all of its log has been written.
    func sessionIsIdle()

    /// Gives the client a resume token that says where the session goes on, unless its newest one does.
    func refreshToken(conversation: ConversationPlace?, running: ResumeClaims.Running?)

    /// Ends the connection: the session is over, or the gateway is.
    func close(_ reason: CloseReason)

    /// Takes a part of what the reader of one response gets; only HTTP responses are such readers.
    func take(_ answer: DialectAnswer)
}

extension LogReader {
    var isGathering: Bool { false }
    func gather(_ events: [UInt8]) { send(events) }
    func take(_ answer: DialectAnswer) {}
}

/// A client with a session: a WebSocket of either protocol.
protocol SessionClient: LogReader {
    var id: ConnectionID { get }
    /// Its place among the connections, until it is closed.
    var place: Admission.Place? { get set }

    /// Goes on with a session of this shard.
    func attachHere(
        to session: HostedSession, _ attached: AttachedSession, isResume: Bool, after: Int)

    /// Goes on with a session elsewhere: deliveries follow.
    func attachedThere(_ attached: AttachedSession)

    /// Goes on with a session of its own shard.
    func beginFresh(reason: GatewayErrorCode?, continuing: ConversationPlace?)

    /// Log events of a session elsewhere.
    func deliver(_ frame: [UInt8])

    /// Sends a frame that is not in the log, after those that wait; closes instead where too much waits.
    func send(_ frame: [UInt8], _ kind: Outbox.Kind)

    /// Tells the client to go elsewhere, and goes itself when the time has come and nothing runs.
    func drain(after delay: Duration)
}

extension SessionClient {
    func send(_ frame: [UInt8]) { send(frame, .unnumbered) }
}
