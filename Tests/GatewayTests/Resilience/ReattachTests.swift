import Foundation
import Synchronization
import Testing

/// Background responses whose connection is lost, and what the reconnection meets, over real sockets.
@Suite("Reattachment over sockets", .serialized, .timeLimit(.minutes(10)))
struct ReattachTests {
    private typealias Answer = ScriptedUpstream.Answer

    private static let options = #"{"background":true}"#
    private static let cancelPath = "/v1/responses/resp_1/cancel"
    private static let running = Array(
        #"{"id":"resp_1","model":"m","status":"in_progress","output":[]}"#.utf8)
    private static let completed = Array(
        #"{"id":"resp_1","model":"m","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello"}]}]}"#
            .utf8)

    private static let error = Array(
        #"{"error":{"message":"try again","type":"server_error","code":"server_error"}}"#.utf8)

    /// What a reconnection may meet and get over.
    private static let passing: [(name: String, answer: Answer)] = [
        ("408", .status(408)), ("409", .status(409)), ("429", .status(429)),
        ("500", .status(500)), ("503", .status(503)), ("closed", Answer(bytes: [])),
        ("no HTTP", Answer(bytes: Array("what is this?\r\n\r\n".utf8))),
        ("silence", .silence), ("no event, then silence", Answer.ok([]).held()),
        ("no event", .ok([])), ("broken", .ok(Array("data: {\n\n".utf8))),
        ("only what is known", .ok(ScriptedUpstream.stream(events: 2))),
        ("a response that runs", .ok(running, type: "application/json")),
        ("an error without a status", .ok(error, type: "application/json")),
        ("a proxy's words", .ok(Array(#"{"error":"bad gateway"}"#.utf8), type: "application/json")),
        ("the response", .ok(completed, type: "application/json")),
    ]

    @Test("each fault that comes instead of the stream is got over", arguments: passing.map(\.name))
    func passes(name: String) throws {
        let fault = try #require(Self.passing.first { $0.name == name }).answer
        let reattachments = Mutex(0)
        let upstream = try ScriptedUpstream { request in
            if request.method == "POST" { return .ok(ScriptedUpstream.stream(events: 3)) }
            guard request.path.contains("stream=true") else {
                return .ok(Self.running, type: "application/json")
            }
            let number = reattachments.withLock { count in
                count += 1
                return count
            }
            return number <= 2 ? fault : .hello
        }
        defer { upstream.stop() }
        // Silence is to be noticed; what a slow machine takes for it costs another attempt.
        let isSilent = name.contains("silence")
        let deadlines = ["response_header_timeout_ms: 300", "first_event_timeout_ms: 300"]
        let world = try FaultyWorld(
            primary: upstream.url, upstream: (isSilent ? deadlines : []) + ["reconnects: 100"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi", options: Self.options)
        #expect(end.status == "completed", "\(client.story)")
        #expect(client.text(of: "m") == "Hello", "\(client.story)")
        #expect(end["text_sha256"] as? String == "Hello".sha256)
        let posts = upstream.requests.filter { $0.method == "POST" }
        #expect(isSilent || posts.count == 1)
        world.expectNothingLeft()
    }

    @Test("the number of reconnections without news is bounded", arguments: [3, 4, 5])
    func bounded(failures: Int) throws {
        let reattachments = Mutex(0)
        let upstream = try ScriptedUpstream { request in
            if request.path == "/v1/responses" { return .ok(ScriptedUpstream.stream(events: 3)) }
            if request.method == "POST" { return .ok(Array("{}".utf8), type: "application/json") }
            let number = reattachments.withLock { count in
                count += 1
                return count
            }
            return number <= failures ? .status(503) : .hello
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url, upstream: ["reconnects: 5"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi", options: Self.options)
        // The fifth reconnection is the last one.
        let isGivenUp = failures == 5
        #expect(end.status == (isGivenUp ? "failed" : "completed"), "\(client.story)")
        #expect(client.text(of: "m") == "Hello")
        if isGivenUp {
            #expect(end.code == "upstream_http_status" && end.isRetryable)
            upstream.waitForRequests(7)
        }
        world.expectNothingLeft()
        // Given up, it is cancelled: nobody will read it.
        #expect((upstream.requests.last?.path == Self.cancelPath) == isGivenUp)
    }

    @Test("at the deadline of the whole it is cancelled upstream")
    func total() throws {
        let upstream = try ScriptedUpstream { request in
            request.path == "/v1/responses"
                ? .ok(ScriptedUpstream.stream(events: 3)).held()
                : .ok(Array("{}".utf8), type: "application/json")
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url,
            upstream: ["total_timeout_ms: 3000", "connect_timeout_ms: 3000"])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi", options: Self.options)
        #expect(end.code == "upstream_total_timeout" && end.isRetryable, "\(client.story)")
        upstream.waitForRequests(2)
        #expect(upstream.requests.last?.path == Self.cancelPath)
        upstream.waitForClosed()
        world.expectNothingLeft()
    }

    @Test("a cancel that upstream does not answer ends at its own deadline, and the log says so")
    func unansweredCancel() throws {
        let upstream = try ScriptedUpstream { request in
            request.path == "/v1/responses"
                ? .ok(ScriptedUpstream.stream(events: 3)).held() : .silence
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url, upstream: ["cancel_timeout_ms: 100"], keepsLog: true)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("m", "Hi", options: Self.options)
        try client.expect("delta")
        client.cancel("m")
        #expect(try client.complete("m").status == "cancelled")
        upstream.waitForRequests(2)
        upstream.waitForClosed()
        world.expectNothingLeft()
        let line = try #require(world.logged("background response not cancelled").first)
        #expect(line["gen_ai.response.id"] as? String == "resp_1")
        #expect((line["error.message"] as? String)?.contains("upstream.cancel_timeout_ms") == true)
    }
}
