/// Values that change from one event to the next of its kind, stepped over without reading what is around them.
extension JSONScan {
    /// Steps over a whole number without a sign, as RFC 8259 writes it.
    @inline(__always)
    static func skipWholeNumber(_ data: Span<UInt8>, _ index: inout Int) -> Bool {
        let start = index
        while index < data.count, isDigit(data[index]) { index += 1 }
        guard index > start else { return false }
        return data[start] != UInt8(ascii: "0") || index == start + 1
    }

    /// Steps over the contents of a string to its closing quote; false where they are not lawful.
    @inline(__always)
    static func skipContents(_ data: Span<UInt8>, _ index: inout Int) -> Bool {
        let end = ByteScan.plainEnd(data, from: index)
        if end < data.count, data[end] == UInt8(ascii: "\"") {
            index = end
            return true
        }
        return skipEscapedString(data, &index)
    }

    @inline(never)
    private static func skipEscapedString(_ data: Span<UInt8>, _ index: inout Int) -> Bool {
        // The reader of strings begins at the opening quote and ends behind the closing one.
        var end = index - 1
        do throws(JSONSyntaxError) { _ = try string(data, &end) } catch { return false }
        index = end - 1
        return true
    }
}
