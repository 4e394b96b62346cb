import LoadClient
import Testing

@Suite("The opening handshake and client frames")
struct HandshakeTests {
    /// The key and answer of RFC 6455, section 1.3.
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    static let answer = Array(
        """
        HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r
        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: millrace.v1\r\n\r\n
        """.utf8)

    @Test("the answer may be split anywhere", arguments: 0...answer.count)
    func split(at cut: Int) throws {
        var handshake = Handshake(
            key: Self.key, subprotocol: "millrace.v1", sha1: Digest.sha1)
        let rest = Array(Self.answer[cut...]) + [0x81, 0x00]
        var offset = 0
        let isDone = try handshake.feed(Array(Self.answer[..<cut]).span, from: &offset)
        #expect(isDone == (cut == Self.answer.count))
        guard !isDone else { return }
        offset = 0
        #expect(try handshake.feed(rest.span, from: &offset))
        #expect(offset == rest.count - 2, "the first frame stays")
    }

    @Test("a refusal carries status and body")
    func refusal() {
        var handshake = Handshake(
            key: Self.key, subprotocol: "millrace.v1", sha1: Digest.sha1)
        let body = Array("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nfull".utf8)
        #expect(throws: Handshake.Failure.refused(status: 503, body: "full")) {
            var offset = 0
            _ = try handshake.feed(body.span, from: &offset)
        }
    }

    @Test("an answer to another key is refused")
    func wrongAccept() {
        var handshake = Handshake(
            key: "AAAAAAAAAAAAAAAAAAAAAA==", subprotocol: nil, sha1: Digest.sha1)
        #expect(throws: Handshake.Failure.malformed("Sec-WebSocket-Accept is wrong")) {
            var offset = 0
            _ = try handshake.feed(Self.answer.span, from: &offset)
        }
    }

    @Test("a subprotocol that was not offered is refused")
    func notOffered() {
        var handshake = Handshake(key: Self.key, subprotocol: nil, sha1: Digest.sha1)
        #expect(throws: Handshake.Failure.malformed("subprotocol 'millrace.v1' was not offered")) {
            var offset = 0
            _ = try handshake.feed(Self.answer.span, from: &offset)
        }
    }

    @Test("the request carries what its protocol adds")
    func request() throws {
        func text(_ url: String, _ subprotocol: String?, _ extras: Handshake.Extras) throws
            -> String
        {
            let target = try TargetURL(url, defaultPath: "/v1/responses")
            let bytes = Handshake.request(
                target, key: Self.key, subprotocol: subprotocol, extras: extras)
            return String(decoding: bytes, as: UTF8.self)
        }
        let plain = try text("ws://h", "millrace.v1", .init())
        #expect(plain.hasPrefix("GET /v1/responses HTTP/1.1\r\nHost: h\r\n"))
        #expect(plain.contains("\r\nSec-WebSocket-Protocol: millrace.v1\r\n"))
        #expect(!plain.contains("Authorization"))
        let more = try text("ws://h/x?y=1", nil, .init(query: "resume=t&after=3", bearer: "k"))
        #expect(more.hasPrefix("GET /x?y=1&resume=t&after=3 HTTP/1.1\r\n"))
        #expect(more.hasSuffix("\r\nAuthorization: Bearer k\r\n\r\n"))
        #expect(!more.contains("Sec-WebSocket-Protocol"))
        #expect(
            try text("ws://h", nil, .init(query: "resume=t")).hasPrefix(
                "GET /v1/responses?resume=t "))
    }

    @Test(
        "base64 pads",
        arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")])
    func base64(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
    }

    @Test("a client frame is masked", arguments: [0, 5, 125, 126, 65_535, 65_536])
    func masked(count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        var frame: [UInt8] = []
        FrameEncoder.append(.text, payload, mask: 0x37FA_213D, to: &frame)
        let header = count < 126 ? 2 : count < 65_536 ? 4 : 10
        #expect(frame[0] == 0x81)
        #expect(frame[1] & 0x80 != 0)
        #expect(Array(frame[header..<(header + 4)]) == [0x37, 0xFA, 0x21, 0x3D])
        let mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        let plain = frame[(header + 4)...].enumerated().map { $1 ^ mask[$0 % 4] }
        #expect(plain == payload)
    }

    @Test(
        "addresses",
        arguments: [
            ("ws://h", false, "h", 80, "/v1/chat"),
            ("wss://h:8443/x?y=1", true, "h", 8_443, "/x?y=1"),
            ("ws://[::1]:9/", false, "::1", 9, "/"),
            ("wss://h?resume=a", true, "h", 443, "/?resume=a"),
        ])
    func url(text: String, isSecure: Bool, host: String, port: UInt16, path: String) throws {
        let url = try TargetURL(text, defaultPath: "/v1/chat")
        #expect(url.isSecure == isSecure && url.host == host && url.port == port)
        #expect(url.path == path)
    }

    @Test("no address", arguments: ["http://h", "ws://", "ws://h:0", "ws://h:70000", "ws://h:x"])
    func notURL(text: String) {
        #expect(throws: TargetURL.Failure.self) { _ = try TargetURL(text, defaultPath: "/v1/chat") }
    }
}
