import Testing

@testable import WebSocketServer

@Suite("A WebSocket server")
struct WebSocketServerTests {
    @Test("echoes whole, fragmented and large messages")
    func echoes() throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            #expect(client.upgrade(path: "/echo").hasPrefix("HTTP/1.1 101"))
            client.send(RawClient.frame(1, Array("hello".utf8)))
            #expect(client.read { $0.count >= 7 } == [0x81, 5] + Array("hello".utf8))
            client.send(RawClient.frame(1, Array("hel".utf8), isFinal: false))
            client.send(RawClient.frame(0, Array("lo".utf8)))
            #expect(client.read { $0.count >= 7 } == [0x81, 5] + Array("hello".utf8))
            let large = [UInt8](repeating: 65, count: 60_000)
            client.send(RawClient.frame(2, large))
            #expect(client.read { $0.count >= 60_004 } == [0x82, 126, 0xEA, 0x60] + large)
        }
    }

    @Test("closes with the code and reason it was told, and ends with the peer's answer")
    func closes() throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/echo")
            client.send(RawClient.frame(1, Array("close".utf8)))
            let close = client.read { $0.count >= 8 }
            #expect(close == [0x88, 6, 0x11, 0x30] + Array("done".utf8))
            client.send(RawClient.frame(8, [0x11, 0x30]))
            #expect(client.readToEnd().isEmpty)
        }
    }

    @Test("closes a text that an empty frame ends inside a character", arguments: [1, 2, 3])
    func looksAtTheEndOfTexts(bytes: Int) throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/echo")
            let text = Array("a😀".utf8)
            client.send(RawClient.frame(1, text, isFinal: false) + RawClient.frame(0, []))
            #expect(client.read { $0.count >= 7 } == [0x81, 5] + text)
            client.send(RawClient.frame(1, Array(text.prefix(1 + bytes)), isFinal: false))
            client.send(RawClient.frame(0, []))
            let close = client.read { $0.count >= 4 }
            #expect(close.prefix(1) == [0x88] && close.dropFirst(2).prefix(2) == [0x03, 0xEF])
        }
    }

    @Test("answers a close frame of one byte as the fault that it is")
    func refusesHalfACode() throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/echo")
            client.send(RawClient.frame(8, [3]))
            let close = client.readToEnd()
            #expect(close.prefix(1) == [0x88] && close.dropFirst(2).prefix(2) == [0x03, 0xEA])
        }
    }

    @Test("sends what waits for its turn before it answers a close")
    func sendsBeforeClosing() throws {
        try withServer(handler: EchoHandler(isLate: true)) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/echo")
            client.send(RawClient.frame(1, Array("hello".utf8)) + RawClient.frame(8, [0x03, 0xE8]))
            #expect(client.readToEnd() == [0x81, 5] + Array("hello".utf8) + [0x88, 2, 0x03, 0xE8])
        }
    }

    @Test("writes one close frame where what waits for its turn closes, too")
    func closesOnce() throws {
        try withServer(handler: EchoHandler(isLate: true)) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/echo")
            client.send(RawClient.frame(1, Array("bye".utf8)) + RawClient.frame(8, [0x03, 0xE8]))
            #expect(
                client.readToEnd()
                    == [0x81, 3] + Array("bye".utf8) + [0x88, 6, 0x11, 0x30] + Array("done".utf8))
        }
    }

    @Test("takes a message of the limit and closes with 1009 above it")
    func limitsMessages() throws {
        try withServer(handler: EchoHandler(limit: 100)) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/echo")
            client.send(RawClient.frame(1, [UInt8](repeating: 65, count: 100)))
            #expect(client.read { $0.count >= 102 }.count == 102)
            client.send(RawClient.frame(1, [UInt8](repeating: 65, count: 101)))
            let close = client.read { $0.count >= 4 }
            #expect(close.prefix(1) == [0x88])
            #expect(close.dropFirst(2).prefix(2) == [0x03, 0xF1])
        }
    }

    @Test(
        "refuses what it cannot open with a real answer",
        arguments: [
            ("/echo", "Sec-WebSocket-Protocol: other\r\n", "HTTP/1.1 400"),
            ("/nowhere", "", "HTTP/1.1 404"),
        ])
    func refuses(_ path: String, _ headers: String, _ expected: String) throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            #expect(client.upgrade(path: path, headers: headers).hasPrefix(expected))
        }
    }

    @Test("chooses its subprotocol among several")
    func negotiates() throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            let head = client.upgrade(
                path: "/echo", headers: "Sec-WebSocket-Protocol: other, millrace.v1\r\n")
            #expect(head.lowercased().contains("sec-websocket-protocol: millrace.v1"))
        }
    }

    @Test("keeps a connection alive over requests with and without a body")
    func answersRequests() throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            for _ in 0..<3 {
                client.send("GET /hello?a=b HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(client.readText(until: "GET /hello a=b").contains("200 OK"))
                client.send("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
                #expect(client.readText(until: "POST /post body").contains("200 OK"))
            }
            client.send("POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            #expect(client.readText(until: "POST /empty").contains("200 OK"))
            client.send("POST /none HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(client.readText(until: "POST /none").contains("200 OK"))
            client.send("GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let last = String(decoding: client.readToEnd(), as: UTF8.self)
            #expect(last.contains("connection: close") && last.contains("GET /last"))
        }
    }

    @Test(
        "what follows an empty argument of a query is an argument too",
        arguments: [("a=1&&b=2", "a=1b=2"), ("&b=2", "b=2"), ("b=2&", "b=2"), ("", "")])
    func readsPastEmptyArguments(query: String, expected: String) throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            client.send("GET /q?\(query) HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = client.readText(until: "GET /q \(expected)")
            #expect(answer.hasSuffix("GET /q \(expected)"), "\(answer)")
        }
    }

    @Test(
        "a peer of HTTP/1.0 gets no chunks: the connection's end is the answer's",
        arguments: ["close", "keep-alive"])
    func streamsWithoutChunks(connection: String) throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            client.send("GET /stream HTTP/1.0\r\nConnection: \(connection)\r\n\r\n")
            let answer = String(decoding: client.readToEnd(), as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(!answer.contains("transfer-encoding"))
            #expect(answer.contains("connection: close\r\n"))
            #expect(answer.hasSuffix("\r\n\r\nhelloworld"), "\(answer)")
        }
    }

    @Test(
        "an answer whose status has no content ends with its head, and the connection goes on",
        arguments: [204, 205, 304], ["whole", "chunked"])
    func answersWithoutContent(status: Int, way: String) throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            client.send("GET /status/\(way)/\(status) HTTP/1.1\r\nHost: x\r\n\r\n")
            let head = client.readText(until: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 \(status) ") && head.hasSuffix("\r\n\r\n"))
            #expect(!head.contains("transfer-encoding"))
            #expect(head.contains("content-length: 0\r\n") == (status == 205), "\(head)")
            client.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(client.readText(until: "GET /next").hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    @Test("streams a chunked body and hears of a peer that leaves")
    func streams() throws {
        let handler = EchoHandler()
        try withServer(handler: handler) { port in
            let client = RawClient(port: port)
            client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(client.readText(until: "0\r\n\r\n").contains("5\r\nhello\r\n5\r\nworld\r\n"))
            client.send("GET /forever HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = client.readText(until: "hello")
        }
        #expect(handler.leftEarly == 1)
    }
}

/// Echoes messages; "close" closes.
///
/// Answers requests with what they were.
final class EchoHandler: ServerHandler, WebSocketHandler, HTTPExchangeObserver {
    let maximumMessageBytes: Int
    private(set) var leftEarly = 0
    private var kept: [HTTPExchange] = []

    /// Messages go back when the socket says that it is clear.
    private let isLate: Bool
    private var late: [[UInt8]] = []

    init(limit: Int = 1 << 20, isLate: Bool = false) {
        maximumMessageBytes = limit
        self.isLate = isLate
    }

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        request.path == "/echo" ? .accept(self) : .refuse(.error(404, "not_found", "no such path"))
    }

    func respond(to exchange: HTTPExchange) {
        let request = exchange.request
        switch request.path {
        case "/stream", "/forever":
            exchange.begin(status: 200, headers: [], length: .chunked)
            for word in ["hello", "world"] {
                var frame = OutgoingFrame()
                frame.bytes.append(contentsOf: word.utf8)
                #expect(exchange.write(&frame))
            }
            if request.path == "/stream" { return exchange.end() }
            exchange.observer = self
            kept.append(exchange)
        case _ where request.path.hasPrefix("/status/whole/"):
            let status = request.path.split(separator: "/").last.flatMap { Int($0) } ?? 0
            exchange.respond(HTTPResponse(status: status, body: Array("hello".utf8)))
        case _ where request.path.hasPrefix("/status/chunked/"):
            let status = request.path.split(separator: "/").last.flatMap { Int($0) } ?? 0
            exchange.begin(status: status, headers: [], length: .chunked)
            var frame = OutgoingFrame()
            frame.bytes.append(contentsOf: "hello".utf8)
            #expect(exchange.write(&frame))
            exchange.end()
        default:
            let text = "\(request.method.rawValue) \(request.path) \(request.query.joined())"
            exchange.respond(
                HTTPResponse(status: 200, body: Array(text.utf8) + exchange.body))
        }
    }

    func exchangeIsClear(_ exchange: HTTPExchange) {}
    func exchangePeerClosed(_ exchange: HTTPExchange) { leftEarly += 1 }
    func webSocketOpened(_ socket: WebSocket) {}
    func webSocketIsClear(_ socket: WebSocket) {
        for message in late {
            var frame = OutgoingFrame()
            frame.bytes.append(contentsOf: message)
            #expect(socket.send(&frame) == .sent)
            if message.elementsEqual("bye".utf8) { socket.close(CloseCode(4400), "done") }
        }
        late = []
    }

    func webSocketClosed(_ socket: WebSocket) {}

    func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {
        var frame = OutgoingFrame()
        for index in message.indices { frame.bytes.append(message[index]) }
        if frame.bytes.dropFirst(OutgoingFrame.headroom).elementsEqual("close".utf8) {
            return socket.close(CloseCode(4400), "done")
        }
        guard !isLate else {
            late.append(Array(frame.bytes.dropFirst(OutgoingFrame.headroom)))
            return socket.askForWritable()
        }
        #expect(socket.send(&frame, isBinary: isBinary) == .sent)
    }
}
