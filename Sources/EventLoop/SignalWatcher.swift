internal import CLibuv
internal import Glibc

/// Calls an action on the loop when the process gets a signal; belongs to the loop's thread.
package final class SignalWatcher {
    private var handle: LoopHandle<uv_signal_t>?
    private let action: () -> Void

    /// Watches `signal` (`SIGTERM`, …) instead of its default action.
    package init(
        loop: EventLoop, signal: Int32, _ action: @escaping () -> Void
    ) throws(EventLoopError) {
        loop.assertOnLoop()
        self.action = action
        let handle = try LoopHandle(of: self, "uv_signal_init") { uv_signal_init(loop.raw, $0) }
        let status = uv_signal_start(handle.raw, signalCame, signal)
        guard status == 0 else { throw EventLoopError(call: "uv_signal_start", status: status) }
        self.handle = consume handle
    }

    /// True when whoever started the process wants `signal` to do nothing.
    package static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Gives the signal its default action back.
    package func close() { handle = nil }

    fileprivate func came() { action() }
}

private func signalCame(_ handle: UnsafeMutablePointer<uv_signal_t>?, _ signal: Int32) {
    LoopHandle.owner(of: handle, as: SignalWatcher.self)?.came()
}
