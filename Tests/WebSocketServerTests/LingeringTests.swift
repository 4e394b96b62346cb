import Glibc
import Testing

@testable import WebSocketServer

/// Peers that are still writing when they are answered.
@Suite struct LingeringTests {
    private static func head(_ bytes: Int) -> String {
        "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: \(bytes)\r\n\r\n"
    }

    private static let chunked =
        "POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test(
        "a peer that writes all of a refused body before it reads has its answer",
        arguments: [(head(8 << 20), "413"), (chunked + "7FFFFFF\r\n", "413"), (chunked, "400")])
    func answersWhoOnlyWrites(head: String, status: String) throws {
        var options = ServerOptions()
        options.maximumBodyBytes = 1 << 20
        try withServer(options: options, handler: RefusingHandler()) { port in
            let client = RawClient(port: port)
            client.send(head)
            let isSent = client.sendsAll([UInt8](repeating: 65, count: 8 << 20))
            #expect(isSent)
            let answer = String(decoding: client.readToEnd(), as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 \(status)"))
            #expect(answer.contains("connection: close"))
        }
    }

    @Test("what is read past has a limit", arguments: [0, 1 << 20])
    func limitsBytes(lingerBytes: Int) throws {
        var options = ServerOptions()
        options.maximumBodyBytes = 1 << 20
        options.lingerBytes = lingerBytes
        try withServer(options: options, handler: RefusingHandler()) { port in
            let client = RawClient(port: port)
            client.send(Self.head(1 << 30))
            var sent = 0
            let piece = [UInt8](repeating: 65, count: 64 << 10)
            while sent < 256 << 20, client.sendsAll(piece) { sent += piece.count }
            // Besides what both kernels hold.
            #expect(sent < 64 << 20)
        }
    }

    @Test(
        "a peer that never ends is closed when its time is over, and a server that ends waits for none"
    )
    func limitsTime() throws {
        var options = ServerOptions()
        options.maximumBodyBytes = 1 << 20
        options.requestTimeoutSeconds = 1
        try withServer(options: options, handler: RefusingHandler()) { port in
            let client = RawClient(port: port)
            client.send(Self.head(8 << 20))
            #expect(client.readText(until: "\r\n\r\n").hasPrefix("HTTP/1.1 413"))
            // Our side has ended, the other one can still be written to until it is closed: then it is reset.
            let begin = ContinuousClock.now
            while client.sendsAll([65]), begin.duration(to: .now) < .seconds(20) { usleep(10_000) }
            let time = begin.duration(to: .now)
            #expect(time > .milliseconds(500) && time < .seconds(20), "\(time)")
            let other = RawClient(port: port)
            other.send(Self.head(8 << 20))
            _ = other.readText(until: "\r\n\r\n")
        }
    }
}

/// A client that others can be kept beside.
private final class Kept {
    let client: RawClient

    init(port: UInt16) { client = RawClient(port: port) }
}

extension LingeringTests {
    @Test("so many peers are waited for, and no more")
    func limitsPeers() throws {
        var options = ServerOptions()
        options.maximumBodyBytes = 1 << 20
        options.requestTimeoutSeconds = 600
        try withServer(options: options, handler: RefusingHandler()) { port in
            var peers: [Kept] = []
            func refused() -> Kept {
                let peer = Kept(port: port)
                peer.client.send(
                    "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: \(8 << 20)\r\n\r\n")
                #expect(peer.client.readToEnd().starts(with: "HTTP/1.1 413".utf8))
                peers.append(peer)
                return peer
            }
            /// Whether the server is still there for what the peer sends.
            func isReset(_ peer: Kept, within tries: Int) -> Bool {
                for _ in 0..<tries {
                    guard peer.client.sendsAll([65]) else { return true }
                    usleep(10_000)
                }
                return false
            }
            for _ in 0..<WebSocketServer.maximumLingering - 1 { _ = refused() }
            let last = refused()
            let oneMore = refused()
            #expect(isReset(oneMore, within: 2_000))
            #expect(!isReset(last, within: 20))
            #expect(!isReset(peers[0], within: 20))
        }
    }
}

/// Collects bodies, and answers none.
private final class RefusingHandler: ServerHandler {
    func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        .refuse(.error(404, "not_found", "no such path"))
    }

    func respond(to exchange: HTTPExchange) {
        exchange.respond(HTTPResponse(status: 200, body: Array("read".utf8)))
    }

    func bodyPolicy(of request: HTTPRequest) -> BodyPolicy { .collect }
}
