import Foundation
import Testing

/// Every fault of the simulator, at every place, over real sockets.
@Suite("Fault matrix", .serialized)
struct FaultMatrixTests {
    /// Faults that strike instead of an answer, and whether trying again helps.
    private static let before: [(words: String, isRetried: Bool)] = [
        ("status status=500", true), ("status status=502 shape=html", true),
        ("status status=503 retry_after_ms=20", true),
        ("status status=429 retry_after_ms=20", true),
        ("status status=408", true), ("status status=409", true),
        ("status status=400 should_retry=true", true),
        ("status status=500 should_retry=false", false),
        ("status status=429 code=insufficient_quota", false), ("status status=400", false),
        ("status status=401", false), ("status status=403", false), ("status status=404", false),
        ("silent", true), ("refuse", true), ("close", true), ("http-garbage", true),
        ("redirect", false), ("content-type", false),
    ]

    /// Faults that break a stream where they strike.
    private static let breaking = [
        "stall", "reset", "cut", "drop", "error", "error-flat", "error-only", "truncated-json",
        "invalid-utf8",
    ]

    /// Events of the simulator's short answer up to its terminal one.
    private static let eventsBeforeTheEnd = 16

    /// Faults that an answer survives.
    private static let harmless = [
        "delay ms=50", "keepalive ms=20", "comments ms=20 count=3", "duplicate-terminal",
        "after-terminal", "done-marker", "bom", "crlf", "huge size=100000", "stall ms=50",
    ]

    @Test("instead of an answer: tried again or final")
    func beforeTheAnswer() throws {
        try FaultyWorld.run { _, client in
            for (index, fault) in Self.before.enumerated() {
                let end = try client.ask(
                    "m\(index)", "Hi [sim:fault=\(fault.words) times=1 key=b\(index)]")
                #expect(end.status == (fault.isRetried ? "completed" : "failed"), "\(fault.words)")
            }
        }
    }

    @Test("inside the stream, before anything is seen: nobody notices")
    func beforeTheText() throws {
        try FaultyWorld.run { _, client in
            let plain = try client.ask("plain", "Hi")
            #expect(plain.status == "completed")
            for fault in Self.breaking {
                for after in [0, 1, 2] {
                    let id = "\(fault)-\(after)"
                    let words = "[sim:fault=\(fault) after=\(after) times=1 key=\(id)]"
                    let end = try client.ask(id, "Hi \(words)")
                    #expect(end.status == "completed", "\(id)\n\(client.story)")
                    #expect(client.text(of: id) == client.text(of: "plain"), "\(id)")
                }
            }
        }
    }

