internal import CLibwebsockets
internal import EventLoop
internal import Glibc
internal import Synchronization

/// The descriptor by which the library could be woken up, which it closes twice.
///
/// libwebsockets 4.1.6 on libuv closes it in the first `lws_context_destroy`, and again when the loop has closed
/// the handle on it. In between its number belongs to whoever opens something next, on any thread: a socket
/// accepted by another server of the process was closed behind its back, and the next one with that number met the
/// library's `lws_lookup == 0`. So the number is taken again at once, for the second close to find.
struct WakeUpDescriptor {
    private let number: Int32?

    /// Where there is no context yet.
    static let none = WakeUpDescriptor(number: nil)

    /// Held while a number is between its first close and its being taken again, and while a socket is accepted.
    private static let lock = Mutex<Void>(())

    /// Makes a context, and finds the descriptor that the library has begun to watch for it.
    static func find(on loop: EventLoop, making context: () -> OpaquePointer?) -> (
        context: OpaquePointer?, descriptor: WakeUpDescriptor
    ) {
        let before = loop.watchedDescriptors
        let made = context()
        let added = loop.watchedDescriptors.subtracting(before)
        return (made, WakeUpDescriptor(number: added.count == 1 ? added.first : nil))
    }

    /// Runs the library's first closing, and keeps the number from others until the second.
    func guardClosing(_ close: () -> Void) {
        Self.lock.withLock { _ in
            close()
            guard let number else { return }
            // The lowest free number from there on. Another one: somebody who opened no socket of ours was faster.
            let taken = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, number)
            if taken >= 0, taken != number { Glibc.close(taken) }
        }
    }

    /// Accepts a connection, but not while another server's number is up for being taken.
    static func accept(_ listener: Int32) -> Int32 {
        lock.withLock { _ in millrace_accept(listener) }
    }
}
