import Testing

@testable import WebSocketServer

@Suite("The limit of sockets")
struct SocketLimitTests {
    private final class Handler: ServerHandler, WebSocketHandler {
        let maximumMessageBytes = 1 << 10
        func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
            request.path == "/open" ? .accept(self) : .refuse(.error(404, "not_found", "no"))
        }
        func respond(to exchange: HTTPExchange) { exchange.respond(HTTPResponse(status: 200)) }
        func webSocketOpened(_ socket: WebSocket) {}
        func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {}
        func webSocketIsClear(_ socket: WebSocket) {}
        func webSocketClosed(_ socket: WebSocket) {}
    }

    private static let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    /// What sockets may do, all of them without a whole request.
    private static let beginnings = ["", "GET / HTTP/1.1\r\nHo"]

    private static func options(seconds: UInt32) -> ServerOptions {
        var options = ServerOptions()
        options.maximumSockets = 3
        options.requestTimeoutSeconds = seconds
        return options
    }

    /// True as soon as a new socket is served; one that is turned away tries again.
    private static func isServedSoon(_ port: UInt16) -> Bool {
        for _ in 0..<1000 {
            let client = RawClient(port: port)
            client.send(request)
            if client.readText(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200") { return true }
        }
        return false
    }

    @Test("sockets that say nothing, or half a head, take a place each", arguments: beginnings)
    func countsSilentSockets(beginning: String) throws {
        try withServer(options: Self.options(seconds: 60), handler: Handler()) { port in
            let first = RawClient(port: port)
            first.send(beginning)
            do {
                let second = RawClient(port: port)
                second.send(beginning)
                // The third is the last that there is room for.
                let third = RawClient(port: port)
                third.send(Self.request)
                #expect(third.readText(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
                let fourth = RawClient(port: port)
                #expect(fourth.readText(until: "\r\n\r\n").hasPrefix("HTTP/1.1 503"))
                second.endSending()
            }
            // Two have gone.
            #expect(Self.isServedSoon(port))
            first.endSending()
        }
    }

    @Test("a place comes back when the time for a head is over", arguments: beginnings)
    func freesAfterTimeouts(beginning: String) throws {
        try withServer(options: Self.options(seconds: 1), handler: Handler()) { port in
            let clients = (0..<3).map { _ in Kept(RawClient(port: port)) }
            for client in clients { client.socket.send(beginning) }
            #expect(RawClient(port: port).readText(until: "\r\n\r\n").hasPrefix("HTTP/1.1 503"))
            for client in clients { #expect(client.socket.readToEnd().isEmpty) }
            #expect(Self.isServedSoon(port))
        }
    }

    @Test("a place comes back however its socket ends")
    func freesOnEveryPath() throws {
        try withServer(options: Self.options(seconds: 60), handler: Handler()) { port in
            for _ in 0..<4 {
                RawClient(port: port).send(Self.request)
                RawClient(port: port).send("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")
                RawClient(port: port).send("no request at all\r\n\r\n")
                let reset = RawClient(port: port)
                reset.resetOnClose()
                reset.send("GET ")
                #expect(!RawClient(port: port).upgrade(path: "/other").hasPrefix("HTTP/1.1 101"))
                _ = RawClient(port: port).upgrade(path: "/open")
            }
            // Those that were there are gone, so three are served beside one another.
            #expect(Self.isServedSoon(port))
            let clients = Self.fill(port)
            #expect(RawClient(port: port).readText(until: "\r\n\r\n").hasPrefix("HTTP/1.1 503"))
            withExtendedLifetime(clients) {}
        }
    }

    /// Three sockets that are kept, of which the server has served one request each.
    private static func fill(_ port: UInt16) -> [Kept] {
        var clients: [Kept] = []
        for _ in 0..<1000 where clients.count < 3 {
            let client = Kept(RawClient(port: port))
            client.socket.send(request)
            if client.socket.readText(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200") {
                clients.append(client)
            }
        }
        #expect(clients.count == 3)
        return clients
    }

    /// For arrays, which hold no value that cannot be copied.
    private final class Kept {
        let socket: RawClient
        init(_ socket: consuming RawClient) { self.socket = socket }
    }
}
