import CLibwebsockets
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
        // A server that is made later takes nothing over.
        for text in ["first", "second"] {
            try withServer(handler: Handler()) { _ in }
            write(LLL_ERR, "error of the \(text)\n")
            write(LLL_WARN, "warning of the \(text)\n")
            #expect(lines.contains(.error, "error of the \(text)"))
            #expect(lines.contains(.warning, "warning of the \(text)"))
        }
    }

    /// Writes as the library does: nothing that a client can send makes it write any more.
    private func write(_ level: Int32, _ line: String) {
        withVaList([]) { _lws_logv(level, line, $0) }
    }
}
