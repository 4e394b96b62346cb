import Glibc
import Synchronization
import Testing

@testable import WebSocketServer

/// Bytes that the kernel took for a peer that reads nothing.
private let takenBytes = Atomic<Int>(0)

/// Writes to its peer for as long as the socket is clear.
private final class Flood: ServerHandler, WebSocketHandler {
    let maximumMessageBytes = 1024

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision { .accept(self) }
    func respond(to exchange: HTTPExchange) { exchange.respond(HTTPResponse(status: 404)) }

    func webSocketOpened(_ socket: WebSocket) { socket.askForWritable() }

    func webSocketIsClear(_ socket: WebSocket) {
        guard takenBytes.load(ordering: .relaxed) == 0 else { return }
        var taken = 0
        while socket.isClear, taken < 64 << 20 {
            var frame = OutgoingFrame()
            frame.bytes.append(contentsOf: repeatElement(0x20, count: 512))
            guard socket.send(&frame) == .sent else { break }
            taken += 512
        }
        takenBytes.store(taken, ordering: .relaxed)
    }

    func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {}
    func webSocketClosed(_ socket: WebSocket) {}
}

@Suite("Bytes in the kernel")
struct UnsentBytesTests {
    @Test("a peer that reads nothing is soon not clear, so that its backlog stays a cursor")
    func bounded() throws {
        try withServer(handler: Flood()) { port in
            let client = RawClient(port: port, receiveBufferBytes: 4_096)
            _ = client.upgrade(path: "/")
            for _ in 0..<6_000 where takenBytes.load(ordering: .relaxed) == 0 { usleep(10_000) }
        }
        let taken = takenBytes.load(ordering: .relaxed)
        #expect((32 << 10...256 << 10).contains(taken), "\(taken) bytes")
    }
}
