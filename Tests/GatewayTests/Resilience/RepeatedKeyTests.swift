import Foundation
import Testing

/// Upstreams that repeat the gateway's key in what they say inside a stream, over real sockets.
@Suite("The key in an upstream's words", .serialized, .timeLimit(.minutes(10)))
struct RepeatedKeyTests {
    /// Nothing that looks like a key; `/` may be written as `\/`.
    private static let key = "the/password-0123456789"
    private static let ways = [key, key.replacing("/", with: #"\/"#)]
    private static let start = ScriptedUpstream.stream(events: 3)

    /// Events with an error that repeats the key.
    private static func errors(_ key: String) -> [String] {
        let error = #"{"code":"code-\#(key)","message":"no '\#(key)' here"}"#
        return [
            #"{"type":"error","error":\#(error)}"#,
            #"{"type":"error","code":"code-\#(key)","message":"no '\#(key)' here"}"#,
            #"{"error":\#(error)}"#,
            #"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":\#(error)}}"#,
            #"{"type":"who.knows","error":\#(error)}"#,
        ].map { "data: \($0)\n\n" }
    }

    private static func upstream(_ answer: [UInt8]) throws -> ScriptedUpstream {
        try ScriptedUpstream { _ in .ok(answer) }
    }

    private static func world(_ upstream: ScriptedUpstream) throws -> FaultyWorld {
        try FaultyWorld(
            primary: upstream.url, upstream: ["api_key: \"\(key)\"", "attempts: 2"],
            keepsLog: true)
    }

    /// The whole answer, with its head.
    private static func askInDialect(_ world: FaultyWorld, isStream: Bool) throws -> String {
        let body = #"{"model":"m","input":"Hi","stream":\#(isStream)}"#
        let socket = try TestSocket(port: world.port)
        socket.write(
            Array(
                ("POST /v1/responses HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                    + "Content-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8))
        return String(decoding: socket.readToEnd(), as: UTF8.self)
    }

    /// Neither what was said nor what the gateway itself tells may have a part of the key's that nothing else has.
    private static func expectNoKey(_ said: String, _ world: FaultyWorld, _ what: String) {
        let metrics = String(decoding: httpGet(world.port, "/metrics"), as: UTF8.self)
        #expect(!metrics.isEmpty)
        for (place, text) in [("client", said), ("metrics", metrics), ("log", world.wholeLog)] {
            #expect(!text.contains("password-0123456789"), "\(place): \(what)\n\(text)")
        }
    }

    @Test("is masked for clients of the native protocol, in the log, and in metrics")
    func native() throws {
        for before in [[], Self.start] {
            for error in Self.ways.flatMap(Self.errors) {
                let upstream = try Self.upstream(before + Array(error.utf8))
                defer { upstream.stop() }
                let world = try Self.world(upstream)
                defer { world.stop() }
                let client = try ChatClient(port: world.port)
                let end = try client.ask("m", "Hi")
                #expect(end.status == "failed", "\(client.story)")
                Self.expectNoKey(client.story, world, error)
                // Whoever asks again is told the same.
                let late = try ChatClient(port: world.port, resume: client.token)
                _ = try late.complete("m")
                Self.expectNoKey(late.story, world, error)
                if !error.contains("who.knows") {
                    #expect(client.story.contains("no '***********************' here"), "\(error)")
                }
            }
        }
    }

    @Test("is masked for clients of upstream's own protocol", arguments: [true, false])
    func dialect(isStream: Bool) throws {
        for before in [[], Self.start] {
            for error in Self.ways.flatMap(Self.errors) {
                let upstream = try Self.upstream(before + Array(error.utf8))
                defer { upstream.stop() }
                let world = try Self.world(upstream)
                defer { world.stop() }
                let answer = try Self.askInDialect(world, isStream: isStream)
                #expect(answer.hasPrefix("HTTP/1.1 "), "\(error)")
                #expect(answer.contains("error") || answer.contains("failed"), "\(answer)")
                Self.expectNoKey(answer, world, error)
            }
        }
    }

    @Test(
        "is masked in a whole answer that has failed", arguments: ["native", "stream", "no stream"])
    func document(reader: String) throws {
        let object =
            #"{"id":"resp_1","object":"response","status":"failed","output":[],"error":{"code":"c","message":"no '\#(Self.key)' here"}}"#
        let upstream = try ScriptedUpstream { _ in
            .ok(Array(object.utf8), type: "application/json")
        }
        defer { upstream.stop() }
        let world = try Self.world(upstream)
        defer { world.stop() }
        let said: String
        if reader == "native" {
            let client = try ChatClient(port: world.port)
            #expect(try client.ask("m", "Hi").status == "failed")
            said = client.story
        } else {
            said = try Self.askInDialect(world, isStream: reader == "stream")
        }
        #expect(said.contains("no '***********************' here"), "\(said)")
        Self.expectNoKey(said, world, object)
    }
}
