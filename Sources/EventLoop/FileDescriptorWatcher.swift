internal import CLibuv

/// Tells when a file descriptor is readable or writable; belongs to the loop's thread.
///
/// It watches and never owns the descriptor. The handle is freed by libuv's close callback.
package final class FileDescriptorWatcher {
    /// What to wait for, or what came.
    package struct Events: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }
        package static let readable = Events(rawValue: Int32(bitPattern: UV_READABLE.rawValue))
        package static let writable = Events(rawValue: Int32(bitPattern: UV_WRITABLE.rawValue))
    }

    private var handle: UnsafeMutablePointer<uv_poll_t>?
    private let action: (Events) -> Void
    private var watched: Events = []
    /// True while the owner asked for nothing.
    private var isStopped = true

    /// Prepares to watch `descriptor`; errors of the descriptor arrive as both events.
    package init(
        loop: EventLoop, descriptor: Int32, _ action: @escaping (Events) -> Void
    ) throws(EventLoopError) {
        loop.assertOnLoop()
        self.action = action
        let handle = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
        let status = uv_poll_init(loop.raw, handle, descriptor)
        guard status == 0 else {
            handle.deallocate()
            throw EventLoopError(call: "uv_poll_init", status: status)
        }
        self.handle = handle
        // `close` clears the field before this object may go.
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit { close() }

    /// Waits for `events` from now on; an empty set stops.
    package func watch(_ events: Events) {
        isStopped = events.isEmpty
        guard let handle, events != watched else { return }
        watched = events
        if events.isEmpty {
            uv_poll_stop(handle)
        } else {
            uv_poll_start(handle, events.rawValue, descriptorIsReady)
        }
    }

    /// Ends watching; do it before the descriptor is closed.
    package func close() {
        guard let handle else { return }
        self.handle = nil
        handle.pointee.data = nil
        uv_close(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)) {
            handle in
            guard let handle else { return }
            UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_poll_t.self).deallocate()
        }
    }

    fileprivate func ready(_ events: Events) { action(events) }

    /// libuv stops the handle before it reports an error of the descriptor, yet bytes may wait in front
    /// of that error: go on watching until the owner, who meets it in `read`, closes or asks otherwise.
    fileprivate func failed() {
        let wanted = watched
        watched = []
        action([.readable, .writable])
        if watched.isEmpty, !isStopped { watch(wanted) }
    }
}

private func descriptorIsReady(
    _ handle: UnsafeMutablePointer<uv_poll_t>?, _ status: Int32, _ events: Int32
) {
    guard let data = handle?.pointee.data else { return }
    let watcher = Unmanaged<FileDescriptorWatcher>.fromOpaque(data).takeUnretainedValue()
    if status < 0 { watcher.failed() } else { watcher.ready(.init(rawValue: events)) }
}
