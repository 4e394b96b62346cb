import Glibc

/// A moment of the wall clock, in nanoseconds; prints as RFC 3339 in UTC.
package struct Timestamp: Sendable, Equatable, CustomStringConvertible {
    /// Since 1970, UTC.
    package let seconds: Int64
    /// 0…999,999,999 after `seconds`.
    package let nanoseconds: Int64

    package init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Reads the clock.
    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// With microseconds: `2026-03-01T12:34:56.123456Z`.
    package var description: String {
        let (year, month, day) = date
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(clock).\(fraction(6))Z"
    }

    /// For people at a terminal: `12:34:56.123`.
    var timeOfDay: String { "\(clock).\(fraction(3))" }

    private var clock: String {
        let time = modulo(seconds, 86_400)
        return "\(padded(time / 3600, 2)):\(padded(time / 60 % 60, 2)):\(padded(time % 60, 2))"
    }

    /// The proleptic Gregorian calendar, from days since 1970, counting years from March.
    private var date: (year: Int64, month: Int64, day: Int64) {
        let days = (seconds - modulo(seconds, 86_400)) / 86_400 + 719_468
        let era = (days - modulo(days, 146_097)) / 146_097
        let dayOfEra = modulo(days, 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private func fraction(_ digits: Int) -> String {
        String(padded(nanoseconds, 9).prefix(digits))
    }

    private func modulo(_ value: Int64, _ divisor: Int64) -> Int64 {
        let rest = value % divisor
        return rest < 0 ? rest + divisor : rest
    }

    private func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
