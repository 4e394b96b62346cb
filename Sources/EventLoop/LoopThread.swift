internal import CLibuv
internal import Glibc

/// A named operating-system thread that runs one closure.
package final class LoopThread: @unchecked Sendable {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Written once before the object is shared, joined once by its owner.
    private let handle: pthread_t

    /// Starts a thread; `name` shows in debuggers and `top` (15 bytes at most).
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(LoopThreadError) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, loopThreadMain, start.toOpaque())
        guard status == 0 else {
            start.release()
            throw LoopThreadError(errno: status)
        }
        handle = thread
    }

    /// Waits until the closure has returned; call once.
    package func join() { pthread_join(handle, nil) }

    fileprivate static func run(_ argument: UnsafeMutableRawPointer) {
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        millrace_set_thread_name(start.name)
        start.body()
    }
}

/// The system refused another thread.
package struct LoopThreadError: Error, CustomStringConvertible, Sendable {
    /// What `pthread_create` returned.
    package let errno: Int32

    package var description: String { "pthread_create: \(String(cString: strerror(errno)))" }
}

private func loopThreadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument { LoopThread.run(argument) }
    return nil
}
