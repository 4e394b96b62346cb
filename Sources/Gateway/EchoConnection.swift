import WebSocketServer

/// `/debug/echo`: sends every message back, for WebSocket conformance suites.
final class EchoConnection: WebSocketHandler {
    /// Conformance suites send messages of 16 MiB.
    let maximumMessageBytes = 64 << 20
    /// What waits while the socket is not clear; bounded by what one peer on loopback has in flight.
    private var waiting: [(bytes: [UInt8], isBinary: Bool)] = []

    func webSocketOpened(_ socket: WebSocket) {}

    func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.count)
        for index in message.indices { bytes.append(message[index]) }
        waiting.append((bytes, isBinary))
        // Not at once: a ping that came in the same read is answered first then.
        socket.askForWritable()
    }

    func webSocketIsClear(_ socket: WebSocket) { flush(socket) }

    func webSocketClosed(_ socket: WebSocket) { waiting = [] }

    private func flush(_ socket: WebSocket) {
        while let next = waiting.first {
            var frame = OutgoingFrame(capacity: next.bytes.count)
            frame.bytes.append(contentsOf: next.bytes)
            guard socket.send(&frame, isBinary: next.isBinary) == .sent else { return }
            waiting.removeFirst()
        }
    }
}
