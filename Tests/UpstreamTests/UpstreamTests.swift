import EventLoop
import GatewayCore
import Glibc
import Synchronization
import Testing

@testable import Upstream

@Suite("An upstream transfer", .timeLimit(.minutes(1)))
struct UpstreamTests {
    @Test("brings an event stream byte for byte, however it is chunked", arguments: [1, 3, 7, 4_096])
    func bringsStream(pieceBytes: Int) throws {
        let body = (0..<40).map { "event: x\ndata: {\"n\":\($0),\"t\":\"你好 😀\"}\n\n" }.joined()
        let requests = Mutex<[ScriptedServer.Request]>([])
        let server = try ScriptedServer { connection in
            guard let request = connection.readRequest() else { return }
            requests.withLock { $0.append(request) }
            connection.write(ScriptedServer.Connection.streamHead)
            let bytes = Array(body.utf8)
            for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
                let piece = bytes[start..<min(start + pieceBytes, bytes.count)]
                connection.write(Array("\(String(piece.count, radix: 16))\r\n".utf8))
                connection.write(piece + Array("\r\n".utf8))
            }
            connection.endStream()
        }
        defer { server.stop() }
        let (recorder, transfer) = try Harness.exchange(.stream(server.url, body: "{\"a\":1}"))
        #expect(recorder.isFinished)
        #expect(recorder.text == body)
        #expect(recorder.connectedCount == 1)
        #expect(recorder.head?.mediaType == "text/event-stream")
        #expect(recorder.head?.requestID == "req_1")
        #expect(transfer.timing.startTransfer > .zero)
        #expect(transfer.receivedBytes == body.utf8.count)
        let request = try #require(requests.withLock { $0.first })
        #expect(request.line == "POST /v1/responses HTTP/1.1")
        #expect(request.body == Array("{\"a\":1}".utf8))
        #expect(request.header("authorization") == "Bearer sk-test-0123456789")
        #expect(request.header("content-type") == "application/json")
        #expect(request.header("accept") == "text/event-stream")
        #expect(request.header("expect") == nil)
        #expect(request.header("accept-encoding") == nil)
    }
}
