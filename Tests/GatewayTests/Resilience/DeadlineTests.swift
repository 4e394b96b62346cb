import Foundation
import Testing

/// Deadlines and odd answers that no fault of the simulator covers, over real sockets.
@Suite("Deadlines and odd answers over sockets", .serialized, .timeLimit(.minutes(10)))
struct DeadlineTests {
    @Test("TLS that is never answered ends at its own deadline")
    func handshake() throws {
        let upstream = try ScriptedUpstream { _ in .silence }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: "https://127.0.0.1:\(upstream.port)/v1",
            upstream: ["tls_timeout_ms: 100", "response_header_timeout_ms: 60000", "attempts: 2"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi")
        #expect(end.status == "failed" && end.isRetryable, "\(client.story)")
        #expect(end.code == "upstream_tls_timeout")
        #expect(world.metric("gateway_upstream_retries_total{reason=\"tls\"}") == 1)
        upstream.waitForClosed()
        world.expectNothingLeft()
    }

    @Test("a connection that is not made ends at its own deadline")
    func connect() throws {
        let upstream = try FullListener()
        let world = try FaultyWorld(
            primary: "http://127.0.0.1:\(upstream.port)/v1",
            upstream: [
                "connect_timeout_ms: 100", "response_header_timeout_ms: 60000", "attempts: 2",
            ])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi")
        #expect(end.status == "failed" && end.isRetryable, "\(client.story)")
        #expect(end.code == "upstream_connect_timeout")
        #expect(world.metric("gateway_upstream_retries_total{reason=\"unreachable\"}") == 1)
        world.expectNothingLeft()
    }

    @Test("what upstream told is said where its stream does not end after it")
    func toldBefore() throws {
        let told = #"data: {"error":{"code":"engine","message":"The engine is gone"}}"# + "\n\n"
        let answer = ScriptedUpstream.Answer.ok(
            ScriptedUpstream.stream(events: 3) + Array(told.utf8)
        ).held()
        let upstream = try ScriptedUpstream { _ in answer }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url, upstream: ["silence_timeout_ms: 200", "attempts: 1"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi")
        let error = end["error"] as? [String: Any]
        let message = error?["message"] as? String ?? ""
        #expect(end.status == "failed" && end.code == "upstream_failed", "\(client.story)")
        #expect(message.contains("The engine is gone"), "\(client.story)")
        world.expectNothingLeft()
    }

    /// A deadline's key with a short time, what upstream does, and what the client is told.
    private static let deadlines: [(key: String, answer: ScriptedUpstream.Answer, code: String)] = [
        ("response_header_timeout_ms: 200", .silence, "upstream_header_timeout"),
        (
            "first_event_timeout_ms: 200", ScriptedUpstream.Answer.ok([]).held(),
            "upstream_first_event_timeout"
        ),
        (
            "first_text_timeout_ms: 200",
            .ok(ScriptedUpstream.stream(events: 2)).held(), "upstream_first_text_timeout"
        ),
        (
            "silence_timeout_ms: 200",
            .ok(ScriptedUpstream.stream(events: 3)).held(), "upstream_silence_timeout"
        ),
        (
            "total_timeout_ms: 1000",
            .ok(ScriptedUpstream.stream(events: 3)).held(), "upstream_total_timeout"
        ),
    ]

    @Test("each deadline has its own key and its own code", arguments: deadlines.map(\.code))
    func codes(code: String) throws {
        let (key, answer, _) = try #require(Self.deadlines.first { $0.code == code })
        let upstream = try ScriptedUpstream { _ in answer }
        defer { upstream.stop() }
        // All others would end the test first.
        let others = [
            "response_header_timeout_ms", "first_event_timeout_ms", "first_text_timeout_ms",
            "silence_timeout_ms", "keepalive_silence_ms", "total_timeout_ms",
        ].filter { !key.hasPrefix($0) }.map { "\($0): 300000" }
        // Of all, that of the whole may not be shorter than that of connecting.
        let connecting = key.hasPrefix("total") ? ["connect_timeout_ms: 1000"] : []
        let world = try FaultyWorld(
            primary: upstream.url, upstream: others + connecting + [key, "attempts: 1"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi")
        #expect(end.code == code && end.isRetryable, "\(client.story)")
        upstream.waitForClosed()
        world.expectNothingLeft()
    }

    @Test("events without any text end at the first text's deadline, whatever else comes")
    func firstText() throws {
        let silent = ScriptedUpstream.stream(events: 2)
        let upstream = try ScriptedUpstream { _ in .ok(silent).held() }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url,
            upstream: [
                "first_text_timeout_ms: 200", "silence_timeout_ms: 60000",
                "keepalive_silence_ms: 60000", "attempts: 2",
            ])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi")
        #expect(end.code == "upstream_first_text_timeout" && end.isRetryable, "\(client.story)")
        #expect(upstream.requests.count == 2, "tried again, since nothing was seen")
        upstream.waitForClosed()
        world.expectNothingLeft()
    }

    @Test("a whole response as JSON in place of a stream is the answer, each time")
    func document() throws {
        let item =
            #"{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello"}]}"#
        let object =
            #"{"id":"resp_1","object":"response","model":"m","status":"completed","output":[\#(item)]}"#
        let upstream = try ScriptedUpstream { _ in
            .ok(Array(object.utf8), type: "application/json")
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(primary: upstream.url)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        for id in ["a", "b"] {
            let end = try client.ask(id, "Hi")
            #expect(end.status == "completed", "\(client.story)")
            #expect(client.text(of: id) == "Hello")
            #expect(end["text_sha256"] as? String == "Hello".sha256)
        }
        #expect(upstream.requests.map { $0.object["stream"] as? Bool } == [true, true])
        world.expectNothingLeft()
    }

    @Test("JSON that is no response is no answer")
    func otherDocument() throws {
        let upstream = try ScriptedUpstream { _ in
            .ok(Array(#"{"ok":true}"#.utf8), type: "application/json")
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(primary: upstream.url, upstream: ["attempts: 1"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi")
        #expect(end.status == "failed" && end.code == "upstream_protocol_error")
        world.expectNothingLeft()
    }

    @Test("a background response that upstream has forgotten is lost, with the text that came")
    func windowOver() throws {
        for gone in [404, 400] {
            let upstream = try ScriptedUpstream { request in
                request.method == "POST"
                    ? .ok(ScriptedUpstream.stream(events: 3)) : .status(gone)
            }
            defer { upstream.stop() }
            let world = try FaultyWorld(primary: upstream.url)
            defer { world.stop() }
            let client = try ChatClient(port: world.port)
            let end = try client.ask("m", "Hi", options: #"{"background":true}"#)
            #expect(end.code == "upstream_response_lost" && end.isRetryable, "\(client.story)")
            #expect(client.text(of: "m") == "Hello")
            let paths = upstream.requests.map(\.path)
            #expect(
                paths == [
                    "/v1/responses", "/v1/responses/resp_1?stream=true", "/v1/responses/resp_1",
                ], "\(paths)")
            world.expectNothingLeft()
        }
    }

    @Test("a background stream whose window is over is completed from the stored response")
    func stored() throws {
        let item =
            #"{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello, world"}]}"#
        let object = #"{"id":"resp_1","model":"m","status":"completed","output":[\#(item)]}"#
        let upstream = try ScriptedUpstream { request in
            if request.method == "POST" { return .ok(ScriptedUpstream.stream(events: 3)) }
            return request.path.contains("stream=true")
                ? .status(400) : .ok(Array(object.utf8), type: "application/json")
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(primary: upstream.url)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi", options: #"{"background":true}"#)
        #expect(end.status == "completed", "\(client.story)")
        #expect(client.text(of: "m") == "Hello, world")
        #expect(end["text_sha256"] as? String == "Hello, world".sha256)
        world.expectNothingLeft()
    }
}
