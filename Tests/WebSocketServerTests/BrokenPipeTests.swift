import EventLoop
import GatewayCore
import Glibc
import Synchronization
import Testing

@testable import WebSocketServer

/// How many times the handler was told; read by the client's thread.
private let handlerGone = Atomic<Int>(0)

/// Milliseconds of CPU that the loop took in 300 ms after the broken write.
private let cpuMilliseconds = Atomic<Int>(-1)

/// What is written too late.
private enum Writing: String, CaseIterable {
    case response, message, ping, close
}

/// Writes to peers that have reset their connection while the loop was busy elsewhere.
private final class LateWriter: ServerHandler, WebSocketHandler, HTTPExchangeObserver {
    let maximumMessageBytes = 1024
    private var timer: LoopTimer?
    private var loop: EventLoop?

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision { .accept(self) }

    func respond(to exchange: HTTPExchange) {
        loop = exchange.loop
        if exchange.request.method == .head { return exchange.respond(HTTPResponse(status: 204)) }
        if exchange.request.path == "/whole" { return respondLate(to: exchange) }
        exchange.observer = self
        exchange.begin(status: 200, headers: [], length: .chunked)
        later { frame in _ = exchange.write(&frame) }
    }

    private let writing: Writing

    init(_ writing: Writing) { self.writing = writing }

    func webSocketOpened(_ socket: WebSocket) {
        later { [writing] frame in
            switch writing {
            case .response, .message: _ = socket.send(&frame)
            case .ping: socket.ping()
            case .close: socket.close(CloseCode(4400), "late")
            }
        }
    }

    /// Writes and ends within the library's callback, to a peer that has gone meanwhile.
    private func respondLate(to exchange: HTTPExchange) {
        exchange.begin(status: 200, headers: [], length: .chunked)
        for _ in 0..<3 {
            var frame = OutgoingFrame()
            frame.bytes.append(contentsOf: repeatElement(0, count: 32_768))
            _ = exchange.write(&frame)
            usleep(100_000)
        }
        exchange.end()
        let before = Self.threadMilliseconds
        timer = loop?.makeTimer {
            cpuMilliseconds.store(Self.threadMilliseconds - before, ordering: .relaxed)
        }
        timer?.arm(after: .milliseconds(300))
    }

    private static var threadMilliseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    private func later(_ write: @escaping (inout OutgoingFrame) -> Void) {
        timer = loop?.makeTimer {
            usleep(200_000)  // The peer's reset arrives while the loop does not look.
            for _ in 0..<3 {
                var frame = OutgoingFrame()
                frame.bytes.append(contentsOf: "late".utf8)
                write(&frame)
            }
        }
        timer?.arm(after: .milliseconds(1))
    }

    func webSocket(_ socket: WebSocket, received message: Span<UInt8>, isBinary: Bool) {}
    func webSocketIsClear(_ socket: WebSocket) {}
    func webSocketClosed(_ socket: WebSocket) { noteGone() }
    private func noteGone() {
        timer = nil  // Its action holds the socket, which holds this.
        handlerGone.add(1, ordering: .relaxed)
    }
    func exchangeIsClear(_ exchange: HTTPExchange) {}
    func exchangePeerClosed(_ exchange: HTTPExchange) { noteGone() }
}

@Suite("Writes to a broken connection", .serialized)
struct BrokenPipeTests {
    @Test("the owner is told once, and the socket does not linger", arguments: Writing.allCases)
    fileprivate func broken(writing: Writing) throws {
        handlerGone.store(0, ordering: .relaxed)
        let handler = LateWriter(writing)
        var options = ServerOptions()
        // Nobody is to be told for that reason.
        options.closeTimeout = .seconds(600)
        try withServer(options: options, handler: handler) { port in
            do {
                let client = RawClient(port: port)
                // An answer without a timer tells the handler its loop.
                let first = RawClient(port: port)
                first.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = first.readText(until: "\r\n\r\n")
                if case .response = writing {
                    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    _ = client.readText(until: "\r\n\r\n")
                } else {
                    _ = client.upgrade(path: "/")
                }
                client.resetOnClose()
            }
            // Told before the server ends, which would tell it too.
            for _ in 0..<6_000 where handlerGone.load(ordering: .relaxed) == 0 { usleep(10_000) }
            #expect(handlerGone.load(ordering: .relaxed) == 1)
        }
        #expect(handlerGone.load(ordering: .relaxed) == 1)
    }

    @Test("a response that nobody takes any more does not keep the loop busy")
    func ended() throws {
        let handler = LateWriter(.response)
        try withServer(handler: handler) { port in
            do {
                let client = RawClient(port: port)
                client.send("POST /whole HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
                // Closed with unread bytes: the kernel answers with a reset.
                _ = client.readText(until: "\r\n\r\n")
            }
            for _ in 0..<6_000 where cpuMilliseconds.load(ordering: .relaxed) < 0 { usleep(10_000) }
        }
        let milliseconds = cpuMilliseconds.load(ordering: .relaxed)
        #expect((0..<100).contains(milliseconds), "\(milliseconds) ms")
    }
}
