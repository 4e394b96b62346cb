/// Checks one reader's copy of a session's log against its protocol, over all the reader's connections.
///
/// Line in, verdict out: no I/O, no clock. A violation leaves a checker usable, but what follows it may
/// be its echo.
package protocol StreamChecker {
    /// The last position that was seen: where a resume goes on.
    var lastSeq: Int { get }
    /// Responses that have ended.
    var completed: Int { get }
    /// Whether no response is running.
    var isIdle: Bool { get }

    /// A new connection of the same reader begins.
    mutating func connected()

    /// Consumes one line of a frame.
    mutating func handle(_ line: Span<UInt8>) -> Verdict
}
