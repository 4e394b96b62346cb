/// Seconds since 1970 as a date in UTC, without a time zone database.
enum UTCTime {
    /// `2031-05-17 14:03:22 UTC`.
    static func text(_ seconds: Int) -> String {
        let (year, month, day) = date(days: seconds / 86_400)
        let rest = seconds % 86_400
        let clock = [rest / 3_600, rest / 60 % 60, rest % 60].map(two).joined(separator: ":")
        return "\(year)-\(two(month))-\(two(day)) \(clock) UTC"
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    private static func date(days: Int) -> (Int, Int, Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
