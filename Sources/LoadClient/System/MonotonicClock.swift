internal import CEpoll
internal import Glibc

/// Nanoseconds of CLOCK_MONOTONIC, the clock whose readings the simulator writes into deltas.
package enum MonotonicClock {
    package static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Seconds since 1970, for the report's head.
    package static var wallSeconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec
    }
}
