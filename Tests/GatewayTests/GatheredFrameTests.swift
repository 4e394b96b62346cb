import GatewayCore
import Testing

@testable import Gateway

/// What one turn brings a native connection leaves at the turn's end: together, in order, and all of it.
///
/// Lines of one frame from the client are read in one turn.
@Suite("Frames gathered up to the turn's end", .serialized, .timeLimit(.minutes(10)))
struct GatheredFrameTests {
    private static let hello = #"{"type":"hello"}"#

    private static func hello(resume token: String, after: Int = 0) -> String {
        #"{"type":"hello","resume":{"token":"\#(token)","after":\#(after)}}"#
    }

    private static func message(_ id: String, _ input: String) -> String {
        #"{"type":"message","id":"\#(id)","input":"\#(input)"}"#
    }

    private static func ping(_ id: String) -> String { #"{"type":"ping","id":"\#(id)"}"# }

    private static func types(_ frame: [ChatSocket.Frame]) -> [String] {
        frame.map { $0["type"] as? String ?? "" }
    }

    @Test("a message's events and its state leave as one frame")
    func message() throws {
        let upstream = try ScriptedUpstream { _ in .silence }
        defer { upstream.stop() }
        let world = try FaultyWorld(primary: upstream.url)
        defer { world.stop() }
        let socket = try ChatSocket(port: world.port)
        socket.send(Self.hello)
        #expect(Self.types(try socket.receiveFrame()) == ["ready"])
        socket.send(Self.message("m1", "x"))
        let first = Self.types(try socket.receiveFrame())
        #expect(first.starts(with: ["message", "response", "state"]))
    }

    @Test("the end of an answer and the token that names it leave as one frame")
    func end() throws {
        let upstream = try ScriptedUpstream { _ in .hello }
        defer { upstream.stop() }
        let world = try FaultyWorld(primary: upstream.url)
        defer { world.stop() }
        let socket = try ChatSocket(port: world.port)
        socket.send(Self.hello + "\n" + Self.message("m1", "x"))
        var last: [String] = []
        while !last.contains("complete") { last = Self.types(try socket.receiveFrame()) }
        #expect(last.suffix(2) == ["complete", "token"])
    }

    @Test("what a connection is closed for arrives before the close")
    func errorBeforeClose() throws {
        try GatewayFixture.run("limits: {errors_per_connection: 2}", shards: 1) { gateway in
            let stranger = try ChatSocket(port: gateway.port)
            stranger.send(Self.message("m1", "x"))
            #expect(try stranger.receive()["code"] as? String == "hello_required")
            #expect(throws: ChatSocket.Failure.self) { try stranger.receive() }
            #expect(stranger.closeCode == 4400)

            let clumsy = try ChatSocket(port: gateway.port)
            clumsy.send(Self.hello + "\n" + Self.ping("p") + "\n1\n2\n3\n4")
            #expect(
                Self.types(try clumsy.receiveFrame())
                    == ["ready", "pong", "error", "error", "error"])
            #expect(throws: ChatSocket.Failure.self) { try clumsy.receive() }
            #expect(clumsy.closeCode == 4400)
        }
    }

    @Test("a frame's worth is written at once, and what the log has behind it follows")
    func frameSize() throws {
        try GatewayFixture.run("delivery: {frame_bytes: 4096}", shards: 1) { gateway in
            let client = try ChatClient(port: gateway.port)
            _ = try client.ask("m1", "[sim:hello]")
            for count in 1...80 {
                let socket = try ChatSocket(port: gateway.port)
                let pings = (1...count).map {
                    Self.ping("\($0)" + String(repeating: "p", count: 40))
                }
                socket.send(([Self.hello(resume: client.token)] + pings).joined(separator: "\n"))
                var events: [Int] = []
                var pongs = 0
                while events.last != client.sequence {
                    let frame = try socket.receive()
                    if frame["type"] as? String == "pong" { pongs += 1 }
                    guard let last = frame["seq"] as? Int,
                        frame["response"] != nil || frame["id"] != nil
                    else { continue }
                    #expect(frame["from"] as? Int ?? last == (events.last ?? 0) + 1)
                    events.append(last)
                }
                while pongs < count {
                    if try socket.receive()["type"] as? String == "pong" { pongs += 1 }
                }
            }
        }
    }

