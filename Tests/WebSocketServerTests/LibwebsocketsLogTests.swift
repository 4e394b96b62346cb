import Synchronization
import Testing

@testable import WebSocketServer

@Suite("The log of libwebsockets")
struct LibwebsocketsLogTests {
    private final class Handler: ServerHandler, WebSocketHandler {
        let maximumMessageBytes = 1 << 10
        func upgrade(_ request: HTTPRequest) -> UpgradeDecision { .accept(self) }
        func respond(to exchange: HTTPExchange) {}
        func webSocketOpened(_ socket: WebSocket) {}
        func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {}
        func webSocketIsClear(_ socket: WebSocket) {}
        func webSocketClosed(_ socket: WebSocket) {}
    }

    private final class Lines: Sendable {
        private let all = Mutex<[(LibwebsocketsLog.Level, String)]>([])

        func add(_ level: LibwebsocketsLog.Level, _ line: String) {
            all.withLock { $0.append((level, line)) }
        }

        func contains(_ level: LibwebsocketsLog.Level, _ text: String) -> Bool {
            all.withLock { $0.contains { $0.0 == level && $0.1.contains(text) } }
        }
    }

    @Test("has one receiver for all servers, with the level of each line and without its end")
    func tellsLevels() throws {
        let lines = Lines()
        LibwebsocketsLog.receive { level, line in
            #expect(line.last?.isNewline == false)
            lines.add(level, line)
        }
        try withServer(handler: Handler()) { port in
            let client = RawClient(port: port)
            client.send("GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 20_000))
            _ = client.readToEnd()
        }
        #expect(lines.contains(.error, "Ran out of header data space"))
        // A server that is made later takes nothing over.
        try withServer(handler: Handler()) { port in
            let client = RawClient(port: port)
            client.send("GET / HTTP/1.1\r\nGET / HTTP/1.1\r\n\r\n")
            _ = client.readToEnd()
        }
        #expect(lines.contains(.warning, "Duplicated method"))
    }
}
