import Foundation
import Testing

/// A recorded stream that is cut after any of its events never ends as `completed`: over real sockets.
@Suite("Cuts at every event, over sockets", .serialized, .timeLimit(.minutes(10)))
struct TruncationTests {
    /// Beside the checkout; where it is missing there is nothing to check.
    private static let corpus = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared/corpus")

    private static let names = [
        "text-hello", "text-medium", "fn-parallel", "fn-unicode-args", "websearch-annotations",
        "reasoning-summary", "incomplete-text", "refusal", "mcp-two-calls", "background-create",
    ]

    private static let isThere = FileManager.default.fileExists(atPath: corpus.path)

    /// A body up to the end of each of its events.
    private struct Recording: Sendable {
        let name: String
        let body: [UInt8]
        let ends: [Int]

        init?(_ name: String) {
            guard
                let data = try? Data(
                    contentsOf: TruncationTests.corpus.appending(path: "\(name).sse"))
            else { return nil }
            let body = data.filter { $0 != UInt8(ascii: "\r") }
            self.name = name
            self.body = Array(body)
            ends = self.body.indices.dropFirst().filter { [body = self.body] index in
                body[index] == UInt8(ascii: "\n") && body[index - 1] == UInt8(ascii: "\n")
            }.map { $0 + 1 }
        }
    }

    @Test(
        "ten recordings, every event",
        .enabled(if: isThere, "the corpus of recorded streams is not beside the checkout"))
    func everyCut() throws {
        var recordings: [String: Recording] = [:]
        for name in Self.names { recordings[name] = Recording(name) }
        let known = recordings
        // A message says where its answer is cut: NAME/EVENTS.
        let upstream = try ScriptedUpstream { request in
            let words = (request.object["input"] as? String ?? "").split(separator: "/")
            guard words.count == 2, let recording = known[String(words[0])],
                let count = Int(words[1])
            else { return .status(400) }
            let end = count == 0 ? 0 : recording.ends[count - 1]
            return .ok(Array(recording.body[..<end]))
        }
        defer { upstream.stop() }
        let world = try FaultyWorld(
            primary: upstream.url, upstream: ["attempts: 1"],
            more: "conversation: {state: none}\nreplay: {retention_s: 0}")
        defer { world.stop() }
        var cuts = 0
        for name in Self.names {
            let recording = try #require(known[name])
            let counts = Array(0...recording.ends.count)
            let first = try ChatClient(port: world.port)
            let whole = try first.ask("whole", "\(name)/\(recording.ends.count)")
            #expect(whole.status == (name.hasPrefix("incomplete") ? "incomplete" : "completed"))
            let text = first.text(of: "whole")
            #expect(whole["text_sha256"] as? String == text.sha256)
            // The terminal event is the last one of each of these.
            for start in stride(from: 0, to: counts.count - 1, by: 16) {
                // One for each batch: a client keeps all that it has seen.
                let client = try ChatClient(port: world.port)
                let batch = counts[start..<min(start + 16, counts.count - 1)]
                for count in batch { client.message("c\(count)", "\(name)/\(count)") }
                for count in batch {
                    let end = try client.complete("c\(count)")
                    let place = "\(name) after \(count) of \(recording.ends.count) events"
                    #expect(end.status == "failed" && end.isRetryable, "\(place)")
                    #expect(end.code == "upstream_truncated", "\(place): \(end.code)")
                    #expect(text.hasPrefix(client.text(of: "c\(count)")), "\(place)")
                    cuts += 1
                }
            }
        }
        #expect(cuts > 1000, "\(cuts)")
        world.expectNothingLeft()
    }
}