    @Test("a reader is not too slow for what the log has gathered for it")
    func largeFrames() throws {
        let settings = "delivery: {frame_bytes: 1048576}"
        try GatewayFixture.run(settings, shards: 1) { gateway in
            let client = try ChatClient(port: gateway.port)
            let end = try client.ask("m1", "[sim:paced deltas=300 rate=0 bytes=1000]")
            #expect(end["text_bytes"] as? Int ?? 0 > Outbox.maximumUnnumberedBytes)
            let socket = try ChatSocket(port: gateway.port)
            socket.send(
                Self.hello(resume: client.token) + "\n" + Self.message("m2", "[sim:hello]"))
            var completed: [String] = []
            while completed.count < 2 {
                let frame = try socket.receive()
                if frame["type"] as? String == "complete" {
                    completed.append(frame["message"] as? String ?? "")
                }
            }
            #expect(completed == ["m1", "m2"])
        }
    }

    @Test("a reader is not too slow for what it is answered within a turn")
    func manyAnswers() throws {
        let settings = """
            delivery: {frame_bytes: 1048576}
            limits: {frames_burst: 100000}
            """
        try GatewayFixture.run(settings, shards: 1) { gateway in
            let id = String(repeating: "p", count: 64)
            // What the kernel does not take of the first frame may wait with the rest.
            let count = Outbox.maximumUnnumberedBytes / ServerFrames.pong(id: id).count + 16
            let socket = try ChatSocket(port: gateway.port)
            socket.send(Array(repeating: Self.ping(id), count: count).joined(separator: "\n"))
            for _ in 0..<count { #expect(try socket.receive()["type"] as? String == "pong") }
        }
    }

    @Test("a snapshot comes before the state of a message that it stands for")
    func snapshotFirst() throws {
        try GatewayFixture.run("replay: {retention_s: 0}", shards: 1) { gateway in
            let client = try ChatClient(port: gateway.port)
            _ = try client.ask("m1", "[sim:hello]")
            // Once a client gets a snapshot, the answer is compacted.
            while true {
                let other = try ChatClient(port: gateway.port, resume: client.token)
                let first = try other.next { _ in true }
                if first["type"] as? String == "snapshot" { break }
            }
            let socket = try ChatSocket(port: gateway.port)
            socket.send(
                Self.hello(resume: client.token) + "\n" + Self.message("m2", "[sim:hello]"))
            // The answer may be compacted in its turn, and its end be in a snapshot.
            var types: [String] = []
            while !types.contains("snapshot") || !types.contains("state") {
                types.append(try socket.receive()["type"] as? String ?? "")
            }
            let snapshot = try #require(types.firstIndex(of: "snapshot"))
            let state = try #require(types.firstIndex(of: "state"))
            #expect(snapshot < state)
        }
    }

    @Test("what is done for a message is told before its answer")
    func statesFirst() throws {
        try FaultyWorld.run { world, client in
            for number in 0..<300 {
                let id = "m\(number)"
                client.message(id, "[sim:hello]")
                var answered: [ChatClient.Frame] = []
                _ = try client.next { frame in
                    let type = frame["type"] as? String
                    if type == "delta" { answered.append(frame) }
                    if type == "state", frame["message"] as? String == id {
                        #expect(answered.isEmpty, "\(frame)")
                    }
                    return type == "token"
                }
                #expect(try client.complete(id).status == "completed")
            }
        }
    }

    @Test("what was sent to a connection before the gateway stops arrives")
    func stop() throws {
        try GatewayFixture.run(shards: 1) { gateway in
            let sockets = try (0..<4).map { _ in try ChatSocket(port: gateway.port) }
            // A pong before `hello` shows that the gateway has the connection.
            for socket in sockets {
                socket.send(Self.ping("p"))
                #expect(try socket.receive()["type"] as? String == "pong")
            }
            gateway.stopper.drain()
            gateway.stopper.stop()
            for socket in sockets {
                #expect(try socket.receive()["type"] as? String == "going_away")
            }
        }
    }

    @Test("readers that were blocked get everything, in order", arguments: [1, 2])
    func blocked(shards: Int) throws {
        try FaultyWorld.run(shards: shards) { world, client in
            let token = client.token
            client.close()
            let readers = try (0..<6).map { _ in
                try ChatClient(port: world.port, resume: token, receiveBuffer: 4096)
            }
            readers[0].message("m1", "[sim:paced deltas=600 rate=0 bytes=1000]")
            waitForPause(world)
            let pings = (1...20).map { Self.ping("\($0)") }
            for reader in readers { reader.send(pings.joined(separator: "\n")) }
            for reader in readers {
                var pongs: [String] = []
                let end = try reader.next { frame in
                    if frame["type"] as? String == "pong" {
                        pongs.append(frame["id"] as? String ?? "")
                    }
                    return frame["type"] as? String == "complete"
                }
                #expect(pongs == (1...20).map { "\($0)" })
                #expect(end["text_sha256"] as? String == reader.text.sha256)
                #expect(reader.states.count >= 1)
            }
        }
    }

    @Test("unnumbered frames wait for a blocked reader up to a limit", arguments: [-1, 0, 1])
    func limit(offset: Int) throws {
        try FaultyWorld.run { world, client in
            let token = client.token
            client.close()
            let received = "gateway_frames_received_total"
            let slow = #"gateway_errors_total{code="slow_reader"}"#
            let socket = try ChatSocket(port: world.port, receiveBuffer: 4096)
            socket.send(Self.hello(resume: token))
            #expect(try socket.receive()["type"] as? String == "ready")
            socket.send(Self.message("m1", "[sim:paced deltas=4000 rate=0 bytes=1000]"))
            waitForPause(world)
            let before = world.metric(received)
            // Pongs of just so many bytes in all.
            let empty = ServerFrames.pong(id: "").count
            var ids: [Int] = []
            // That upstream is held back waits already.
            let paused =
                #"{"type":"state","response":"r_234567abcdefg","message":"m1","state":"paused"}"#
            var missing = Outbox.maximumUnnumberedBytes + offset - paused.utf8.count
            while missing > 0 {
                let whole = empty + 64
                let next = missing >= 2 * whole ? whole : missing <= whole ? missing : missing / 2
                ids.append(next - empty)
                missing -= next
            }
            socket.send(
                ids.map { Self.ping(String(repeating: "p", count: $0)) }.joined(separator: "\n"))
            world.wait(for: received, toBe: before + 1)
            #expect(world.metric(slow) == 0)
            socket.send(Self.ping("one more"))
            world.wait(for: received, toBe: before + 2)
            #expect(world.metric(slow) == (offset > 0 ? 1 : 0))
            // A connection that closes hears nothing.
            if offset <= 0 {
                socket.send(Self.ping("one too many"))
                world.wait(for: received, toBe: before + 3)
                #expect(world.metric(slow) == 1)
            }
            socket.close()
            let again = try ChatClient(port: world.port, resume: token)
            again.cancel("m1")
            _ = try again.complete("m1")
        }
    }

    /// Waits until upstream is held back and no reader's socket takes any more: each look is a turn of the loop.
    private func waitForPause(_ world: FaultyWorld) {
        let deadline = ContinuousClock.now + .seconds(60)
        var last = -1.0
        var quietLooks = 0
        while quietLooks < 20 {
            let sent = world.metric("gateway_sent_bytes_total")
            let isQuiet = sent == last && world.metric("gateway_upstream_paused_total") >= 1
            quietLooks = isQuiet ? quietLooks + 1 : 0
            last = sent
            guard ContinuousClock.now < deadline else {
                Issue.record("upstream was never held back")
                return
            }
        }
    }
}
