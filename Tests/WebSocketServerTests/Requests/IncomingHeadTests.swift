import Testing

@testable import WebSocketServer

@Suite struct IncomingHeadTests {
    private static let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    /// Feeds `text` in two pieces, or byte by byte.
    private func read(_ text: String, cut: Int?, limit: Int = 1 << 10) -> (IncomingHead, taken: Int)
    {
        var head = IncomingHead(limit: limit)
        let bytes = Array(text.utf8)
        let pieces =
            cut.map { [bytes[..<$0], bytes[$0...]] } ?? bytes.indices.map { bytes[$0...$0] }
        let taken = pieces.map { head.take(Array($0).span) }.reduce(0, +)
        return (head, taken)
    }

    private func isWhole(_ head: IncomingHead) -> Bool {
        if case .whole = head.end { true } else { false }
    }

    private func status(_ head: IncomingHead) -> Int? {
        if case .failed(let fault) = head.end { fault.response.status } else { nil }
    }

    @Test(
        "a head ends with its empty line, wherever it is cut",
        arguments: [get, "GET / HTTP/1.1\nHost: x\n\n"])
    func ends(text: String) {
        for cut in [nil] + (0...text.utf8.count).map({ $0 }) {
            let (head, taken) = read(text + "GET /next", cut: cut)
            #expect(isWhole(head) && taken == text.utf8.count)
            #expect(head.bytes == Array(text.utf8))
        }
    }

    @Test("empty lines before it are passed over")
    func passesEmptyLines() {
        let (head, taken) = read("\r\n\n\r\n" + Self.get, cut: nil)
        #expect(isWhole(head) && taken == Self.get.utf8.count + 5)
        #expect(head.bytes == Array(Self.get.utf8))
        #expect(read("\r\n\r\n", cut: nil).0.end == nil)
    }

    @Test(
        "what is no HTTP is refused at its first byte",
        arguments: ["\u{16}\u{3}\u{1}", "\0", " GET", "{}", "\u{7F}"])
    func refusesOthers(text: String) {
        let (head, taken) = read(text, cut: nil)
        #expect(status(head) == 400 && taken == 1)
    }

    @Test("a head has at most its limit of bytes", arguments: -1...1)
    func isBounded(difference: Int) {
        let limit = 64 + difference
        let line = "GET / HTTP/1.1\r\na: "
        let text = line + String(repeating: "b", count: 64 - line.utf8.count - 4) + "\r\n\r\n"
        let (head, _) = read(text, cut: nil, limit: limit)
        #expect(isWhole(head) == (difference >= 0))
        #expect(status(head) == (difference < 0 ? 431 : nil))
    }

    @Test("a head that is too long for its target says so")
    func namesTheTarget() {
        let (head, _) = read("GET /" + String(repeating: "a", count: 80), cut: nil, limit: 64)
        #expect(status(head) == 414)
    }
}
