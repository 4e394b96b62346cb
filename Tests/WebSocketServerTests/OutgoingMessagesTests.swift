import Testing

@testable import WebSocketServer

/// Asked for it, sends many messages in each write, as long as the socket is clear, and closes behind the last; where it
/// waits for that, not before it hears "end".
private final class Bulk: ServerHandler, WebSocketHandler {
    static let total = 4_000
    let maximumMessageBytes = 1024
    private var next = 0
    private var mayClose: Bool

    init(waitsForEnd: Bool = false) { mayClose = !waitsForEnd }

    static func message(_ number: Int) -> [UInt8] {
        // Lengths of one, three and nine bytes are among them.
        let count = number == 7 ? 70_000 : number % 300
        return Array("\(number):".utf8) + Array(repeating: UInt8(ascii: "x"), count: count)
    }

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision { .accept(self) }
    func respond(to exchange: HTTPExchange) { exchange.respond(HTTPResponse(status: 404)) }
    func webSocketOpened(_ socket: WebSocket) {}

    func webSocketIsClear(_ socket: WebSocket) {
        while socket.isClear, next < Self.total {
            var messages = OutgoingMessages()
            for number in next..<min(next + 100, Self.total) {
                messages.append(Self.message(number).span)
            }
            guard socket.send(&messages) == .sent else { return }
            next += messages.count
        }
        guard next == Self.total, socket.isClear else { return socket.askForWritable() }
        if mayClose { socket.close(.normal, "") }
    }

    func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {
        if message.count == "end".utf8.count { mayClose = true }
        webSocketIsClear(socket)
    }

    func webSocketClosed(_ socket: WebSocket) {}
}

@Suite("messages that leave together")
struct OutgoingMessagesTests {
    private static func frame(_ payload: [UInt8]) -> [UInt8] {
        let length = payload.count
        let header: [UInt8] =
            switch length {
            case ...125: [UInt8(length)]
            case ...0xFFFF: [126, UInt8(length >> 8), UInt8(length & 0xFF)]
            default:
                [127, 0, 0, 0, 0, 0] + [16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
            }
        return [0x81] + header + payload
    }

    @Test("each is a frame with the shortest length", arguments: [0, 1, 125, 126, 0xFFFF, 0x10000])
    func frames(bytes: Int) {
        let payload = [UInt8](repeating: UInt8(ascii: "a"), count: bytes)
        var messages = OutgoingMessages()
        messages.append(payload.span)
        messages.append(Array("b".utf8).span)
        #expect(messages.bytes == Self.frame(payload) + [0x81, 1, UInt8(ascii: "b")])
        #expect(messages.count == 2)
        #expect(messages.payloadCount == bytes + 1)
        messages.removeAll()
        #expect(messages.isEmpty && messages.bytes.isEmpty && messages.payloadCount == 0)
    }

    @Test("each line of a frame is one", arguments: ["a", "a\nbc", "a\n\nc"])
    func lines(text: String) {
        var frame = OutgoingFrame()
        frame.bytes.append(contentsOf: text.utf8)
        var messages = OutgoingMessages()
        messages.append(linesOf: frame)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(messages.bytes == lines.flatMap { Self.frame(Array($0.utf8)) })
        #expect(messages.count == lines.count)
    }

    @Test("all arrive in order at a peer that takes little at a time")
    func slowly() throws {
        try withServer(handler: Bulk()) { port in
            let client = RawClient(port: port, receiveBufferBytes: 4_096)
            let head = client.upgrade(path: "/")
            #expect(head.hasPrefix("HTTP/1.1 101"))
            client.send(RawClient.frame(0x1, Array("go".utf8)))
            let expected = (0..<Bulk.total).flatMap { Self.frame(Bulk.message($0)) }
            let close: [UInt8] = [0x88, 2, 0x03, 0xE8]
            let got = client.read { $0.count >= expected.count + close.count }
            let isWhole = got == expected + close
            #expect(isWhole, "\(got.count) bytes of \(expected.count + close.count)")
        }
    }

    /// One frame as it stands in a stream of bytes.
    private struct ReceivedFrame {
        let opcode: UInt8
        let payload: ArraySlice<UInt8>
    }

    /// The frames of `bytes`, of which the last one may be cut.
    private static func frames(in bytes: [UInt8]) -> [ReceivedFrame] {
        var frames: [ReceivedFrame] = []
        var rest = bytes[...]
        while rest.count >= 2 {
            let code = rest[rest.startIndex + 1]
            let headBytes = code == 126 ? 4 : code == 127 ? 10 : 2
            guard rest.count >= headBytes else { break }
            let length =
                headBytes == 2
                ? Int(code)
                : rest.dropFirst(2).prefix(headBytes - 2).reduce(0) { $0 << 8 | Int($1) }
            guard rest.count >= headBytes + length else { break }
            frames.append(
                ReceivedFrame(
                    opcode: rest[rest.startIndex],
                    payload: rest.dropFirst(headBytes).prefix(length)))
            rest = rest.dropFirst(headBytes + length)
        }
        return frames
    }

    @Test("pongs come between two of them, also when the socket takes little at a time")
    func pongs() throws {
        try withServer(handler: Bulk(waitsForEnd: true)) { port in
            let client = RawClient(port: port, receiveBufferBytes: 4_096)
            _ = client.upgrade(path: "/")
            client.send(RawClient.frame(0x1, Array("go".utf8)))
            var got: [UInt8] = []
            // Each ping comes while bytes wait: little is read in between.
            for ping in UInt8(0)..<20 {
                client.send(RawClient.frame(0x9, [ping]))
                got += client.read { $0.count >= 10_000 }
            }
            client.send(RawClient.frame(0x1, Array("end".utf8)))
            got += client.read { $0.suffix(4).elementsEqual([0x88, 2, 0x03, 0xE8]) }
            let frames = Self.frames(in: got)
            let texts = frames.filter { $0.opcode == 0x81 }
            #expect(texts.count == Bulk.total)
            let isInOrder = texts.enumerated().allSatisfy { Array($1.payload) == Bulk.message($0) }
            #expect(isInOrder)
            let pongs = frames.filter { $0.opcode == 0x8A }
            #expect(pongs.map(\.payload.first) == (0..<20).map { UInt8($0) })
            #expect(frames.count == texts.count + pongs.count + 1)
        }
    }

    @Test("a peer that closes while the socket takes little gets nothing out of order")
    func closes() throws {
        try withServer(handler: Bulk(waitsForEnd: true)) { port in
            let client = RawClient(port: port, receiveBufferBytes: 4_096)
            _ = client.upgrade(path: "/")
            client.send(RawClient.frame(0x1, Array("go".utf8)))
            var got = client.read { !$0.isEmpty }
            client.send(RawClient.frame(0x8, [0x03, 0xE9]))
            got += client.readToEnd()
            let frames = Self.frames(in: got)
            // The library (4.1.6) answers no close while bytes wait for the peer: the last frame may be cut.
            let texts = frames.prefix { $0.opcode == 0x81 }
            let isInOrder = texts.enumerated().allSatisfy { Array($1.payload) == Bulk.message($0) }
            #expect(isInOrder && !texts.isEmpty)
            let others = frames.dropFirst(texts.count)
            #expect(others.count <= 1)
            #expect(others.allSatisfy { $0.opcode == 0x88 && Array($0.payload) == [0x03, 0xE9] })
        }
    }
}
