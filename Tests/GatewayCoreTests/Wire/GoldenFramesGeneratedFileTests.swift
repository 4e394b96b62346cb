import Foundation
import Testing

@testable import GatewayCore

/// One session as clients see it, written by the gateway's own code: docs/schema/golden.
///
/// The schemas and the page's client are tested against these files. The three tell the same story: as it happened,
/// as a replay with merged deltas, and as a snapshot.
@Suite("Golden frames")
struct GoldenFramesGeneratedFileTests {
    private static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/schema/golden")

    private static func ready(_ script: SessionScript, sequence: Int, recovered: Bool) -> String {
        let ready = ServerFrames.Ready(
            session: script.machine.id.text, epoch: "e_golden", sequence: sequence,
            resumeToken: "golden.token", expiresInSeconds: 86400, recovered: recovered, reason: nil,
            limits: [
                ("message_bytes", 8_388_608), ("input_bytes", 8_388_608), ("frames_per_s", 50),
                ("responses_per_connection", 4), ("responses_per_session", 4),
                ("resume_window_s", 120),
            ], heartbeatSeconds: 25, allowedOptions: ["model", "text"], defaultModel: "gpt-5.5",
            models: OfferedModels(["gpt-5.5", "gpt-5.5-mini"]))
        return String(decoding: ServerFrames.ready(ready), as: UTF8.self)
    }

    /// A session in which everything happens once.
    private static func play() -> SessionScript {
        var requests = UpstreamRequestBuilder()
        requests.models = OfferedModels(["gpt-5.5", "gpt-5.5-mini"])
        requests.defaults = [RequestOption(name: "model", value: Array(#""gpt-5.5""#.utf8))]
        var script = SessionScript(requests: requests, epoch: "e_golden") { settings in
            settings.digest = { Array(SHA256.hex($0).utf8) }
        }
        script.responseName = { "r_golden" + String(UnicodeScalar(UInt8(ascii: "a") + UInt8($0))) }

        // An answer with thoughts, a tool, a citation and a character that is cut in two.
        script.message("m1", options: [("model", #""gpt-5.5-mini""#)])
        script.connected(0)
        script.pass(.milliseconds(120))
        script.begins(0, model: "gpt-5.5-mini-2026-05-01")
        script.upstream(
            0,
            #""type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]}"#,
            #""type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"Water first."#
                + #"""#)
        script.item(
            0,
            #"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Water first."}]}"#
        )
        script.upstream(
            0,
            #""type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"get_flow","arguments":""}"#,
            #""type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"river\":"#
                + #"""#,
            #""type":"response.function_call_arguments.delta","output_index":1,"delta":"\"Isar\"}""#,
            #""type":"response.function_call_arguments.done","output_index":1,"arguments":"{\"river\":\"Isar\"}""#
        )
        script.item(
            0,
            #"{"type":"function_call","id":"fc_1","call_id":"call_1","name":"get_flow","arguments":"{\"river\":\"Isar\"}","status":"completed"}"#,
            index: 1)
        script.pass(.milliseconds(80))
        script.says(0, "The mill \\ud83c", "\\udf0a turns", ".", index: 2)
        script.upstream(
            0,
            #""type":"response.output_text.annotation.added","output_index":2,"content_index":0,"annotation":{"type":"url_citation","url":"https://example.org/mills","title":"Mills","start_index":4,"end_index":8}"#
        )
        script.item(
            0,
            #"{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"The mill 🌊 turns.","annotations":[]}]}"#,
            index: 2)
        script.ends(0)

        // One that is stopped, and a cancel of nothing.
        script.message("m2")
        script.begins(1)
        script.says(1, "Half of ")
        script.cancel(.message("m2"))
        script.cancel(.response("r_unknown"))

        // One that fails, after a silence, and one that another upstream goes on with.
        script.message("m3")
        script.silent(2)
        script.begins(2)
        script.says(2, "Cut ")
        script.fails(2)
        script.message("m4")
        script.begins(3)
        script.says(3, "Hel", "lo, ")
        script.seam(3)
        script.begins(3, model: "other")
        script.says(3, "world")
        script.said(3, "world")
        script.ends(3)

        // One that is cut short, one that is refused, and a repetition.
        script.message("m5")
        script.begins(4)
        script.says(4, "Too long")
        script.said(4, "Too long")
        script.ends(4, "incomplete", #","incomplete_details":{"reason":"max_output_tokens"}"#)
        script.message("m6", options: [("model", #""gpt-4""#)])
        script.message("m5")
        return script
    }

    private static func files() -> [(name: String, lines: [String])] {
        var script = play()
        let end = script.machine.log.lastSequence
        let live =
            [ready(script, sequence: 0, recovered: false)] + script.frames
            + [
                ServerFrames.pong(id: "1"),
                ServerFrames.token("golden.other", expiresInSeconds: 86400),
                ServerFrames.goingAway(reconnectAfter: .milliseconds(2140)),
            ].map { String(decoding: $0, as: UTF8.self) }
        var merged: [UInt8] = []
        _ = script.machine.log.render(after: 0, into: &merged, maximumBytes: .max, mergeAfter: 1)
        let replay =
            [ready(script, sequence: end, recovered: true)]
            + String(decoding: merged, as: UTF8.self).split(separator: "\n").map(String.init)
        script.compact()
        let snapshot = [
            ready(script, sequence: end, recovered: true),
            String(decoding: script.machine.snapshotFrame(), as: UTF8.self),
        ]
        return [("live.jsonl", live), ("replay.jsonl", replay), ("snapshot.jsonl", snapshot)]
    }

    @Test("the files are what the gateway says")
    func files() throws {
        for (name, lines) in Self.files() {
            let file = Self.folder.appending(path: name)
            let text = lines.joined(separator: "\n") + "\n"
            if ProcessInfo.processInfo.environment["WRITE_GENERATED"] != nil {
                try FileManager.default.createDirectory(
                    at: Self.folder, withIntermediateDirectories: true)
                try Data(text.utf8).write(to: file)
            } else {
                let isCurrent = try String(contentsOf: file, encoding: .utf8) == text
                #expect(
                    isCurrent, "docs/schema/golden/\(name) is out of date: run 'make generated'")
            }
        }
    }
}
