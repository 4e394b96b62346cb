import GatewayCore
import Testing

@testable import Upstream

/// Bodies that go up piece by piece, to servers that do not want all of them.
@Suite("Uploads", .serialized, .timeLimit(.minutes(2)))
struct UploadTests {
    @Test(
        "a refusal before the upload's end is told once it is whole, however it is framed",
        arguments: [
            "content-length: 6\r\n\r\nNo use",
            "transfer-encoding: chunked\r\n\r\n6\r\nNo use\r\n0\r\n\r\n",
            "connection: close\r\ncontent-length: 6\r\n\r\nNo use",
        ])
    func refused(answer: String) throws {
        let server = try ScriptedServer { connection in
            _ = connection.readSome(4_096)
            connection.write("HTTP/1.1 413 X\r\ncontent-type: text/plain\r\n" + answer)
            // As servers do whose client is still writing.
            connection.waitForClose()
        }
        defer { server.stop() }
        var options = UpstreamOptions()
        options.errorBodyTimeout = .seconds(3_600)
        var request = try UpstreamRequest.stream(server.url, body: "")
        request.uploadBytes = 1_000_000
        let recorder = Recorder()
        recorder.onConnected = { $0.feed([UInt8](repeating: 120, count: 1_000).span) }
        let (_, transfer) = try Harness.exchange(request, options: options, recorder: recorder)
        #expect(recorder.failure?.status == 413)
        #expect(transfer.collectedBody == Array("No use".utf8))
    }

    @Test("the connection of an upload serves nobody else")
    func closed() throws {
        let server = try ScriptedServer { connection in
            while connection.readRequest() != nil {
                connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            }
        }
        defer { server.stop() }
        try Harness.run { harness in
            var request = try UpstreamRequest.stream(server.url, body: "")
            request.uploadBytes = 10
            let first = Recorder()
            first.onConnected = { $0.feed([UInt8](repeating: 120, count: 10).span) }
            let second = Recorder()
            first.onEnd = { _ in
                #expect(throws: Never.self) {
                    try harness.start(try .stream(server.url), second)
                }
            }
            second.onEnd = { transfer in
                #expect(!transfer.isConnectionReused)
                harness.finish()
            }
            try harness.start(request, first)
        }
        #expect(server.connectionCount == 2)
    }
}
