/// The lines of a whole head, one after another, as places in its bytes.
struct HeadLines {
    let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next line without its end; nil at the empty one.
    ///
    /// A CR stands before an LF only: some take one by itself for the end of a line (RFC 9112, section 2.2).
    mutating func next() throws(RequestFault) -> Range<Int>? {
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
        var end = position
        position += 1
        if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        guard !bytes[start..<end].contains(UInt8(ascii: "\r")) else {
            throw .invalid("a CR stands before an LF only")
        }
        return start == end ? nil : start..<end
    }
}
