import EventLoop
import Testing

@testable import WebSocketServer

/// What a peer may ask on the wire, and what is refused before anybody is asked about it.
@Suite struct RequestTests {
    private static let chunked =
        "POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"

    @Test(
        "a head that is wrong is answered, and its connection ends",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", "400"), ("BREW / HTTP/1.1\r\nHost: x\r\n\r\n", "501"),
            ("GET / HTTP/2.0\r\n\r\n", "505"), ("\u{16}\u{3}\u{1}\u{2}", "400"),
            ("GET / HTTP/1.1\r\nHost: x\r\na : b\r\n\r\n", "400"),
            ("GET /" + String(repeating: "a", count: 2_000), "414"),
            ("GET / HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: 400), "431"),
        ])
    func refuses(head: String, status: String) throws {
        var options = ServerOptions()
        options.maximumHeadBytes = 1_024
        let handler = WaitingHandler()
        try withServer(options: options, handler: handler) { port in
            let client = RawClient(port: port)
            client.send("GET /first HTTP/1.1\r\nHost: x\r\n\r\n" + head)
            let answers = String(decoding: client.readToEnd(), as: UTF8.self)
            #expect(answers.contains("GET /first") && answers.contains("HTTP/1.1 \(status) "))
            #expect(answers.contains("connection: close\r\n"))
            let next = RawClient(port: port)
            next.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(next.readText(until: "GET /next").hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
        #expect(handler.requests == 2)
    }

    @Test("a header of any name hides no other")
    func readsEveryHeader() throws {
        try withServer(handler: WaitingHandler()) { port in
            let client = RawClient(port: port)
            client.send(
                "POST /post HTTP/1.1\r\nHost: x\r\nX: 1\r\nIf: 2\r\nContent-Length: 4\r\nAccept-: 3\r\n\r\nbody"
            )
            #expect(client.readText(until: "POST /post body").contains("200 OK"))
        }
    }

    @Test("another upgrade than to a WebSocket is passed over")
    func passesUpgrades() throws {
        try withServer(handler: WaitingHandler()) { port in
            let client = RawClient(port: port)
            for _ in 0..<2 {
                client.send(
                    "POST /post HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                        + "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: 4\r\n\r\nbody"
                )
                #expect(client.readText(until: "POST /post body").contains("200 OK"))
            }
        }
    }

    @Test("a whole answer has its date")
    func datesAnswers() throws {
        try withServer(handler: WaitingHandler()) { port in
            let client = RawClient(port: port)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let head = client.readText(until: "\r\n\r\n")
            #expect(head.contains("date: ") && head.contains(" GMT\r\n"))
        }
    }

    // MARK: Bodies in chunks

    @Test("a body in chunks is collected, and the connection ends with the answer")
    func collectsChunks() throws {
        try withServer(handler: WaitingHandler()) { port in
            let body = "4\r\nbody\r\n1;a=b\r\n!\r\n0\r\nt: r\r\n\r\n"
            let whole = RawClient(port: port)
            whole.send(Self.chunked + "\r\n" + body + "GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
            let cut = RawClient(port: port)
            for byte in (Self.chunked + "\r\n" + body).utf8 { cut.send([byte]) }
            for client in [whole.readToEnd(), cut.readToEnd()] {
                let answer = String(decoding: client, as: UTF8.self)
                #expect(
                    answer.hasPrefix("HTTP/1.1 200 OK\r\n")
                        && answer.hasSuffix("\r\n\r\nPOST /post body!"))
                #expect(answer.contains("connection: close\r\n"))
            }
        }
    }

    @Test("an answer to chunks takes its time")
    func answersLate() throws {
        var options = ServerOptions()
        options.requestTimeoutSeconds = 1
        try withServer(options: options, handler: WaitingHandler()) { port in
            let client = RawClient(port: port)
            client.send(
                Self.chunked.replacing("/post", with: "/late") + "\r\n4\r\nbody\r\n0\r\n\r\n")
            #expect(client.readText(until: "POST /late body").contains("200 OK"))
        }
    }

    @Test("a body in chunks has the same limit as one with a length", arguments: -1...1)
    func boundsChunks(difference: Int) throws {
        var options = ServerOptions()
        options.maximumBodyBytes = 8
        try withServer(options: options, handler: WaitingHandler()) { port in
            let client = RawClient(port: port)
            let last = String(repeating: "x", count: 4 + difference)
            client.send(
                Self.chunked + "\r\n4\r\nbody\r\n\(last.utf8.count)\r\n\(last)\r\n0\r\n\r\n")
            let status = difference > 0 ? "413" : "200"
            #expect(
                String(decoding: client.readToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 \(status) ")
            )
        }
    }

    @Test("bodies in chunks share the limit of all", arguments: -1...1)
    func sharesTheLimit(difference: Int) throws {
        var options = ServerOptions()
        options.maximumCollectedBytes = 8 + difference
        try withServer(options: options, handler: WaitingHandler()) { port in
            let first = RawClient(port: port)
            first.send(Self.chunked + "Expect: 100-continue\r\n\r\n")
            #expect(first.readText(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 Continue"))
            let second = RawClient(port: port)
            second.send(
                "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
            )
            #expect(second.readText(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 Continue"))
            first.send("4\r\nbody\r\n0\r\n\r\n")
            let answer = String(decoding: first.readToEnd(), as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 \(difference < 0 ? "503" : "200") "))
            second.send("body")
            #expect(second.readText(until: "POST /post body").hasPrefix("HTTP/1.1 200 OK"))
        }
    }

    @Test("chunks that are broken, or have no end, are answered or given up")
    func refusesBrokenChunks() throws {
        var options = ServerOptions()
        options.requestTimeoutSeconds = 1
        let handler = WaitingHandler()
        try withServer(options: options, handler: handler) { port in
            let broken = RawClient(port: port)
            broken.send(Self.chunked + "\r\n4\r\nbodyx\r\n")
            #expect(String(decoding: broken.readToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 400 "))
            let open = RawClient(port: port)
            open.send(Self.chunked + "\r\n4\r\nbody\r\n")
            #expect(open.readToEnd().isEmpty)
        }
        #expect(handler.requests == 0)
    }
}

/// Repeats what was asked, after a while where that is `/late`.
private final class WaitingHandler: ServerHandler {
    private(set) var requests = 0
    private var timers: [LoopTimer] = []

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        .refuse(.error(404, "not_found", "no such path"))
    }

    func respond(to exchange: HTTPExchange) {
        requests += 1
        let text = "\(exchange.request.method.rawValue) \(exchange.request.path)"
        let body = exchange.body.isEmpty ? [] : [UInt8(ascii: " ")] + exchange.body
        let response = HTTPResponse(status: 200, body: Array(text.utf8) + body)
        guard exchange.request.path == "/late" else { return exchange.respond(response) }
        let timer = exchange.loop.makeTimer { exchange.respond(response) }
        // Twice as long as the peer may pause within its request.
        timer.arm(after: .seconds(2))
        timers.append(timer)
    }
}
