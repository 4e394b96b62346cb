internal import CLibuv

/// Calls an action once in the loop's next turn, before the loop may sleep; belongs to the loop's thread.
///
/// Costs no system call of its own and has no millisecond grain, unlike `post` and a timer of zero.
package final class NextTurn {
    private var handle: LoopHandle<uv_idle_t>?
    private let action: () -> Void
    private var isRequested = false

    /// Prepares a call that `request` asks for.
    package init(loop: EventLoop, _ action: @escaping () -> Void) throws(EventLoopError) {
        loop.assertOnLoop()
        self.action = action
        handle = try LoopHandle(of: self, "uv_idle_init") { uv_idle_init(loop.raw, $0) }
    }

    /// Asks for the call; several requests before it comes are one.
    package func request() {
        guard let raw = handle?.raw, !isRequested else { return }
        isRequested = true
        uv_idle_start(raw, nextTurnCame)
    }

    /// Calls no more.
    package func close() { handle = nil }

    fileprivate func came() {
        isRequested = false
        if let raw = handle?.raw { uv_idle_stop(raw) }
        action()
    }
}

private func nextTurnCame(_ handle: UnsafeMutablePointer<uv_idle_t>?) {
    LoopHandle.owner(of: handle, as: NextTurn.self)?.came()
}
