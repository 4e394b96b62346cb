import Testing

@testable import WebSocketServer

@Suite struct ChunkedBodyTests {
    /// Feeds pieces until the end, as it comes in turn after turn.
    private func take(_ pieces: [ArraySlice<UInt8>]) -> (text: String, end: ChunkedBody.End?) {
        var body = ChunkedBody()
        var text: [UInt8] = []
        for piece in pieces {
            var bytes = Array(piece)
            var span = bytes.mutableSpan
            let (count, end) = body.take(&span)
            text += bytes.prefix(count)
            if let end { return (String(decoding: text, as: UTF8.self), end) }
        }
        return (String(decoding: text, as: UTF8.self), nil)
    }

    private func take(_ text: String) -> (text: String, end: ChunkedBody.End?) {
        take([Array(text.utf8)[...]])
    }

    @Test("a body is the same wherever it is cut")
    func everyCut() {
        let bytes = Array(
            "5\r\nhello\r\n00A;x=\"y\"\r\n, chunked \r\n4 \r\nfeä\r\n0\r\na: b\r\n\r\nGET".utf8)
        let whole = take([bytes[...]])
        #expect(whole.text == "hello, chunked feä" && whole.end == .whole)
        for first in bytes.indices {
            for second in first..<bytes.count {
                let cut = take([bytes[..<first], bytes[first..<second], bytes[second...]])
                #expect(cut.text == whole.text && cut.end == .whole)
            }
        }
        let single = take(bytes.indices.map { bytes[$0...$0] })
        #expect(single.text == whole.text && single.end == .whole)
    }

    @Test("a body without chunks is whole", arguments: ["0\r\n\r\n", "000\r\n\r\n", "0;a\r\n\r\n"])
    func empty(text: String) {
        #expect(take(text) == ("", .whole))
    }

    @Test(
        "a body that goes on is not",
        arguments: ["", "5", "5\r\nhello", "5\r\nhello\r\n", "0\r\n", "0\r\na: b\r\n"])
    func open(text: String) {
        #expect(take(text).end == nil)
    }

    @Test(
        "what is no chunk is refused",
        arguments: [
            "x", "\r\n", " 5\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "5\n", "5\rx", "5;a\nb", ";\r\n",
            "5\r\nhello5\r\n", "5\r\nhello\n",
            "5\r\nhello\r5", "5\r\nhello\r\n\r\n", "0\r\n\n", "0\r\na: b\n", "0\r\n\rx",
            "1000000000000000\r\n", "FFFFFFFFFFFFFFFF\r\n",
        ])
    func broken(text: String) {
        #expect(take(text).end == .broken)
    }

    @Test("an extension, and all trailers, have a limit", arguments: -1...1)
    func bounds(difference: Int) {
        let count = ChunkedBody.limitBytes + difference
        let expected: ChunkedBody.End? = difference > 0 ? .broken : .whole
        let text = ";" + String(repeating: "a", count: count - 1)
        #expect(take("0" + text + "\r\n\r\n").end == expected)
        let trailers = "a:" + String(repeating: "b", count: count - 4) + "\r\nc:\r\n"
        #expect(take("0\r\n" + trailers + "\r\n").end == expected)
    }
}
