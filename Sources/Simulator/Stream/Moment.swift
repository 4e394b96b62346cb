/// The time, as the shell read it: the pure part never looks at a clock.
package struct Moment: Equatable, Sendable {
    /// Nanoseconds of CLOCK_MONOTONIC.
    package var monotonic: UInt64
    /// Seconds since 1970.
    package var unixSeconds: Int

    package init(monotonic: UInt64, unixSeconds: Int) {
        self.monotonic = monotonic
        self.unixSeconds = unixSeconds
    }
}
