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

    deinit { close(fd) }
}
