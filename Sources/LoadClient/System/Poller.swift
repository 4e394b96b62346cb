internal import CEpoll
internal import Glibc

/// Owns one epoll instance and the array its events arrive in.
package final class Poller {
    package struct Interest: OptionSet {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let read = Interest(rawValue: EPOLLIN.rawValue)
        package static let write = Interest(rawValue: EPOLLOUT.rawValue)
    }

    private static let capacity = 512
    private let epoll: Int32
    private let events: UnsafeMutablePointer<epoll_event>

    package init() throws(SystemError) {
        epoll = ce_epoll_create()
        guard epoll >= 0 else { throw SystemError("epoll_create1") }
        events = .allocate(capacity: Self.capacity)
        events.initialize(repeating: epoll_event(), count: Self.capacity)
    }

    deinit {
        close(epoll)
        events.deallocate()
    }

    /// Watches `fd`; `token` comes back with its events.
    package func add(_ fd: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        guard ce_epoll_control(epoll, EPOLL_CTL_ADD, fd, interest.rawValue, token) == 0 else {
            throw SystemError("epoll_ctl add")
        }
    }

    package func change(_ fd: Int32, _ interest: Interest, token: UInt64) {
        let result = ce_epoll_control(epoll, EPOLL_CTL_MOD, fd, interest.rawValue, token)
        precondition(result == 0, "epoll_ctl of a descriptor that is not watched")
    }

    /// Waits at most `timeout` nanoseconds, then hands on what is ready; errors count as readable.
    package func wait(timeout: UInt64, handle: (UInt64, Interest) -> Void) {
        let limited = Int64(min(timeout, 1_000_000_000))
        var count = ce_epoll_wait_ns(epoll, events, Int32(Self.capacity), limited)
        if count < 0, errno == ENOSYS {
            let milliseconds = Int32((limited + 999_999) / 1_000_000)
            count = epoll_wait(epoll, events, Int32(Self.capacity), milliseconds)
        }
        guard count > 0 else { return }
        for index in 0..<count {
            var ready = Interest(rawValue: ce_event_flags(events, index))
            if ready.rawValue & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { ready.insert(.read) }
            handle(ce_event_data(events, index), ready)
        }
    }
}
