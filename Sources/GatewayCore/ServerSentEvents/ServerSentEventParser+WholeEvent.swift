/// The form that nearly every server writes its events in, which needs no state.
extension ServerSentEventParser {
    /// The event that begins at `index`, when all of it lies in the chunk in the form that servers write.
    ///
    /// That is an `event:` line or none, one `data:` line, a blank line, ended by LF, within the limits.
    /// Nearly every event is like that, and needs no state. Of anything else it says nothing.
    @inline(__always)
    static func wholeEvent(
        _ chunk: Span<UInt8>, _ index: Int, _ limits: Limits
    ) -> (name: Range<Int>, data: Range<Int>, end: Int)? {
        var start = index
        var name = start..<start
        if chunk.count - start >= 8, ByteScan.word(chunk, start) & sixBytes == eventField {
            guard let end = ByteScan.lineEnd(chunk, from: start), chunk[end] == UInt8(ascii: "\n"),
                end - start <= limits.maximumLineBytes
            else { return nil }
            let value = start + (chunk[start + 6] == UInt8(ascii: " ") ? 7 : 6)
            // A line end within the first eight bytes: an empty name, or none at all.
            guard value <= end else { return nil }
            name = value..<end
            start = end + 1
        }
        guard chunk.count - start >= 8,
            ByteScan.word(chunk, start) & sixBytes == dataField,
            let end = ByteScan.lineEnd(chunk, from: start + 6), end + 1 < chunk.count,
            chunk[end] == UInt8(ascii: "\n"), chunk[end + 1] == UInt8(ascii: "\n"),
            end - start <= limits.maximumLineBytes, end - start - 6 <= limits.maximumEventBytes
        else { return nil }
        return (name, (start + 6)..<end, end + 2)
    }

    /// `event:` and `data: ` as the low six bytes of a word.
    private static let sixBytes: UInt64 = 0xFFFF_FFFF_FFFF
    private static let eventField: UInt64 = 0x3A74_6E65_7665
    private static let dataField: UInt64 = 0x203A_6174_6164
}
