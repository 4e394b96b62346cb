import Foundation
import Testing

@testable import Gateway

/// Answers that break off in their text and go on at another upstream, over real sockets.
@Suite("Seam over sockets", .serialized, .timeLimit(.minutes(10)))
struct SeamTests {
    private static func world(
        _ first: SimulatorThread, _ second: SimulatorThread, seams: Int = 1, models: String = "{}",
        upstream: [String] = []
    ) throws -> FaultyWorld {
        try FaultyWorld(
            primary: first.url, upstream: upstream,
            fallback:
                "{urls: {second: \"\(second.url)\"}, order: [second], seams: \(seams), models: \(models)}"
        )
    }

    @Test(
        "the text is part one and part two, marked, and the digest is true over both",
        arguments: ["cut", "reset", "drop", "stall", "truncated-json", "cut-character"])
    func goesOn(fault: String) throws {
        let first = try SimulatorThread(fault: "\(fault) after=7")
        defer { first.stop() }
        let second = try SimulatorThread()
        defer { second.stop() }
        // Only a stall is silent; the answer that goes on is not to be taken for one.
        let world = try Self.world(
            first, second, upstream: fault == "stall" ? ["silence_timeout_ms: 2000"] : [])
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let end = try client.ask("m", "Hi")
        #expect(end.status == "completed", "\(client.story)")
        #expect(end["seams"] as? [Int] == [1], "\(client.story)")
        let seam = try #require(client.events.first { $0["type"] as? String == "seam" })
        #expect((seam["reason"] as? String)?.hasPrefix("upstream_") == true)
        let (one, two) = client.parts(of: "m", before: 1)
        #expect(!one.isEmpty && !two.isEmpty && two.hasPrefix(one), "the same seed, from its start")
        let text = client.text(of: "m")
        #expect(text == one + two)
        #expect(end["text_bytes"] as? Int == text.utf8.count)
        #expect(end["text_sha256"] as? String == text.sha256)
        #expect(world.metric("gateway_upstream_seams_total") == 1)
        // Whoever comes later sees the same.
        let late = try ChatClient(port: world.port, resume: client.token)
        #expect(try late.complete("m")["text_sha256"] as? String == text.sha256)
        #expect(late.text(of: "m") == text)
        world.expectNothingLeft()
    }

    @Test("the second upstream is given the text so far, under its own name of the model")
    func request() throws {
        let first = try SimulatorThread(fault: "cut after=7")
        defer { first.stop() }
        let second = try SimulatorThread()
        defer { second.stop() }
        let world = try Self.world(first, second, models: "{\"second/*\": sim-echo}")
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        #expect(try client.ask("m", "Hi").status == "completed", "\(client.story)")
        let (one, two) = client.parts(of: "m", before: 1)
        #expect(!one.isEmpty && !two.isEmpty)
        let requests = second.statistics["last_requests"] as? [[String: Any]]
        let object = try #require(requests?.last?["body"] as? [String: Any])
        #expect(object["model"] as? String == "sim-echo")
        let input = object["input"] as? [[String: Any]] ?? []
        #expect(input.map { $0["role"] as? String } == ["user", "assistant", "developer"])
        #expect(input.dropFirst().first?["content"] as? String == one)
    }

    @Test("seams are bounded, and every upstream is asked once")
    func bounded() throws {
        let first = try SimulatorThread(fault: "cut after=7")
        defer { first.stop() }
        let second = try SimulatorThread(fault: "cut after=7")
        defer { second.stop() }
        for (seams, shown) in [(0, 0), (1, 1), (2, 1)] {
            let world = try Self.world(first, second, seams: seams)
            defer { world.stop() }
            let client = try ChatClient(port: world.port)
            let end = try client.ask("m", "Hi")
            #expect(end.status == "failed" && end.isRetryable, "\(client.story)")
            #expect(end.code == "upstream_truncated")
            #expect((end["seams"] as? [Int] ?? []).count == shown)
            #expect(end["text_sha256"] as? String == client.text(of: "m").sha256)
            world.expectNothingLeft()
        }
    }

    @Test("an upstream that cannot go on leaves no mark, and the break is what is told")
    func noMark() throws {
        let first = try SimulatorThread(fault: "cut after=7")
        defer { first.stop() }
        for fault in ["status status=503", "refuse", "cut after=2", "error-only after=0"] {
            let second = try SimulatorThread(fault: fault)
            defer { second.stop() }
            let world = try Self.world(first, second)
            defer { world.stop() }
            let client = try ChatClient(port: world.port)
            let end = try client.ask("m", "Hi")
            #expect(end.status == "failed" && end.code == "upstream_truncated", "\(client.story)")
            #expect(end["seams"] == nil)
            world.expectNothingLeft()
        }
    }

    @Test("tool calls, structured output and refusals end as they did")
    func never() throws {
        let first = try SimulatorThread(fault: "cut after=7")
        defer { first.stop() }
        let second = try SimulatorThread()
        defer { second.stop() }
        let world = try Self.world(first, second)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        let tool =
            #"{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}"#
        let schema =
            #"{"format":{"type":"json_schema","name":"a","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}"#
        for (id, options) in [
            ("tool", #"{"model":"sim-function","tools":[\#(tool)]}"#),
            ("structure", #"{"model":"sim-structured","text":\#(schema)}"#),
            ("refusal", #"{"model":"sim-refusal"}"#),
        ] {
            let end = try client.ask(id, "weather?", options: options)
            #expect(end.status == "failed", "\(id)\n\(client.story)")
            #expect(end["seams"] == nil)
        }
        #expect(world.metric("gateway_upstream_seams_total") == 0)
    }

    @Test("a cancel while another upstream is asked to go on ends it at once")
    func cancel() throws {
        let first = try SimulatorThread(fault: "cut after=7")
        defer { first.stop() }
        let second = try SimulatorThread(fault: "silent")
        defer { second.stop() }
        let world = try Self.world(
            first, second)
        defer { world.stop() }
        let client = try ChatClient(port: world.port)
        client.message("m", "Hi")
        try client.expect("delta")
        world.wait(for: "gateway_upstream_in_flight{upstream=\"second\"}", toBe: 1)
        client.cancel("m")
        #expect(try client.complete("m").status == "cancelled")
        #expect(!client.text(of: "m").isEmpty)
        world.expectNothingLeft()
    }
}

extension ChatClient {
    /// The text of a message's answer at the indexes below `index`, and from it on.
    fileprivate func parts(of message: String, before index: Int) -> (String, String) {
        var parts = ("", "")
        let deltas = events.filter {
            $0["type"] as? String == "delta" && $0["kind"] as? String == "text"
        }
        for delta in deltas {
            let text = delta["text"] as? String ?? ""
            if delta["index"] as? Int ?? 0 < index { parts.0 += text } else { parts.1 += text }
        }
        return parts
    }
}
