internal import CLibuv

/// Calls an action once in the loop's next turn, before the loop may sleep; belongs to the loop's thread.
///
/// Costs no system call of its own and has no millisecond grain, unlike `post` and a timer of zero.
package final class NextTurn {
    private var handle: UnsafeMutablePointer<uv_idle_t>?
    private let action: () -> Void
    private var isRequested = false

    /// Prepares a call that `request` asks for.
    package init(loop: EventLoop, _ action: @escaping () -> Void) throws(EventLoopError) {
        loop.assertOnLoop()
        self.action = action
        let handle = UnsafeMutablePointer<uv_idle_t>.allocate(capacity: 1)
        let status = uv_idle_init(loop.raw, handle)
        guard status == 0 else {
            handle.deallocate()
            throw EventLoopError(call: "uv_idle_init", status: status)
        }
        self.handle = handle
        // `close` clears the field before this object may go.
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit { close() }

    /// Asks for the call; several requests before it comes are one.
    package func request() {
        guard let handle, !isRequested else { return }
        isRequested = true
        uv_idle_start(handle, nextTurnCame)
    }

    /// Calls no more.
    package func close() {
        guard let handle else { return }
        self.handle = nil
        handle.pointee.data = nil
        uv_close(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)) {
            handle in
            guard let handle else { return }
            UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_idle_t.self).deallocate()
        }
    }

    fileprivate func came() {
        isRequested = false
        if let handle { uv_idle_stop(handle) }
        action()
    }
}

private func nextTurnCame(_ handle: UnsafeMutablePointer<uv_idle_t>?) {
    guard let data = handle?.pointee.data else { return }
    Unmanaged<NextTurn>.fromOpaque(data).takeUnretainedValue().came()
}
