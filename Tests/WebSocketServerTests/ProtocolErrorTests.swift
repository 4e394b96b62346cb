import Glibc
import Testing

@testable import WebSocketServer

@Suite("A client that breaks RFC 6455")
struct ProtocolErrorTests {
    @Test(
        "is told so by 1002 and the end of the stream, and need not answer",
        arguments: [
            ("a client's frames are masked", [0x81, 5] + Array("hello".utf8)),
            ("a length has as few bytes as it needs", [0x81, 0xFE, 0, 5]),
            ("opcode 3 is reserved", [0x83, 0x80]),
            ("a control frame comes whole", [0x09, 0x80]),
            ("a length has at most 63 bits", [0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ] as [(String, [UInt8])])
    func isTold(reason: String, wrong: [UInt8]) throws {
        // It would be cut by the end of that time only.
        var options = ServerOptions()
        options.closeTimeout = .seconds(600)
        try withServer(options: options, handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/echo")
            // What came before it is answered, what comes behind it is not.
            let hello = RawClient.frame(1, Array("hello".utf8))
            client.send(hello + wrong + hello)
            let echo: [UInt8] = [0x81, 5] + Array("hello".utf8)
            let close: [UInt8] = [0x88, UInt8(2 + reason.utf8.count), 0x03, 0xEA]
            #expect(client.readToEnd() == echo + close + Array(reason.utf8))
        }
    }

    @Test("has each of its pings answered, in order and before what comes behind them")
    func answersEachPing() throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            _ = client.upgrade(path: "/echo")
            let payloads = (0..<10).map { Array("ping \($0)".utf8) }
            var pings: [UInt8] = []
            var pongs: [UInt8] = []
            for payload in payloads {
                pings += RawClient.frame(9, payload)
                pongs += [0x8A, UInt8(payload.count)] + payload
            }
            let hello = RawClient.frame(1, Array("hello".utf8))
            let close: [UInt8] = [0x03, 0xE8]
            client.send(pings + hello + RawClient.frame(9, []) + RawClient.frame(8, close))
            let answer = client.readToEnd()
            #expect(answer.starts(with: pongs))
            #expect(answer.suffix(4) == [0x88, 2] + close)
            let rest = Array(answer.dropFirst(pongs.count).dropLast(4))
            // The pong may overtake the echo: both came in one read.
            let echo = [0x81, 5] + Array("hello".utf8)
            #expect(rest == [0x8A, 0] + echo || rest == echo + [0x8A, 0])
        }
    }

    @Test("may do so after a close was begun, and leave before the time for that is over")
    func leavesAfterAnotherClose() throws {
        var options = ServerOptions()
        options.closeTimeout = .milliseconds(100)
        try withServer(options: options, handler: EchoHandler(limit: 4)) { port in
            do {
                let client = RawClient(port: port)
                _ = client.upgrade(path: "/echo")
                client.send(RawClient.frame(1, Array("hello".utf8)))
                // 1009, which it does not answer.
                #expect(client.read { $0.contains(0x88) }.starts(with: [0x88]))
                client.send([0x83, 0x80])
                #expect(client.readToEnd().count < 125)
            }
            // The end of that time finds nobody; that of another one, which ends later, does.
            let other = RawClient(port: port)
            _ = other.upgrade(path: "/echo")
            other.send(RawClient.frame(1, Array("hello".utf8)))
            #expect(other.readToEnd().starts(with: [0x88]))
        }
    }

    @Test("is held to it from the first byte behind the handshake, which need not be waited for")
    func readsWhatComesWithTheUpgrade() throws {
        try withServer(handler: EchoHandler()) { port in
            let client = RawClient(port: port)
            let hello = Array("hello".utf8)
            let frames =
                RawClient.frame(9, hello) + RawClient.frame(9, []) + RawClient.frame(1, hello)
                + [0x83, 0x80]
            client.send(RawClient.upgradeRequest(path: "/echo") + frames)
            let answer = client.readToEnd()
            let reason = Array("opcode 3 is reserved".utf8)
            let expected =
                [0x8A, 5] + hello + [0x8A, 0, 0x81, 5] + hello
                + [0x88, UInt8(2 + reason.count), 0x03, 0xEA] + reason
            #expect(answer.starts(with: Array("HTTP/1.1 101".utf8)))
            #expect(Array(answer.suffix(expected.count + 4)) == Array("\r\n\r\n".utf8) + expected)
        }
    }
}
