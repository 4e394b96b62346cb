internal import CLibwebsockets
internal import EventLoop
internal import Glibc
internal import Synchronization

/// The descriptor by which the library could be woken up, which it closes twice.
///
/// libwebsockets 4.1.6 on libuv closes it in the first `lws_context_destroy`, and again when the loop has closed
/// the handle on it. In between its number belongs to whoever opens something next, on any thread: a socket
/// accepted by another server of the process was closed behind its back, and the next one with that number met the
/// library's `lws_lookup == 0`. So the number is taken again at once, for the second close to find. Who opens
/// something just then gets the lowest free number, so it is made a high one: there are lower ones.
struct WakeUpDescriptor {
    private let number: Int32?
    /// Lower than a number that did not become a high one, to be free when that is.
    private let reserved: [Int32]

    /// Where there is no context yet.
    static let none = WakeUpDescriptor(number: nil, reserved: [])

    /// Held while a number is between its first close and its being taken again, while all low ones are taken, and
    /// while a socket is accepted.
    private static let lock = Mutex<Void>(())

    /// As high as the number is made, where that many descriptors can be open.
    private static let highNumber = 1_024

    /// More than others open between two system calls.
    private static let reservedCount = 64

    /// Makes a context, and finds the descriptor that the library has begun to watch for it.
    static func find(on loop: EventLoop, making context: () -> OpaquePointer?) -> (
        context: OpaquePointer?, descriptor: WakeUpDescriptor
    ) {
        lock.withLock { _ in
            let taken = takeLowNumbers()
            let before = loop.watchedDescriptors
            let made = context()
            let added = loop.watchedDescriptors.subtracting(before)
            let number = added.count == 1 ? added.first : nil
            var reserved: [Int32] = []
            if let number, let highest = taken.last, number < highest {
                // Somebody closed a lower one just then: some that are lower still are kept.
                reserved = Array(taken.filter { $0 < number }.prefix(reservedCount))
            }
            for descriptor in taken where !reserved.contains(descriptor) { Glibc.close(descriptor) }
            return (made, WakeUpDescriptor(number: number, reserved: reserved))
        }
    }

    /// Takes the free numbers below `highNumber`, and leaves half of what the process may open to the others.
    private static func takeLowNumbers() -> [Int32] {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let end = Int32(min(limit.rlim_cur / 2, rlim_t(highNumber)))
        var taken: [Int32] = []
        while true {
            let descriptor = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)
            guard descriptor >= 0 else { return taken }
            taken.append(descriptor)
            guard descriptor < end else { return taken }
        }
    }

    /// Runs the library's first closing, and keeps the number from others until the second.
    func guardClosing(_ close: () -> Void) {
        Self.lock.withLock { _ in
            for descriptor in reserved { Glibc.close(descriptor) }
            close()
            guard let number else { return }
            // The lowest free number from there on. Another one: all lower ones were taken, and this one as well.
            let taken = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, number)
            if taken >= 0, taken != number { Glibc.close(taken) }
        }
    }

    /// Accepts a connection, but not while another server's number is up for being taken.
    static func accept(_ listener: Int32) -> Int32 {
        lock.withLock { _ in millrace_accept(listener) }
    }
}
