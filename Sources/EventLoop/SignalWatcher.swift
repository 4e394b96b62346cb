internal import CLibuv

/// Calls an action on the loop when the process gets a signal; belongs to the loop's thread.
package final class SignalWatcher {
    private var handle: UnsafeMutablePointer<uv_signal_t>?
    private let action: () -> Void

    /// Watches `signal` (`SIGTERM`, …) instead of its default action.
    package init(
        loop: EventLoop, signal: Int32, _ action: @escaping () -> Void
    ) throws(EventLoopError) {
        loop.assertOnLoop()
        self.action = action
        let handle = UnsafeMutablePointer<uv_signal_t>.allocate(capacity: 1)
        uv_signal_init(loop.raw, handle)
        // `close` clears the field before this object may go.
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        self.handle = handle
        let status = uv_signal_start(
            handle,
            { handle, _ in
                guard let data = handle?.pointee.data else { return }
                Unmanaged<SignalWatcher>.fromOpaque(data).takeUnretainedValue().action()
            }, signal)
        guard status == 0 else {
            close()
            throw EventLoopError(call: "uv_signal_start", status: status)
        }
    }

    deinit { close() }

    /// Gives the signal its default action back.
    package func close() {
        guard let handle else { return }
        self.handle = nil
        handle.pointee.data = nil
        uv_close(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)) {
            handle in
            guard let handle else { return }
            UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_signal_t.self).deallocate()
        }
    }
}
