package import GatewayCore

/// What a transfer may do with the next bytes.
package enum UpstreamFlow: Sendable {
    /// Go on.
    case proceed
    /// These bytes were taken; bring no more before `resume`.
    case pause
}

/// How a transfer ended.
package enum UpstreamOutcome: Sendable {
    /// 2xx, of the kind that was asked for, and the body came to its end.
    case finished
    case failed(UpstreamFailure)
}

/// Who hears from a transfer, on the loop's thread.
///
/// No method is ever called from inside `start`, `cancel`, `pause`, `resume`, `feed` or `shutDown`; from inside
/// `UpstreamWorker.startWaiting` any may be. All of those may be called from inside these methods, where
/// `startWaiting` does nothing.
package protocol UpstreamTransferDelegate: AnyObject {
    /// The connection stands, the request goes out now. May come again if a dead connection had to be replaced.
    func transferConnected(_ transfer: UpstreamTransfer)
    /// The final response's head came, whatever its status; interim responses are skipped.
    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead)
    /// The next bytes of an event stream came; they are lent for the call.
    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow
    /// Less than `UpstreamTransfer.lowUploadBytes` of what was fed is left to be sent.
    func transferWantsBody(_ transfer: UpstreamTransfer)
    /// No more bytes wait in the socket: all that `received` brought since the last call may go on together.
    func transferWasRead(_ transfer: UpstreamTransfer)
    /// It is over: the last call, exactly once, unless the transfer was cancelled. May come while paused,
    /// if all bytes were handed over before.
    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome)
}

extension UpstreamTransferDelegate {
    /// For those that feed nothing.
    package func transferWantsBody(_ transfer: UpstreamTransfer) {}
    /// For those that hand everything on at once.
    package func transferWasRead(_ transfer: UpstreamTransfer) {}
}
