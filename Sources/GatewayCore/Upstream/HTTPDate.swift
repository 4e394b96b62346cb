/// Dates as HTTP writes them, and has written them (RFC 9110, section 5.6.7).
enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" or "Sun Nov  6 08:49:37 1994" in seconds
    /// since 1970, or nil.
    static func unixSeconds(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        switch words.count {
        case 6 where words[0].hasSuffix(",") && words[5] == "GMT":
            return unixSeconds(
                day: number(words[1], digits: 2), month: words[2],
                year: number(words[3], digits: 4), clock: words[4])
        case 4 where words[0].hasSuffix(",") && words[3] == "GMT":
            let date = words[1].split(separator: "-", omittingEmptySubsequences: false)
            guard date.count == 3, let year = number(date[2], digits: 2) else { return nil }
            // Nobody wrote such dates before 1970.
            return unixSeconds(
                day: number(date[0], digits: 2), month: date[1],
                year: year + (year < 70 ? 2000 : 1900), clock: words[2])
        case 5:
            return unixSeconds(
                day: number(words[2], digits: words[2].utf8.count == 1 ? 1 : 2), month: words[1],
                year: number(words[4], digits: 4), clock: words[3])
        default: return nil
        }
    }

    private static func unixSeconds(
        day: Int?, month: Substring, year: Int?, clock: Substring
    ) -> Int64? {
        guard let day, (1...31).contains(day), let year,
            let month = months.firstIndex(where: { $0 == month })
        else { return nil }
        let clock = clock.split(separator: ":", omittingEmptySubsequences: false)
        guard clock.count == 3, let hour = number(clock[0], digits: 2), hour < 24,
            let minute = number(clock[1], digits: 2), minute < 60,
            let second = number(clock[2], digits: 2), second <= 60
        else { return nil }
        // Days from civil (Hinnant): years begin in March, so that a leap day ends them.
        let shifted = month < 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 10) % 12) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = Int64(era * 146_097 + dayOfEra - 719_468)
        return days * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
    }

    private static func number(_ text: Substring, digits: Int) -> Int? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(text)
    }
}
