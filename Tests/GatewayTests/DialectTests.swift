import Foundation
import Testing

@testable import Gateway

/// The OpenAI dialect of a whole gateway over real sockets, with an upstream that does what it is told.
@Suite("The OpenAI dialect", .serialized, .timeLimit(.minutes(10)))
struct DialectTests {
    private static let path = "/v1/responses"

    private struct World {
        let gateway: GatewayThread
        var port: UInt16 { gateway.port }

        init(
            _ upstream: ScriptedUpstream, shards: Int = 1, heartbeat: Int = 60, _ settings: String
        ) throws {
            gateway = try GatewayThread(
                """
                server: {listen: "127.0.0.1:0", shards: \(shards), heartbeat_s: \(heartbeat)}
                upstream: {base_url: "\(upstream.url)"}
                breaker: {enabled: false}
                \(settings)
                """)
            try #require(gateway.port != 0, "the gateway did not start")
        }

        /// Looks until nothing runs any more.
        func waitForEnd() {
            while gatewayMetric("gateway_responses_in_flight", port) != 0 {}
        }

        func stop() { #expect(gateway.stop()) }
    }

    /// The first events of a short answer with an id.
    private static func stream(_ id: String, events count: Int = .max) -> [UInt8] {
        let text = String(decoding: ScriptedUpstream.stream(events: count), as: UTF8.self)
        return Array(text.replacing("resp_1", with: id).utf8)
    }

    /// An answer of a megabyte.
    private static func longStream() -> [UInt8] {
        let events = ScriptedUpstream.events(text: String(repeating: "x", count: 1000))
        return Array(events[..<2].joined())
            + Array(repeatElement(events[2], count: 1000).joined()) + Array(events[3...].joined())
    }

    private static func create(_ input: String) -> String {
        #"{"type":"response.create","model":"m","input":"\#(input)"}"#
    }

    private static func type(_ frame: ChatSocket.Frame) -> String { frame["type"] as? String ?? "" }

    /// The next frame of a type; others are passed over.
    private static func expect(_ wanted: String, from socket: ChatSocket) throws -> ChatSocket.Frame
    {
        while true {
            let frame = try socket.receive()
            if type(frame) == wanted { return frame }
        }
    }

