import Glibc
import Synchronization
import Testing

@testable import WebSocketServer

@Suite("The code of a close")
struct CloseCodeTests {
    /// Writes as much as the peer's kernel takes and more, closes behind it, and then does not look for a while.
    private final class Closer: ServerHandler, WebSocketHandler, Sendable {
        static let pieceBytes = 60_000
        let maximumMessageBytes = 1 << 10
        let code = Atomic<UInt16>(0)
        /// Pieces of which the kernel has all.
        let sent = Atomic<Int>(-1)
        /// The client has read them, and has said what it had to say.
        let goesOn = Atomic<Bool>(false)

        func upgrade(_ request: HTTPRequest) -> UpgradeDecision { .accept(self) }
        func respond(to exchange: HTTPExchange) {}
        func webSocketOpened(_ socket: WebSocket) {}

        func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {
            var count = -1
            while socket.isClear {
                var frame = OutgoingFrame()
                frame.bytes.append(contentsOf: repeatElement(0, count: Self.pieceBytes))
                _ = socket.send(&frame, isBinary: true)
                count += 1
            }
            socket.close(CloseCode(4410), "reads too slowly")
            sent.store(count, ordering: .releasing)
            for _ in 0..<30_000 where !goesOn.load(ordering: .acquiring) { usleep(1000) }
        }

        func webSocketIsClear(_ socket: WebSocket) {}
        func webSocketClosed(_ socket: WebSocket) {
            code.store(socket.closeCode.rawValue, ordering: .relaxed)
        }
    }

    @Test("is ours where we had begun to close, whatever the peer says meanwhile")
    func isOursWhereWeBegan() throws {
        let handler = Closer()
        var options = ServerOptions()
        options.closeTimeout = .seconds(600)
        try withServer(options: options, handler: handler) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/")
            client.send(RawClient.frame(1, Array("begin".utf8)))
            for _ in 0..<30_000 where handler.sent.load(ordering: .acquiring) < 0 { usleep(1000) }
            let bytes = handler.sent.load(ordering: .acquiring) * (Closer.pieceBytes + 4)
            #expect(client.read { $0.count >= bytes }.count >= bytes)
            client.send(RawClient.frame(8, [0x03, 0xE9]))
            // The loop is to find room for the rest and the peer's close at once.
            for _ in 0..<30_000 where client.unconfirmedBytes > 0 { usleep(1000) }
            handler.goesOn.store(true, ordering: .releasing)
            _ = client.readToEnd()
        }
        #expect(handler.code.load(ordering: .relaxed) == 4410)
    }

    @Test("is the peer's where the peer began")
    func isThePeers() throws {
        let handler = Closer()
        try withServer(handler: handler) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/")
            client.send(RawClient.frame(8, [0x03, 0xE9]))
            _ = client.readToEnd()
        }
        #expect(handler.code.load(ordering: .relaxed) == 1001)
    }
}
