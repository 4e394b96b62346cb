import EventLoop
import GatewayCore
import Glibc
import Synchronization
import Testing

@testable import Upstream

@Suite("An upstream transfer", .timeLimit(.minutes(10)))
struct UpstreamTests {
    @Test(
        "brings an event stream byte for byte, however it is chunked", arguments: [1, 3, 7, 4_096])
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
        #expect(request.header("accept-encoding") == "identity")
    }

    @Test("uses a connection again, and not one that upstream has closed meanwhile")
    func keepsConnections() throws {
        // The first connection serves two requests and is closed then; the third needs another.
        let server = try ScriptedServer { connection in
            for _ in 0..<(connection.number == 0 ? 2 : 1) where connection.beginStream() {
                connection.chunk("data: {}\n\n")
                connection.endStream()
            }
        }
        defer { server.stop() }
        let request = try UpstreamRequest.stream(server.url)
        let recorders = (0..<3).map { _ in Recorder() }
        var reused: [Bool] = []
        try Harness.run { harness in
            for (index, recorder) in recorders.enumerated() {
                recorder.onEnd = { transfer in
                    reused.append(transfer.timing.isConnectionReused)
                    guard index < 2 else { return harness.finish() }
                    _ = try? harness.start(request, recorders[index + 1])
                }
            }
            try harness.start(request, recorders[0])
        }
        #expect(recorders.allSatisfy { $0.isFinished })
        #expect(reused == [false, true, false])
        #expect(server.connectionCount == 2)
    }

    @Test(
        "has no answer that came before it was asked for, with the one before it or later",
        arguments: [true, false])
    func drawsNothingFromConnectionsAtRest(comesAtOnce: Bool) throws {
        let isThere = Atomic(false)
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            func answer(_ text: String) -> String {
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                    + "content-length: \(text.utf8.count)\r\n\r\n\(text)"
            }
            // More than libcurl reads with the head: it leaves the rest of the socket alone.
            let padding = String(repeating: ":\n", count: 20_000)
            let own = answer("data: \(connection.number)\n\n" + padding)
            let unasked = answer("data: somebody else's\n\n")
            if comesAtOnce {
                // In one segment with the end of its own.
                connection.write(String(own.dropLast(100)))
                connection.write(own.suffix(100) + unasked)
            } else {
                connection.write(own)
                connection.write(unasked)
            }
            isThere.store(true, ordering: .releasing)
            connection.waitForClose()
        }
        defer { server.stop() }
        let recorders = [Recorder(), Recorder()]
        try Harness.run { harness in
            let request = try UpstreamRequest.stream(server.url)
            func askAgain() { _ = try? harness.start(request, recorders[1]) }
            recorders[0].onEnd = { _ in
                guard !comesAtOnce else { return askAgain() }
                // Once for each millisecond until it is there, and once more for the loop to see it.
                var wasThere = false
                harness.every(.milliseconds(1)) {
                    guard !wasThere else {
                        askAgain()
                        return false
                    }
                    wasThere = isThere.load(ordering: .acquiring)
                    return true
                }
            }
            recorders[1].onEnd = { _ in harness.finish() }
            try harness.start(request, recorders[0])
        }
        #expect(recorders.map { $0.text.prefix(9) } == ["data: 0\n\n", "data: 1\n\n"])
        #expect(server.connectionCount == 2)
    }

    @Test("sends bodies of any size whole", arguments: [0, 1, 60_000, 3_000_000])
    func sendsBodies(byteCount: Int) throws {
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() {
                // The body comes back as it went.
                connection.write(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                        + "content-length: \(request.body.count)\r\n\r\n")
                connection.write(request.body)
            }
        }
        defer { server.stop() }
        let body =
            String(repeating: "0123456789", count: byteCount / 10) + (byteCount == 1 ? "x" : "")
        let (recorder, _) = try Harness.exchange(.stream(server.url, body: body))
        #expect(recorder.isFinished)
        #expect(recorder.text == body)
    }

    @Test("brings the final head only, however slowly and with whatever interim heads it comes")
    func skipsInterimHeads() throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write("HTTP/1.1 100 Continue\r\n\r\n")
            connection.write("HTTP/1.1 103 Early Hints\r\nx-request-id: early\r\n\r\n")
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: final\r\n"
                + "Set-Cookie: a=b\r\nX-RateLimit-Remaining-Requests: 41\r\n"
                + "OpenAI-Processing-MS: 12\r\ntransfer-encoding: chunked\r\n\r\n"
            for byte in head.utf8 { connection.write([byte]) }
            connection.chunk("data: 1\n\n")
            connection.write("0\r\nx-request-id: trailer\r\n\r\n")
        }
        defer { server.stop() }
        let (recorder, _) = try Harness.exchange(.stream(server.url))
        #expect(recorder.isFinished)
        #expect(recorder.text == "data: 1\n\n")
        let head = try #require(recorder.head)
        #expect(head.requestID == "final")
        #expect(head[.remainingRequests] == "41")
        #expect(head[.processingTime] == "12")
        #expect(!head.fields.contains { $0.name == "set-cookie" })
    }

    @Test(
        "takes the name of no compression as it comes", arguments: ["Identity", " identity ", ""])
    func takesIdentity(coding: String) throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding:\(coding)\r\n"
                    + "transfer-encoding: chunked\r\n\r\n")
            connection.chunk("data: 1\n\n")
            connection.write("0\r\n\r\n")
        }
        defer { server.stop() }
        let (recorder, _) = try Harness.exchange(.stream(server.url))
        #expect(recorder.isFinished)
        #expect(recorder.text == "data: 1\n\n")
    }

    @Test("can be run by the hundred at once")
    func runsManyAtOnce() throws {
        let server = try ScriptedServer { connection in
            while connection.beginStream() {
                for number in 0..<20 { connection.chunk("data: \(number)\n\n") }
                connection.endStream()
            }
        }
        defer { server.stop() }
        let expected = (0..<20).map { "data: \($0)\n\n" }.joined()
        let recorders = (0..<100).map { _ in Recorder() }
        var running = recorders.count
        try Harness.run { harness in
            for recorder in recorders {
                recorder.onEnd = { _ in
                    running -= 1
                    #expect(harness.worker.transferCount == running)
                    if running == 0 { harness.finish() }
                }
                try harness.start(.stream(server.url), recorder)
            }
            #expect(harness.worker.transferCount == 100)
        }
        #expect(recorders.allSatisfy { $0.isFinished && $0.text == expected })
    }

    @Test("is refused above the limit, and the request is checked before anything is sent")
    func refusesToStart() throws {
        var options = UpstreamOptions()
        options.maximumTransfers = 1
        let server = try ScriptedServer { $0.waitForClose() }
        defer { server.stop() }
        try Harness.run(options: options) { harness in
            var request = try UpstreamRequest.stream(server.url)
            let first = try harness.start(request, Recorder())
            #expect(throws: UpstreamError.tooManyTransfers(limit: 1)) {
                try harness.start(request, Recorder())
            }
            first.cancel()
            request.headers = [("x-a", "b\r\nx-c: d")]
            #expect(throws: UpstreamError.self) { try harness.start(request, Recorder()) }
            request.headers = []
            for path in ["responses", "/responses/../files", "/a b", "/a#b", "/\r\nx: y"] {
                request.path = path
                #expect(throws: UpstreamError.self) { try harness.start(request, Recorder()) }
            }
            #expect(harness.worker.transferCount == 0)
            harness.finish()
            #expect(throws: UpstreamError.shutDown) {
                try harness.start(.stream(server.url), Recorder())
            }
        }
    }

    // MARK: Cancel

    @Test("closes its connection when it is cancelled, and says nothing more")
    func cancelCloses() throws {
        let closed = Atomic<Bool>(false)
        let server = try ScriptedServer { connection in
            guard connection.beginStream() else { return }
            connection.chunk("data: 1\n\n")
            connection.waitForClose()
            closed.store(true, ordering: .releasing)
        }
        defer { server.stop() }
        let recorder = Recorder()
        try Harness.run { harness in
            let transfer = try harness.start(.stream(server.url), recorder)
            harness.every(.milliseconds(1)) {
                if !transfer.isEnded, recorder.byteCount == 9 {
                    transfer.cancel()
                    #expect(harness.worker.watchedSocketCount == 0)
                    #expect(harness.worker.transferCount == 0)
                    transfer.cancel()
                }
                guard closed.load(ordering: .acquiring) else { return true }
                harness.finish()
                return false
            }
        }
        #expect(recorder.outcomes.isEmpty)
    }

    @Test("can be cancelled before it begins, while connecting and inside each of its callbacks")
    func cancelAnywhere() throws {
        let ends = Atomic<Int>(0)
        let server = try ScriptedServer { connection in
            if connection.beginStream() {
                connection.chunk("data: 1\n\n")
                connection.chunk("data: 2\n\n")
            }
            connection.waitForClose()
            ends.add(1, ordering: .releasing)
        }
        defer { server.stop() }
        let recorders = (0..<5).map { _ in Recorder() }
        try Harness.run { harness in
            let request = try UpstreamRequest.stream(server.url)
            // Before it begins: upstream never hears of it.
            try harness.start(request, recorders[0]).cancel()
            recorders[1].onConnected = { $0.cancel() }
            recorders[2].onHead = { $0.cancel() }
            recorders[3].onBytes = {
                $0.cancel()
                return .proceed
            }
            recorders[4].onBytes = {
                $0.cancel()
                return .pause
            }
            for recorder in recorders.dropFirst() { try harness.start(request, recorder) }
            harness.every(.milliseconds(1)) {
                guard ends.load(ordering: .acquiring) == 4 else { return true }
                #expect(harness.worker.transferCount == 0)
                #expect(harness.worker.watchedSocketCount == 0)
                harness.finish()
                return false
            }
        }
        #expect(recorders.allSatisfy { $0.outcomes.isEmpty })
        #expect(recorders.map(\.connectedCount) == [0, 1, 1, 1, 1])
        #expect(recorders.map { $0.head != nil } == [false, false, true, true, true])
        #expect(recorders.map(\.byteCount) == [0, 0, 0, 9, 9])
    }

    @Test("can be cancelled, and others started, inside another one's callback")
    func crossCancel() throws {
        let server = try ScriptedServer { connection in
            guard connection.beginStream() else { return }
            connection.chunk("data: 1\n\n")
            connection.waitForClose()
        }
        defer { server.stop() }
        let victim = Recorder()
        let killer = Recorder()
        let third = Recorder()
        try Harness.run { harness in
            let request = try UpstreamRequest.stream(server.url)
            let transfer = try harness.start(request, victim)
            victim.onBytes = { _ in
                _ = try? harness.start(request, killer)
                return .proceed
            }
            killer.onBytes = { _ in
                transfer.cancel()
                // Started and dropped inside the same callback.
                _ = try? harness.start(request, Recorder()).cancel()
                _ = try? harness.start(request, third)
                return .proceed
            }
            third.onBytes = { _ in
                #expect(transfer.isEnded)
                #expect(harness.worker.transferCount == 2)
                // Shut down inside a callback: two transfers run.
                harness.finish()
                #expect(harness.worker.transferCount == 2)
                return .proceed
            }
        }
        #expect([victim, killer, third].allSatisfy { $0.outcomes.isEmpty && $0.byteCount == 9 })
    }

    @Test("leaves nothing behind when the worker is shut down", arguments: [1, 50])
    func shutDown(count: Int) throws {
        let server = try ScriptedServer { connection in
            guard connection.beginStream() else { return }
            connection.chunk("data: 1\n\n")
            connection.waitForClose()
        }
        defer { server.stop() }
        let recorders = (0..<count).map { _ in Recorder() }
        var waiting = count
        try Harness.run { harness in
            for recorder in recorders {
                recorder.onBytes = { _ in
                    waiting -= 1
                    if waiting == 0 { harness.finish() }
                    return waiting.isMultiple(of: 2) ? .pause : .proceed
                }
                try harness.start(.stream(server.url), recorder)
            }
        }
        #expect(recorders.allSatisfy { $0.outcomes.isEmpty })
    }

    // MARK: Receive buffers

    @Test("a server that sends much at a time gets a larger receive buffer for its next answer")
    func receiveBufferFits() throws {
        let total = 1 << 20
        let server = try ScriptedServer { connection in
            while connection.readRequest() != nil {
                connection.write(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                        + "content-length: \(total)\r\n\r\n")
                connection.write([UInt8](repeating: UInt8(ascii: "x"), count: total))
            }
        }
        defer { server.stop() }
        var largest: [Int] = []
        try Harness.run { harness in
            func ask(_ times: Int) throws {
                let recorder = Recorder()
                recorder.keepsBytes = false
                var before = 0
                largest.append(0)
                recorder.onBytes = { transfer in
                    largest[largest.count - 1] = max(
                        largest[largest.count - 1], transfer.receivedBytes - before)
                    before = transfer.receivedBytes
                    return .proceed
                }
                recorder.onEnd = { _ in
                    #expect(recorder.byteCount == total)
                    if times > 1 { try? ask(times - 1) } else { harness.finish() }
                }
                _ = try harness.start(.stream(server.url), recorder)
            }
            try ask(2)
        }
        let options = UpstreamOptions()
        #expect(largest == [options.receiveBufferBytes, options.fastReceiveBufferBytes])
    }

    // MARK: Backpressure

    @Test("stops reading while it is paused, and brings everything after")
    func pauses() throws {
        let total = 64 << 20
        let written = Atomic<Int>(0)
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                    + "content-length: \(total)\r\n\r\n")
            let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
            while written.load(ordering: .relaxed) < total, connection.write(piece) {
                written.add(piece.count, ordering: .relaxed)
            }
        }
        defer { server.stop() }
        // What the two sockets may hold; that is not ours to bound.
        let kernelBytes = try Self.largestBuffer("tcp_rmem") + Self.largestBuffer("tcp_wmem")
        let recorder = Recorder()
        recorder.keepsBytes = false
        var pauses = 0
        try Harness.run { harness in
            let transfer = try harness.start(.stream(server.url), recorder)
            var heldAt = 0
            var last = -1
            var unchanged = 0
            recorder.onBytes = { transfer in
                guard pauses < 3, transfer.receivedBytes >= pauses * total / 4 else {
                    return .proceed
                }
                #expect(!transfer.isPaused)
                heldAt = transfer.receivedBytes
                pauses += 1
                return .pause
            }
            // The sender stands still: its kernel, ours and one read of libcurl are full.
            harness.every(.milliseconds(5)) {
                let now = written.load(ordering: .relaxed)
                unchanged = transfer.isPaused && now == last ? unchanged + 1 : 0
                last = now
                if unchanged == 20 {
                    unchanged = 0
                    #expect(transfer.receivedBytes == heldAt)
                    #expect(now - heldAt < kernelBytes + 1 << 20)
                    recorder.isCalling = true
                    transfer.resume()
                    recorder.isCalling = false
                }
                return !transfer.isEnded
            }
            recorder.onEnd = { _ in harness.finish() }
        }
        #expect(pauses == 3)
        #expect(recorder.isFinished)
        #expect(recorder.byteCount == total)
    }

    private static func largestBuffer(_ name: String) throws -> Int {
        let file = try #require(fopen("/proc/sys/net/ipv4/\(name)", "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = fread(&bytes, 1, bytes.count, file)
        let words = String(decoding: bytes.prefix(count), as: UTF8.self).split { !$0.isNumber }
        return try #require(words.last.flatMap { Int($0) })
    }

    @Test("may be paused and resumed inside its own callback, at every piece")
    func pausesInside() throws {
        let server = try ScriptedServer { connection in
            guard connection.beginStream() else { return }
            for number in 0..<500 { connection.chunk("data: \(number)\n\n") }
            connection.endStream()
        }
        defer { server.stop() }
        let recorder = Recorder()
        var waiting: UpstreamTransfer?
        try Harness.run { harness in
            var count = 0
            recorder.onBytes = { transfer in
                count += 1
                switch count % 3 {
                case 0: return .proceed
                case 1:
                    transfer.pause()
                    transfer.resume()
                    return .proceed
                default:
                    waiting = transfer
                    return .pause
                }
            }
            recorder.onEnd = { _ in harness.finish() }
            harness.every(.milliseconds(1)) {
                waiting?.resume()
                waiting = nil
                return recorder.outcomes.isEmpty
            }
            try harness.start(.stream(server.url), recorder)
        }
        #expect(recorder.isFinished)
        #expect(recorder.text == (0..<500).map { "data: \($0)\n\n" }.joined())
    }

    @Test("can be cancelled while it is paused")
    func cancelPaused() throws {
        let closed = Atomic<Bool>(false)
        let server = try ScriptedServer { connection in
            guard connection.beginStream() else { return }
            while connection.chunk(String(repeating: "x", count: 8_192)) {}
            closed.store(true, ordering: .releasing)
        }
        defer { server.stop() }
        let recorder = Recorder()
        recorder.onBytes = { _ in .pause }
        try Harness.run { harness in
            let transfer = try harness.start(.stream(server.url), recorder)
            harness.every(.milliseconds(1)) {
                if transfer.isPaused { transfer.cancel() }
                guard closed.load(ordering: .acquiring) else { return true }
                harness.finish()
                return false
            }
        }
        #expect(recorder.outcomes.isEmpty)
        // What one read brought, and nothing after it.
        #expect((1...8_192).contains(recorder.byteCount))
    }
}
