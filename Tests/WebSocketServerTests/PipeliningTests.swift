import EventLoop
import Glibc
import Testing

@testable import WebSocketServer

/// Peers that do not wait for an answer before they send on.
@Suite struct PipeliningTests {
    private static let post = "POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    private static let get = "GET /get HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test(
        "a request with a body may come together with others",
        arguments: [get, post], ["body" + get, "body", "body" + post + get])
    func takesBodies(first: String, rest: String) throws {
        try withServer(handler: SlowHandler()) { port in
            let client = RawClient(port: port)
            let requests = first + Self.post.dropLast(4) + rest
            client.send(requests)
            let count =
                requests.split(separator: "HTTP/1.1", omittingEmptySubsequences: false).count - 1
            let answers = client.read {
                let answers = String(decoding: $0, as: UTF8.self)
                return answers.split(separator: "200 OK", omittingEmptySubsequences: false).count
                    > count && (answers.hasSuffix("body") || answers.hasSuffix("/get"))
            }
            let text = String(decoding: answers, as: UTF8.self)
            #expect(text.hasSuffix(requests.hasSuffix("body") ? "POST /post body" : "GET /get"))
        }
    }

    @Test("empty lines between requests are passed over", arguments: ["\r\n", "\r\n\r\n", "\n"])
    func passesEmptyLines(lines: String) throws {
        try withServer(handler: SlowHandler()) { port in
            let client = RawClient(port: port)
            client.send(Self.get + lines + Self.post)
            #expect(client.readText(until: "POST /post body").contains("GET /get"))
        }
    }

    @Test("an answer of any length is written while the next request waits behind a body")
    func writesLongAnswers() throws {
        try withServer(handler: SlowHandler()) { port in
            let client = RawClient(port: port, receiveBufferBytes: 4_096)
            client.send(
                "POST /long HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody" + Self.get)
            // The kernel takes less than that of it at once.
            let answers = client.read { $0.suffix(8).elementsEqual("GET /get".utf8) }
            #expect(answers.count > SlowHandler.longBytes)
        }
    }

