/// The first line of a request: `METHOD TARGET HTTP/1.1` (RFC 9112, section 3).
struct RequestLine {
    let method: HTTPMethod
    let target: RequestTarget
    /// HTTP/1.0: its peer knows no chunks, and asks once a connection.
    let isOld: Bool

    init(_ line: ArraySlice<UInt8>) throws(RequestFault) {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, !words[1].isEmpty, words[0].allSatisfy(HTTPToken.contains) else {
            throw .requestLine
        }
        isOld = try Self.isOld(words[2])
        guard let method = HTTPMethod(rawValue: String(decoding: words[0], as: UTF8.self)) else {
            throw .method
        }
        self.method = method
        target = try RequestTarget(words[1], method: method)
    }

    /// A later HTTP/1 is answered as 1.1 (RFC 9110, section 2.5).
    private static func isOld(_ version: ArraySlice<UInt8>) throws(RequestFault) -> Bool {
        let digits = Array(version.suffix(3))
        guard version.count == 8, version.starts(with: "HTTP/".utf8),
            digits[1] == UInt8(ascii: "."),
            isDigit(digits[0]), isDigit(digits[2])
        else { throw .requestLine }
        guard digits[0] == UInt8(ascii: "1") else { throw .version }
        return digits[2] == UInt8(ascii: "0")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
