internal import CEpoll
internal import Glibc

/// SIGINT and SIGTERM as a readable descriptor: no handler, no global state.
package final class SignalWatch {
    package let fd: Int32

    package init() throws(SystemError) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        fd = signalfd(-1, &signals, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
        guard fd >= 0 else { throw SystemError("signalfd") }
    }

    /// The signal that came; nil when there is none to take.
    package func take() -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        guard read(fd, &info, size) == size else { return nil }
        return Int32(clamping: info.ssi_signo)
    }

    deinit { close(fd) }
}
