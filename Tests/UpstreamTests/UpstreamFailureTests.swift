import EventLoop
import GatewayCore
import Glibc
import Synchronization
import Testing

@testable import Upstream

@Suite("An upstream that fails", .timeLimit(.minutes(10)))
struct UpstreamFailureTests {
    /// Runs one streaming request against `script` and returns how it failed.
    private func failure(
        options: UpstreamOptions = .init(), sourceLocation: SourceLocation = #_sourceLocation,
        _ script: @escaping @Sendable (ScriptedServer.Connection) -> Void
    ) throws -> (failure: UpstreamFailure, recorder: Recorder, transfer: UpstreamTransfer) {
        let server = try ScriptedServer(script)
        defer { server.stop() }
        let (recorder, transfer) = try Harness.exchange(
            .stream(server.url), options: options, sourceLocation: sourceLocation)
        let failure = try #require(recorder.failure, sourceLocation: sourceLocation)
        #expect(!"\(failure)".contains("sk-test"), sourceLocation: sourceLocation)
        #expect(
            failure.message.contains("127.0.0.1:\(server.port)"), "\(failure.message)",
            sourceLocation: sourceLocation)
        return (failure, recorder, transfer)
    }

    // MARK: Before the response

    @Test("by refusing the connection")
    func refuses() throws {
        let (descriptor, port) = try ScriptedServer.refusingPort()
        defer { close(descriptor) }
        let (recorder, _) = try Harness.exchange(.stream("http://127.0.0.1:\(port)"))
        let failure = try #require(recorder.failure)
        #expect(failure.code == .connectRefused)
        #expect(failure.fault == .upstream)
        #expect(failure.isRetryable)
        #expect(failure.message == "connection to 127.0.0.1:\(port) refused: nobody listens")
        #expect(recorder.connectedCount == 0)
    }

    @Test("by having no address")
    func hasNoAddress() throws {
        let (recorder, _) = try Harness.exchange(.stream("http://no-such-host.invalid:81/v1"))
        let failure = try #require(recorder.failure)
        // A machine whose name server does not answer gets the other one.
        #expect([.dnsFailed, .dnsTimeout].contains(failure.code))
        #expect(failure.message.contains("no-such-host.invalid:81"))
        #expect(failure.isRetryable)
    }

    @Test("by not accepting within the connect timeout")
    func doesNotAccept() throws {
        let (listener, port) = try ScriptedServer.listen()
        defer { close(listener) }
        listen(listener, 0)
        // One connection fills the queue of zero; the next ones get no answer.
        var options = UpstreamServer.Options(baseURL: "http://127.0.0.1:\(port)")
        options.connectTimeout = .milliseconds(100)
        let request = UpstreamRequest(.post, "/x", to: try UpstreamServer(options))
        let recorders = (0..<4).map { _ in Recorder() }
        try Harness.run { harness in
            for recorder in recorders {
                recorder.onEnd = { _ in harness.finish() }
                try harness.start(request, recorder)
            }
        }
        let failure = try #require(recorders.compactMap(\.failure).first)
        #expect(failure.code == .connectTimeout)
        #expect(failure.message == "no connection to 127.0.0.1:\(port) within 0.1 seconds")
        #expect(failure.isRetryable)
    }

    @Test("by closing without an answer")
    func closesAtOnce() throws {
        let (failure, recorder, _) = try failure { _ = $0.readRequest() }
        #expect(failure.code == .reset)
        #expect(failure.isRetryable)
        #expect(recorder.connectedCount == 1)
    }

    @Test("by resetting before the response")
    func resetsAtOnce() throws {
        let (failure, _, _) = try failure { connection in
            _ = connection.readRequest()
            connection.reset()
        }
        #expect(failure.code == .reset)
        #expect(failure.isRetryable)
    }

    @Test(
        "by speaking something else",
        arguments: [
            "SSH-2.0-OpenSSH_9.2\r\n", "\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nOther words",
        ])
    func speaksSomethingElse(text: String) throws {
        let (failure, _, _) = try failure { connection in
            _ = connection.readRequest()
            connection.write(text)
        }
        #expect(failure.code == .protocolError)
    }

    @Test("by switching to another protocol, and waiting for it to be spoken")
    func switchesProtocols() throws {
        let (failure, _, _) = try failure { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
            connection.waitForClose()
        }
        #expect(failure.code == .protocolError)
        #expect(failure.message.contains("switched to another protocol"))
    }

    @Test("by sending too many headers")
    func sendsTooManyHeaders() throws {
        var options = UpstreamOptions()
        options.maximumHeadBytes = 4_096
        let (failure, recorder, _) = try failure(options: options) { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n")
            while connection.write("x-a: \(String(repeating: "b", count: 100))\r\n") {}
        }
        #expect(failure.code == .tooLarge)
        #expect(!failure.isRetryable)
        #expect(failure.message.contains("more than 4096 bytes of headers"))
        #expect(recorder.head == nil)
    }

    @Test("by sending one header above what libcurl takes")
    func sendsTooLongAHeader() throws {
        let (failure, recorder, _) = try failure { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nx-a: ")
            let piece = String(repeating: "b", count: 10_000)
            while connection.write(piece) {}
        }
        #expect(failure.code == .tooLarge)
        #expect(!failure.isRetryable)
        #expect(recorder.head == nil)
    }

    // MARK: With a status

    struct Answer: Sendable, CustomTestStringConvertible {
        var status: String
        var headers = ""
        var body: String
        var type = "application/json"
        var message: String?
        var code: String?
        var fault: UpstreamFailure.Fault
        var isRetryable: Bool
        var retryAfter: Duration?
        var testDescription: String { status }
    }

    static let answers = [
        Answer(
            status: "401 Unauthorized",
            body: """
                {"error":{"message":"Incorrect API key provided: sk-abc***wxyz.","type":\
                "invalid_request_error","param":null,"code":"invalid_api_key"}}
                """,
            message: "Incorrect API key provided: sk-….", code: "invalid_api_key",
            fault: .gateway, isRetryable: false),
        Answer(
            status: "404 Not Found", body: "{\"detail\":\"Not Found\"}", message: "Not Found",
            fault: .gateway, isRetryable: false),
        Answer(
            status: "429 Too Many Requests", headers: "retry-after-ms: 1500\r\nretry-after: 2\r\n",
            body:
                "{\"error\":{\"message\":\"Slow down\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}",
            message: "Slow down", code: "rate_limit_exceeded", fault: .upstream, isRetryable: true,
            retryAfter: .milliseconds(1_500)),
        Answer(
            status: "429 Too Many Requests", headers: "x-should-retry: true\r\n",
            body:
                "{\"error\":{\"message\":\"Pay\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
            message: "Pay", code: "insufficient_quota", fault: .gateway, isRetryable: false),
        Answer(
            status: "500 Internal Server Error", body: "oh \n no", type: "text/plain",
            message: "oh   no", fault: .upstream, isRetryable: true),
        Answer(
            status: "503 Service Unavailable", headers: "x-should-retry: false\r\n",
            body: "<html>busy</html>", type: "text/html", fault: .upstream, isRetryable: false),
        Answer(
            status: "400 Bad Request", body: "{\"code\":\"bad\",\"error\":\"No such tool\"}",
            message: "No such tool", code: "bad", fault: .client, isRetryable: false),
        Answer(
            status: "422 Unprocessable Entity",
            body:
                "{\"detail\":[{\"loc\":[\"body\",\"input\",0],\"msg\":\"field required\",\"type\":\"missing\"}]}",
            message: "body.input.0: field required", fault: .client, isRetryable: false),
        Answer(status: "502 Bad Gateway", body: "", fault: .upstream, isRetryable: true),
    ]

    @Test("with a status of its own", arguments: answers)
    func answersWithStatus(answer: Answer) throws {
        let (failure, recorder, _) = try failure { connection in
            guard connection.readRequest() != nil else { return }
            connection.write(
                "HTTP/1.1 \(answer.status)\r\ncontent-type: \(answer.type)\r\nx-request-id: req_9\r\n"
                    + "\(answer.headers)content-length: \(answer.body.utf8.count)\r\n\r\n\(answer.body)"
            )
            connection.waitForClose()
        }
        #expect(failure.code == .httpStatus)
        #expect(failure.status == Int(answer.status.prefix(3)))
        #expect(failure.upstreamError?.message == answer.message)
        #expect(failure.upstreamError?.code == answer.code)
        #expect(failure.requestID == "req_9")
        #expect(failure.fault == answer.fault)
        #expect(failure.isRetryable == answer.isRetryable)
        #expect(failure.retryAfter == answer.retryAfter)
        #expect(recorder.head?.status == failure.status)
        #expect(recorder.bytes.isEmpty)
    }

    @Test("by redirecting: the key goes nowhere else")
    func redirects() throws {
        let elsewhere = try ScriptedServer { $0.waitForClose() }
        defer { elsewhere.stop() }
        let target = elsewhere.url
        let (failure, _, _) = try failure { connection in
            _ = connection.readRequest()
            connection.write(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: \(target)\r\ncontent-length: 0\r\n\r\n"
            )
            connection.waitForClose()
        }
        #expect(failure.code == .httpStatus)
        #expect(failure.status == 307)
        #expect(failure.fault == .gateway)
        #expect(!failure.isRetryable)
        #expect(failure.message.contains("redirect"))
        #expect(elsewhere.connectionCount == 0)
    }

    @Test("with the key in its message, which is masked")
    func repeatsKey() throws {
        let (failure, _, transfer) = try failure { connection in
            guard let request = connection.readRequest() else { return }
            let key = request.header("authorization")?.dropFirst(7) ?? ""
            let body = "{\"detail\":\"bad key '\(key)'\"}"
            connection.write(
                "HTTP/1.1 403 No\r\ncontent-type: application/json\r\n"
                    + "content-length: \(body.utf8.count)\r\n\r\n\(body)")
            connection.waitForClose()
        }
        #expect(failure.upstreamError?.message == "bad key '******************'")
        #expect(!String(decoding: transfer.collectedBody, as: UTF8.self).contains("0123456789"))
    }

    @Test("with a status whose body never ends, by length or by time", arguments: [true, false])
    func neverEndsErrorBody(isEndless: Bool) throws {
        var options = UpstreamOptions()
        options.maximumErrorBodyBytes = 1_000
        if !isEndless { options.errorBodyTimeout = .milliseconds(30) }
        let (failure, _, transfer) = try failure(options: options) { connection in
            _ = connection.readRequest()
            // In one piece: the time begins with the head.
            connection.write(
                "HTTP/1.1 500 Oh\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n"
                    + (isEndless ? String(repeating: "x", count: 2_000) : "half a"))
            connection.waitForClose()
        }
        #expect(failure.status == 500)
        #expect(transfer.collectedBody.count == (isEndless ? 1_000 : 6))
        #expect(failure.upstreamError?.message?.isEmpty == false)
    }

    // MARK: Inside the response

    @Test("by answering with a document where a stream was asked for, which is kept")
    func answersWithDocument() throws {
        let body = "{\"id\":\"resp_1\"}"
        let (failure, recorder, transfer) = try failure { connection in
            _ = connection.readRequest()
            connection.write(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                    + "content-length: \(body.utf8.count)\r\n\r\n\(body)")
            connection.waitForClose()
        }
        #expect(failure.code == .wrongContentType)
        #expect(failure.status == 200)
        #expect(failure.message.hasSuffix("with application/json instead of text/event-stream"))
        #expect(transfer.collectedBody == Array(body.utf8))
        #expect(recorder.bytes.isEmpty)
    }

    @Test("by sending a document of more than the limit")
    func sendsTooLargeDocument() throws {
        var options = UpstreamOptions()
        options.maximumDocumentBytes = 1_000
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n")
            connection.write(String(repeating: "x", count: 1_001))
            connection.waitForClose()
        }
        defer { server.stop() }
        var request = try UpstreamRequest.stream(server.url)
        request.method = .get
        request.expectation = .document
        let (recorder, _) = try Harness.exchange(request, options: options)
        #expect(recorder.failure?.code == .tooLarge)
        options.maximumDocumentBytes = 1_001
        let (whole, transfer) = try Harness.exchange(request, options: options)
        #expect(whole.isFinished)
        #expect(transfer.collectedBody.count == 1_001)
    }

    @Test("by compressing what it sends")
    func compresses() throws {
        let (failure, _, _) = try failure { connection in
            _ = connection.readRequest()
            connection.write(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n"
            )
        }
        #expect(failure.code == .protocolError)
    }

    @Test("by ending early: a cut is never an end", arguments: [true, false])
    func endsEarly(isChunked: Bool) throws {
        let (failure, recorder, _) = try failure { connection in
            _ = connection.readRequest()
            connection.write(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_2\r\n"
                    + (isChunked ? "transfer-encoding: chunked" : "content-length: 100")
                    + "\r\n\r\n")
            if isChunked {
                connection.chunk("data: 1\n\n")
            } else {
                connection.write("data: 1\n\n")
            }
        }
        #expect(failure.code == .truncated)
        #expect(failure.status == 200)
        #expect(failure.requestID == "req_2")
        #expect(recorder.text == "data: 1\n\n")
    }

    @Test("by resetting inside the body")
    func resetsInBody() throws {
        let wasRead = Mutex(false)
        let server = try ScriptedServer { connection in
            guard connection.beginStream() else { return }
            connection.chunk("data: 1\n\n")
            while !wasRead.withLock({ $0 }) { sched_yield() }
            connection.reset()
        }
        defer { server.stop() }
        let recorder = Recorder()
        recorder.onBytes = { _ in
            wasRead.withLock { $0 = true }
            return .proceed
        }
        _ = try Harness.exchange(.stream(server.url), recorder: recorder)
        #expect(recorder.failure?.code == .reset)
        #expect(recorder.failure?.status == 200)
        #expect(recorder.text == "data: 1\n\n")
    }

    @Test("by resetting behind a large piece of body that waits in the socket")
    func resetsBehindBytes() throws {
        let hasReset = Atomic<Bool>(false)
        let server = try ScriptedServer { connection in
            guard connection.beginStream() else { return }
            connection.chunk("data: 1\n\n")
            for _ in 0..<8 { connection.chunk(String(repeating: "x", count: 8_192)) }
            connection.reset()
            hasReset.store(true, ordering: .releasing)
        }
        defer { server.stop() }
        let recorder = Recorder()
        recorder.onBytes = { _ in
            // The loop stands still meanwhile, so that bytes and error wait for it together.
            while !hasReset.load(ordering: .acquiring) { sched_yield() }
            return .proceed
        }
        _ = try Harness.exchange(.stream(server.url), recorder: recorder)
        #expect(recorder.failure?.code == .reset)
        #expect(recorder.byteCount == 9 + 8 * 8_192)
    }

    @Test("by sending a malformed chunk")
    func sendsMalformedChunk() throws {
        let (failure, _, _) = try failure { connection in
            guard connection.beginStream() else { return }
            connection.chunk("data: 1\n\n")
            connection.write("zz\r\nwhat\r\n")
            connection.waitForClose()
        }
        #expect(failure.code == .protocolError)
        #expect(failure.message.contains("malformed chunk"))
    }
}