    @Test("requests without a body may come together")
    func takesRequestsInARow() throws {
        try withServer(handler: SlowHandler()) { port in
            let client = RawClient(port: port)
            client.send(Self.get + "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + Self.get)
            let answers =
                client.readText(until: "0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 8\r\n")
                + client.readText(until: "GET /get")
            #expect(answers.hasSuffix("GET /get"))
        }
    }

    @Test(
        "what comes in one piece with a body waits until that request is answered",
        arguments: ["/post", "/slow"], [get, "GET /g"])
    func answersBehindABody(path: String, second: String) throws {
        try withServer(handler: SlowHandler()) { port in
            let client = RawClient(port: port)
            client.send(
                "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody" + second)
            // What is cut is sent whole when the first answer is there; else both answers may come in one piece.
            var answers = ""
            if second != Self.get {
                answers = client.readText(until: path == "/slow" ? "0\r\n\r\n" : "POST /post body")
                client.send(String(Self.get.dropFirst(second.count)))
            }
            answers += client.readText(until: "GET /get")
            #expect(answers.split(separator: "HTTP/1.1 200 OK").count == 2, "\(answers)")
        }
    }

    @Test("a peer that ends its side with the next request behind a body has left")
    func noticesTheEndBehindABody() throws {
        let handler = SlowHandler()
        try withServer(handler: handler) { port in
            let client = RawClient(port: port)
            client.send(
                "POST /forever HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody" + Self.get)
            _ = client.readText(until: "hello")
            client.endSending()
            #expect(client.readToEnd().isEmpty)
        }
        #expect(handler.leftEarly == 1)
    }

    @Test(
        "the next request may come before an answer has ended",
        arguments: [
            "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
        ], [get, post])
    func answersInOrder(first: String, second: String) throws {
        try withServer(handler: SlowHandler()) { port in
            let client = RawClient(port: port)
            client.send(first)
            _ = client.readText(until: "hello")
            client.send(second)
            let mark = second == Self.get ? "GET /get" : "POST /post body"
            let rest = client.readText(until: mark)
            #expect(rest.contains("0\r\n\r\nHTTP/1.1 200 OK") && rest.hasSuffix(mark))
        }
    }

    @Test(
        "a peer that ends its side while it is answered has left",
        arguments: [
            "GET /forever HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST /forever HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
        ])
    func noticesTheEnd(request: String) throws {
        let handler = SlowHandler()
        try withServer(handler: handler) { port in
            let client = RawClient(port: port)
            client.send(request)
            _ = client.readText(until: "hello")
            client.endSending()
            #expect(client.readToEnd().isEmpty)
        }
        #expect(handler.leftEarly == 1)
    }

    @Test("a peer that sends on and on behind a request is cut off")
    func boundsWhatWaits() throws {
        let handler = SlowHandler()
        try withServer(handler: handler) { port in
            let client = RawClient(port: port)
            client.send("GET /forever HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = client.readText(until: "hello")
            client.send([UInt8](repeating: UInt8(ascii: "x"), count: 65 << 10))
            _ = client.readToEnd()
        }
        #expect(handler.leftEarly == 1)
    }
}

/// Answers at once, after a while (`/slow`, and `/long` with much), or without end (`/forever`).
private final class SlowHandler: ServerHandler, HTTPExchangeObserver {
    static let longBytes = 8 << 20

    private(set) var leftEarly = 0
    private var kept: [HTTPExchange] = []
    private var timers: [LoopTimer] = []

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        .refuse(.error(404, "not_found", "no such path"))
    }

    func respond(to exchange: HTTPExchange) {
        let request = exchange.request
        if request.path == "/long" {
            let timer = exchange.loop.makeTimer {
                let body = [UInt8](repeating: UInt8(ascii: "x"), count: Self.longBytes)
                exchange.respond(HTTPResponse(status: 200, body: body))
            }
            timer.arm(after: .milliseconds(100))
            return
        }
        guard request.path == "/slow" || request.path == "/forever" else {
            let text = "\(request.method.rawValue) \(request.path)"
            let body = exchange.body.isEmpty ? [] : [UInt8(ascii: " ")] + exchange.body
            return exchange.respond(HTTPResponse(status: 200, body: Array(text.utf8) + body))
        }
        exchange.begin(status: 200, headers: [], length: .chunked)
        var frame = OutgoingFrame()
        frame.bytes.append(contentsOf: "hello".utf8)
        #expect(exchange.write(&frame))
        exchange.observer = self
        kept.append(exchange)
        guard request.path == "/slow" else { return }
        let timer = exchange.loop.makeTimer { exchange.end() }
        timer.arm(after: .milliseconds(300))
        timers.append(timer)
    }

    func exchangeIsClear(_ exchange: HTTPExchange) {}
    func exchangePeerClosed(_ exchange: HTTPExchange) { leftEarly += 1 }
}

/// Uploads that are answered while they are held back.
@Suite struct HeldBackUploadTests {
    @Test("the next request is read after an upload that was answered while it was held back")
    func readsOn() throws {
        let handler = HoldingHandler()
        try withServer(handler: handler) { port in
            let client = RawClient(port: port)
            client.send("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
            #expect(client.readText(until: "whole").hasPrefix("HTTP/1.1 200 OK"))
            client.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(client.readText(until: "whole").hasPrefix("HTTP/1.1 200 OK"))
        }
    }
}

/// Holds every upload back at its first piece, and answers at its end.
private final class HoldingHandler: ServerHandler, HTTPBodyReceiver {
    func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        .refuse(.error(404, "not_found", "no such path"))
    }

    func bodyPolicy(of request: HTTPRequest) -> BodyPolicy { .stream(limitBytes: 1_024) }

    func respond(to exchange: HTTPExchange) {
        if exchange.streamedBodyBytes == nil {
            exchangeBodyEnded(exchange)
        } else {
            exchange.bodyReceiver = self
        }
    }

    func exchange(_ exchange: HTTPExchange, received piece: Span<UInt8>) { exchange.pauseBody() }

    func exchangeBodyEnded(_ exchange: HTTPExchange) {
        exchange.respond(HTTPResponse(status: 200, body: Array("whole".utf8)))
    }
}