    private static func askInStream(_ port: UInt16) throws -> TestSocket {
        let body = #"{"model":"m","input":"Hi","stream":true}"#
        let socket = try TestSocket(port: port, receiveBuffer: 4096)
        socket.write(
            Array(
                ("POST \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                    + "Content-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8))
        return socket
    }

    // MARK: What is compacted

    @Test(
        "what stands for compacted events comes before the events that follow", arguments: [1, 2])
    func snapshotFirst(shards: Int) throws {
        let upstream = try ScriptedUpstream { request in
            request.object["input"] as? String == "one"
                ? .ok(Self.stream("resp_one")) : .ok(Self.stream("resp_two", events: 3)).held()
        }
        defer { upstream.stop() }
        let world = try World(
            upstream, shards: shards, "replay: {retention_s: 0}")
        defer { world.stop() }
        let socket = try ChatSocket(port: world.port, path: Self.path)
        let token = try #require(socket.receive()["resume_token"] as? String)
        socket.send(Self.create("one"))
        let end = try Self.expect("response.completed", from: socket)
        let through = try #require(end["gateway_seq"] as? Int)
        socket.send(Self.create("two"))
        _ = try Self.expect("response.output_text.delta", from: socket)
        let question = Self.path + "/resp_one?stream=true&starting_after=0"
        while !String(decoding: httpGet(world.port, question), as: UTF8.self)
            .contains("events_expired")
        {}
        // Each on any shard: the session's own, or another one.
        for _ in 0..<8 {
            let late = try ChatSocket(
                port: world.port, path: Self.path + "?resume=\(token)&after=0")
            let session = try late.receive()
            #expect(session["recovered"] as? Bool == true)
            let snapshot = try late.receive()
            #expect(Self.type(snapshot) == "gateway.snapshot", "\(late.failure(""))")
            #expect(snapshot["through"] as? Int == through)
            for number in 1...3 {
                #expect(try late.receive()["gateway_seq"] as? Int == through + number)
            }
        }
    }

    /// No time that events are kept for, and room for a whole long stream.
    private static let keepingNothing =
        "replay: {retention_s: 0, high_watermark_bytes: 4194304, session_bytes: 8388608}"

    @Test("a stream that is read slowly has its end, however short the retention")
    func slowStream() throws {
        let upstream = try ScriptedUpstream { _ in .ok(Self.longStream()) }
        defer { upstream.stop() }
        let world = try World(upstream, Self.keepingNothing)
        defer { world.stop() }
        let socket = try Self.askInStream(world.port)
        _ = try socket.readHead()
        world.waitForEnd()
        let answer = String(decoding: socket.readToEnd(), as: UTF8.self)
        #expect(answer.contains("event: response.completed"))
        #expect(answer.hasSuffix("\r\n0\r\n\r\n"))
    }

    @Test("a WebSocket that is read slowly has every event, however short the retention")
    func slowSocket() throws {
        let upstream = try ScriptedUpstream { _ in .ok(Self.longStream()) }
        defer { upstream.stop() }
        let world = try World(upstream, Self.keepingNothing)
        defer { world.stop() }
        let socket = try ChatSocket(port: world.port, path: Self.path, receiveBuffer: 4096)
        _ = try socket.receive()
        socket.send(Self.create("Hi"))
        #expect(try Self.type(socket.receive()) == "response.created")
        world.waitForEnd()
        for number in 2...1004 {
            #expect(try socket.receive()["gateway_seq"] as? Int == number)
        }
    }

    // MARK: The gateway stops

    @Test("a request that waits when the drain is over is answered, and never begun")
    func drainWithWaiting() throws {
        let upstream = try ScriptedUpstream { _ in .ok(Self.stream("resp_1", events: 3)).held() }
        defer { upstream.stop() }
        let world = try World(upstream, "drain: {timeout_ms: 1, spread_ms: 0}")
        defer { world.stop() }
        let socket = try ChatSocket(port: world.port, path: Self.path)
        for input in ["one", "two", "three"] { socket.send(Self.create(input)) }
        _ = try Self.expect("response.output_text.delta", from: socket)
        // Answered in turn: what was sent before it has been taken.
        socket.send(#"{"type":"response.steer","previous_response_id":"resp_1","input":"x"}"#)
        _ = try Self.expect("response.steer.failed", from: socket)
        world.gateway.stopper?.drain()
        _ = try Self.expect("gateway.going_away", from: socket)
        var statuses: [Int] = []
        var ends: [String] = []
        while let frame = try? socket.receive() {
            if Self.type(frame) == "error" { statuses.append(frame["status"] as? Int ?? 0) }
            if let response = frame["response"] as? ChatSocket.Frame {
                ends.append(response["status"] as? String ?? "")
            }
        }
        #expect(statuses == [503, 503])
        #expect(ends == ["cancelled"])
        #expect(socket.closeCode == 1012)
        #expect(upstream.requests.count == 1)
    }

    @Test("heartbeats go on while it drains: a peer that is gone is noticed")
    func heartbeats() throws {
        let upstream = try ScriptedUpstream { _ in .ok(Self.stream("resp_1", events: 3)).held() }
        defer { upstream.stop() }
        let world = try World(
            upstream, heartbeat: 1, "drain: {timeout_ms: 600000, spread_ms: 0}")
        defer { world.stop() }
        let socket = try ChatSocket(port: world.port, path: Self.path)
        socket.answersPings = true
        socket.send(Self.create("Hi"))
        _ = try Self.expect("response.output_text.delta", from: socket)
        world.gateway.stopper?.drain()
        _ = try Self.expect("gateway.going_away", from: socket)
        for _ in 0..<2 { try socket.receivePing() }
        socket.answersPings = false
        while (try? socket.receive()) != nil {}
        #expect(socket.closeCode == 4409)
    }
}
