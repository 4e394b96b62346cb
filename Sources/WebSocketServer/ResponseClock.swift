/// Writes the date of responses once a second.
struct ResponseClock {
    private var second = -1
    private var written = ""

    mutating func text(unixSeconds: Int) -> String {
        if unixSeconds != second {
            second = unixSeconds
            written = HTTPDate.text(unixSeconds: unixSeconds)
        }
        return written
    }
}