    @Test("after text was seen: it ends failed, retryable, with what came")
    func midText() throws {
        try FaultyWorld.run { _, client in
            let plain = try client.ask("plain", "Hi")
            #expect(plain.status == "completed")
            for fault in Self.breaking + ["cut-character", "no-terminal"] {
                let end = try client.ask(
                    fault, "Hi [sim:fault=\(fault) after=7 times=1 key=\(fault)]")
                #expect(end.status == "failed", "\(fault)\n\(client.story)")
                #expect(end.code.hasPrefix("upstream_"), "\(fault)")
                #expect(end.isRetryable, "\(fault)\n\(client.story)")
                #expect(
                    client.text(of: "plain").hasPrefix(client.text(of: fault))
                        && !client.text(of: fault).isEmpty, "\(fault)")
            }
        }
    }

    @Test("inside a tool call: the call ends incomplete, the response failed")
    func midTool() throws {
        try FaultyWorld.run { _, client in
            let tools =
                #"{"model":"sim-function","tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]}"#
            let plain = try client.ask("plain", "weather?", options: tools)
            #expect(plain.status == "completed")
            for fault in Self.breaking {
                let end = try client.ask(
                    fault, "weather? [sim:fault=\(fault) after=5 times=1 key=t-\(fault)]",
                    options: tools)
                #expect(end.status == "failed", "\(fault)\n\(client.story)")
            }
        }
    }

    @Test("at the end, all text but no terminal event: it ends failed, with the whole text")
    func atTheEnd() throws {
        try FaultyWorld.run { _, client in
            let plain = try client.ask("plain", "Hi")
            #expect(plain.status == "completed")
            for fault in Self.breaking {
                let words =
                    "[sim:fault=\(fault) after=\(Self.eventsBeforeTheEnd) times=1 key=e-\(fault)]"
                let end = try client.ask(fault, "Hi \(words)")
                #expect(end.status == "failed", "\(fault)\n\(client.story)")
                #expect(client.text(of: fault) == client.text(of: "plain"), "\(fault)")
            }
        }
    }

    @Test("after something was seen, a fallback changes nothing: nothing is said twice")
    func fallbackComesTooLate() throws {
        let healthy = try SimulatorThread()
        defer { healthy.stop() }
        for fault in Self.breaking {
            for after in [7, Self.eventsBeforeTheEnd] {
                let faulty = try SimulatorThread(fault: "\(fault) after=\(after)")
                defer { faulty.stop() }
                let world = try FaultyWorld(
                    primary: faulty.url,
                    fallback: "{urls: {second: \"\(healthy.url)\"}, order: [second]}")
                defer { world.stop() }
                let client = try ChatClient(port: world.port)
                let end = try client.ask("m", "Hi")
                #expect(end.status == "failed", "\(fault) \(after)\n\(client.story)")
                #expect(!client.text(of: "m").isEmpty)
                world.expectNothingLeft()
            }
        }
    }

    @Test("faults that an answer survives")
    func harmlessFaults() throws {
        // No deadline is to expire here, however busy the machine is.
        let patient = [
            "response_header_timeout_ms: 60000", "first_event_timeout_ms: 60000",
            "silence_timeout_ms: 60000", "keepalive_silence_ms: 60000",
        ]
        try FaultyWorld.run(upstream: patient) { _, client in
            for (index, fault) in Self.harmless.enumerated() {
                let end = try client.ask("m\(index)", "Hi [sim:fault=\(fault)]")
                #expect(end.status == "completed", "\(fault)\n\(client.story)")
            }
        }
    }

    @Test("another upstream takes over at once, whatever the first one does")
    func fallback() throws {
        let healthy = try SimulatorThread()
        defer { healthy.stop() }
        let broken = Self.breaking.map { "\($0) after=2" } + Self.before.map(\.words)
        for fault in broken {
            // The request itself is wrong: nobody else would take it.
            if ["status status=400", "status status=404", "redirect"].contains(fault) { continue }
            if fault.contains("should_retry=false") { continue }
            let faulty = try SimulatorThread(fault: fault)
            defer { faulty.stop() }
            let world = try FaultyWorld(
                primary: faulty.url,
                fallback: "{urls: {second: \"\(healthy.url)\"}, order: [second]}")
            defer { world.stop() }
            let client = try ChatClient(port: world.port)
            let end = try client.ask("m", "Hi")
            #expect(end.status == "completed", "\(fault)\n\(client.story)")
            world.expectNothingLeft()
        }
    }

    @Test("background: cuts anywhere are reattached to, nothing is lost or repeated")
    func background() throws {
        try FaultyWorld.run { world, client in
            let options = #"{"model":"sim-hello","background":true}"#
            let plain = try client.ask("plain", "Hi", options: options)
            #expect(plain.status == "completed", "\(client.story)")
            for fault in ["stall", "reset", "cut", "drop", "truncated-json", "invalid-utf8"] {
                for after in [2, 3, 5, 7, 9] {
                    let id = "\(fault)-\(after)"
                    let words = "[sim:fault=\(fault) after=\(after) times=2 key=bg-\(id)]"
                    let end = try client.ask(id, "Hi \(words)", options: options)
                    #expect(end.status == "completed", "\(id)\n\(client.story)")
                    #expect(
                        client.text(of: id) == client.text(of: "plain"), "\(id)\n\(client.story)")
                }
            }
            #expect(world.metric("gateway_upstream_reattached_total") > 20)
        }
    }
}
