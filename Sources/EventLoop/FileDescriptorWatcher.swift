internal import CLibuv

/// Tells when a file descriptor is readable or writable; belongs to the loop's thread.
///
/// It watches and never owns the descriptor.
package final class FileDescriptorWatcher {
    /// What to wait for, or what came.
    package struct Events: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }
        package static let readable = Events(rawValue: Int32(bitPattern: UV_READABLE.rawValue))
        package static let writable = Events(rawValue: Int32(bitPattern: UV_WRITABLE.rawValue))
    }

    private var handle: LoopHandle<uv_poll_t>?
    private let descriptor: Int32
    private let action: (Int32, Events) -> Void
    private var watched: Events = []
    /// True while the owner asked for nothing.
    private var isStopped = true

    /// Prepares to watch `descriptor`; errors of the descriptor arrive as both events.
    ///
    /// The action hears of its descriptor, so that many watchers can have one.
    package init(
        loop: EventLoop, descriptor: Int32, _ action: @escaping (Int32, Events) -> Void
    ) throws(EventLoopError) {
        loop.assertOnLoop()
        self.descriptor = descriptor
        self.action = action
        handle = try LoopHandle(of: self, "uv_poll_init") { raw in
            uv_poll_init(loop.raw, raw, descriptor)
        }
    }

    /// Waits for `events` from now on; an empty set stops.
    package func watch(_ events: Events) {
        isStopped = events.isEmpty
        guard let raw = handle?.raw, events != watched else { return }
        watched = events
        if events.isEmpty {
            uv_poll_stop(raw)
        } else {
            uv_poll_start(raw, events.rawValue, descriptorIsReady)
        }
    }

    /// Ends watching; do it before the descriptor is closed.
    package func close() { handle = nil }

    fileprivate func ready(_ events: Events) { action(descriptor, events) }

    /// libuv stops the handle before it reports an error of the descriptor, yet bytes may wait in front
    /// of that error: go on watching until the owner, who meets it in `read`, closes or asks otherwise.
    fileprivate func failed() {
        let wanted = watched
        watched = []
        action(descriptor, [.readable, .writable])
        if watched.isEmpty, !isStopped { watch(wanted) }
    }
}

private func descriptorIsReady(
    _ handle: UnsafeMutablePointer<uv_poll_t>?, _ status: Int32, _ events: Int32
) {
    guard let watcher = LoopHandle.owner(of: handle, as: FileDescriptorWatcher.self) else { return }
    if status < 0 { watcher.failed() } else { watcher.ready(.init(rawValue: events)) }
}
