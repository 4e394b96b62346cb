internal import CInterposed
internal import CLibwebsockets
internal import EventLoop
internal import Synchronization

/// The descriptor by which the library could be woken up, which it closes twice.
///
/// libwebsockets 4.1.6 on libuv closes it in the first `lws_context_destroy`, and again when the loop has closed
/// the handle on it. In between its number would belong to whoever opens something next, on any thread: a socket
/// accepted by another server of the process was closed behind its back, and the next one with that number met the
/// library's `lws_lookup == 0`. So the first of the two is passed over: the number is never free in between.
struct WakeUpDescriptor {
    /// Nil where there is no context yet.
    private let number: Int32?

    static let none = WakeUpDescriptor(number: nil)

    /// Held while a context is made or closed: the library does neither on two threads at a time.
    private static let lock = Mutex<Void>(())

    /// Makes a context, and finds the descriptor that the library has begun to watch for it.
    static func find(on loop: EventLoop, making context: () -> OpaquePointer?) -> (
        context: OpaquePointer?, descriptor: WakeUpDescriptor
    ) {
        lock.withLock { _ in
            let before = loop.watchedDescriptors
            let made = context()
            let added = loop.watchedDescriptors.subtracting(before)
            assert(added.count == (made == nil ? 0 : 1), "the library watches something else too")
            return (made, WakeUpDescriptor(number: added.count == 1 ? added.first : nil))
        }
    }

    /// Runs the library's first closing, which leaves the descriptor open for the second.
    func guardClosing(_ close: () -> Void) {
        Self.lock.withLock { _ in
            guard let number else { return close() }
            millrace_spare_next_close(number)
            close()
            let isSpared = millrace_end_sparing()
            assert(isSpared, "the library closes its descriptor otherwise: see docs/decisions/0009")
        }
    }
}
