import Testing

@testable import WebSocketServer

@Suite struct HTTPRequestTests {
    private func request(_ text: String) throws(RequestFault) -> HTTPRequest {
        try HTTPRequest(Array(text.utf8), remoteAddress: "::1")
    }

    private func request(line: String) throws(RequestFault) -> HTTPRequest {
        try request(line + "\r\nHost: x\r\n\r\n")
    }

    private func request(headers: String) throws(RequestFault) -> HTTPRequest {
        try request("POST / HTTP/1.1\r\nHost: x\r\n\(headers)\r\n\r\n")
    }

    private func code(_ make: () throws(RequestFault) -> HTTPRequest) -> String? {
        do throws(RequestFault) {
            _ = try make()
            return nil
        } catch {
            let body = String(decoding: error.response.body, as: UTF8.self)
            return "\(error.response.status) \(body.split(separator: "\"")[5])"
        }
    }

    // MARK: The request line

    @Test(
        "a request line is METHOD TARGET HTTP/1.x",
        arguments: [
            ("GET / HTTP/1.1", nil), ("DELETE /a HTTP/1.0", nil), ("GET / HTTP/1.9", nil),
            ("BREW / HTTP/1.1", "501 unknown_method"), ("get / HTTP/1.1", "501 unknown_method"),
            ("CONNECT x:443 HTTP/1.1", "501 unknown_method"),
            ("G@T / HTTP/1.1", "400 invalid_request"),
            ("GET / HTTP/2.0", "505 unsupported_http_version"),
            ("PRI * HTTP/2.0", "505 unsupported_http_version"),
            ("GET / HTTP/0.9", "505 unsupported_http_version"), ("GET /", "400 invalid_request"),
            ("GET / HTTP/3", "400 invalid_request"), ("GET / HTTP/01.1", "400 invalid_request"),
            ("GET / http/1.1", "400 invalid_request"), ("GET / HTTP/1.1 ", "400 invalid_request"),
            ("GET  / HTTP/1.1", "400 invalid_request"), ("GET\t/\tHTTP/1.1", "400 invalid_request"),
            ("GET /a b HTTP/1.1", "400 invalid_request"), ("GET  HTTP/1.1", "400 invalid_request"),
            ("GET / HTTP/1.x", "400 invalid_request"), ("GET / HTTP/1,1", "400 invalid_request"),
            ("GET / HTTP/٣.١", "400 invalid_request"),
        ] as [(String, String?)])
    func line(text: String, refusal: String?) {
        #expect(code { () throws(RequestFault) in try request(line: text) } == refusal)
    }

    @Test(
        "a target is a path and a query, decoded once",
        arguments: [
            ("/", "/", []), ("/a%2Fb%20c+d;e&f", "/a/b c+d;e&f", []),
            ("/a//b/./..", "/a//b/./..", []),
            ("/%252e?a=%2526", "/%2e", ["a=%26"]),
            ("/a?b=1&&c&d=x+y%2B%20z=", "/a", ["b=1", "c", "d=x y+ z="]),
            ("/?", "/", []), ("/a?b?c=/", "/a", ["b?c=/"]), ("/%00", "/\0", []),
            ("/%C3%A4", "/ä", []),
            ("http://h:80/a?b", "/a", ["b"]), ("HTTP://h", "/", []), ("http://h?b", "/", ["b"]),
        ] as [(String, String, [String])])
    func target(text: String, path: String, query: [String]) throws {
        let request = try request(line: "GET \(text) HTTP/1.1")
        #expect(request.path == path && request.query == query)
    }

    @Test(
        "a target that is none is refused",
        arguments: [
            "a", "*", "?a", "/a#b", "/ä", "/a\u{1}", "/a\u{7F}", "/%", "/%4", "/%zz", "/?a=%g0",
            "ftp://h/", "http:/h/", "http://", "https://h/",
        ])
    func noTarget(text: String) {
        #expect(
            code { () throws(RequestFault) in try request(line: "GET \(text) HTTP/1.1") }
                == "400 invalid_path")
    }

    @Test("only OPTIONS asks about the whole server")
    func wholeServer() throws {
        #expect(try request(line: "OPTIONS * HTTP/1.1").path == "*")
    }

    // MARK: Headers

    @Test(
        "a header is a name, a colon and a value",
        arguments: [
            ("a: b", nil), ("a:b", nil), ("a:", nil), ("a: \t ", nil),
            ("X: 1\r\nIf: 2\r\nAccept-: 3", nil),
            ("a: b\tc ü", nil), ("!#$%&'*+-.^_`|~: a", nil), ("a : b", "400 invalid_request"),
            ("a\t: b", "400 invalid_request"), (": b", "400 invalid_request"),
            ("a", "400 invalid_request"),
            ("a(b: c", "400 invalid_request"), ("ä: b", "400 invalid_request"),
            ("a: b\r\n c", "400 invalid_request"),
            ("a: b\r\n\tc: d", "400 invalid_request"), ("a: b\rc: d", "400 invalid_request"),
            ("a: b\r\r\nc: d", "400 invalid_request"), ("a: b\0", "400 invalid_request"),
            ("a: b\u{1B}", "400 invalid_request"), ("a: b\u{7F}", "400 invalid_request"),
        ] as [(String, String?)])
    func header(text: String, refusal: String?) {
        #expect(code { () throws(RequestFault) in try request(headers: text) } == refusal)
    }

    @Test("a header is found by its name in any case, and its values by commas")
    func lookUp() throws {
        let headers = try request(headers: "Accept: a \r\nACCEPT:\tb, c\r\nAccept-: d\r\nEmpty:")
            .headers
        #expect(
            headers["accept"] == "a, b, c" && headers["accept-"] == "d" && headers["empty"] == "")
        #expect(headers["accep"] == nil && headers["missing"] == nil)
        #expect(headers.members(of: "accept") == ["a", "b", "c"])
        #expect(headers.names == ["accept", "accept-", "empty", "host"])
    }

    @Test("a line may end without a CR")
    func bareLineFeeds() throws {
        let request = try request("GET /a HTTP/1.1\nHost: x\na: b\n\n")
        #expect(request.path == "/a" && request.headers["a"] == "b")
    }

    @Test(
        "there is one host, but in HTTP/1.0",
        arguments: [
            ("GET / HTTP/1.1\r\n", "400 invalid_request"), ("GET / HTTP/1.0\r\n", nil),
            ("GET / HTTP/1.1\r\nHost:\r\n", nil),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", "400 invalid_request"),
            ("GET / HTTP/1.1\r\nHost: a b\r\n", "400 invalid_request"),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n", "400 invalid_request"),
            ("GET / HTTP/1.1\r\nHost: u@a\r\n", "400 invalid_request"),
            ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n", nil),
            ("GET http://a/ HTTP/1.1\r\n", "400 invalid_request"),
            ("GET http:///a HTTP/1.1\r\nHost: a\r\n", "400 invalid_request"),
            ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n", "400 invalid_request"),
        ] as [(String, String?)])
    func host(head: String, refusal: String?) {
        #expect(code { () throws(RequestFault) in try request(head + "\r\n") } == refusal)
    }

    @Test("a target's host stands before that of the header")
    func targetHost() throws {
        #expect(try request("GET http://a:80/ HTTP/1.1\r\nHost: b\r\n\r\n").host == "a:80")
        #expect(try request("GET / HTTP/1.1\r\nHost: b\r\n\r\n").host == "b")
    }

    // MARK: Bodies

    @Test(
        "a body has a length, or comes in chunks",
        arguments: [
            ("a: b", BodyFraming.none), ("Content-Length: 0", .none),
            ("Content-Length: 007", .length(7)),
            ("Content-Length: 99999999999999999999", .length(.max)),
            ("Transfer-Encoding: Chunked", .chunks),
        ])
    func framing(headers: String, framing: BodyFraming) throws {
        #expect(try request(headers: headers).framing == framing)
    }

    @Test(
        "what could be read in two ways is refused",
        arguments: [
            ("Content-Length:", "400 invalid_content_length"),
            ("Content-Length: -1", "400 invalid_content_length"),
            ("Content-Length: +1", "400 invalid_content_length"),
            ("Content-Length: 1 1", "400 invalid_content_length"),
            ("Content-Length: 0x1", "400 invalid_content_length"),
            ("Content-Length: 1, 1", "400 invalid_content_length"),
            ("Content-Length: ١", "400 invalid_content_length"),
            ("Content-Length: 1\r\nContent-Length: 1", "400 invalid_content_length"),
            ("Content-Length : 1", "400 invalid_request"),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked", "400 invalid_request"),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0", "400 invalid_request"),
            ("Transfer-Encoding: identity", "400 invalid_request"),
            ("Transfer-Encoding: chunked, gzip", "400 invalid_request"),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "400 invalid_request"),
            ("Transfer-Encoding:", "400 invalid_request"),
            ("Transfer-Encoding: xchunked", "400 invalid_request"),
            ("Transfer-Encoding: \u{0B}chunked", "400 invalid_request"),
            ("Transfer-Encoding: gzip, chunked", "501 unsupported_transfer_coding"),
        ])
    func refusedFraming(headers: String, refusal: String) {
        #expect(code { () throws(RequestFault) in try request(headers: headers) } == refusal)
    }

    @Test("HTTP/1.0 has no chunks")
    func noChunks() {
        #expect(
            code { () throws(RequestFault) in
                try request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")
            } == "400 invalid_request")
    }

    // MARK: Connections

    @Test("a connection ends with HTTP/1.0 or by its own word")
    func endsConnection() throws {
        #expect(try request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").endsConnection)
        #expect(try request(headers: "Connection: x, Close").endsConnection)
        #expect(try !request(headers: "Connection: keep-alive").endsConnection)
    }

    @Test(
        "only a WebSocket is an upgrade",
        arguments: [
            ("Upgrade: h2c", false), ("Upgrade: h2c, WebSocket", true),
            ("Upgrade: websocket", true), ("a: b", false),
        ])
    func upgrade(headers: String, isUpgrade: Bool) throws {
        #expect(try request(headers: headers).isUpgrade == isUpgrade)
    }
}
