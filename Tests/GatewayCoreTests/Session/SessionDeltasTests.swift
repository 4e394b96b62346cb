import Testing

@testable import GatewayCore

/// Deltas that one chunk brings come to the same as deltas that come one by one.
@Suite("deltas at once")
struct SessionDeltasTests {
    /// What came of a session, whichever way the pieces came.
    private func outcome(
        _ texts: [String], atOnce: Bool, before: (inout SessionScript) -> Void = { _ in },
        index: Int = 0, configure: (inout SessionSettings) -> Void = { _ in }
    ) -> [String] {
        var script = SessionScript(configure)
        script.message("m1")
        before(&script)
        if atOnce {
            script.saysAtOnce(0, texts, index: index)
        } else {
            for text in texts { script.says(0, text, index: index) }
        }
        let log = script.machine.log
        let sizes = "\(log.storedBytes) \(log.totalBytes) \(log.segments.count)"
        let record = script.machine.responses[0]
        let counts = "\(record.eventCount) \(record.answerBytes) \(record.lastSequence)"
        script.said(0, texts.joined(), index: index)
        script.ends(0)
        return script.took() + script.frames + [sizes, counts]
    }

    private static let pieces = (0..<40).map { "piece \($0) of a text, " }

    @Test("alone, and where another text, a tool or a seam stands before them", arguments: 0..<4)
    func places(variant: Int) {
        let before: (inout SessionScript) -> Void = { script in
            switch variant {
            case 1: script.says(0, "first", index: 1)
            case 2:
                script.upstream(
                    0,
                    #""type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"f","call_id":"c","name":"n"}"#,
                    #""type":"response.function_call_arguments.delta","output_index":1,"delta":"{""#
                )
            case 3:
                script.says(0, "begun, ")
                script.seam(0)
            default: script.says(0, "begun, ")
            }
        }
        #expect(
            outcome(Self.pieces, atOnce: true, before: before)
                == outcome(Self.pieces, atOnce: false, before: before))
    }

    @Test("a run that is full begins another one, at the same piece", arguments: [-1, 0, 1])
    func fullRun(difference: Int) {
        let piece = String(repeating: "x", count: 512)
        var texts = Array(repeating: piece, count: 7)
        texts.append(String(repeating: "y", count: 512 + difference))
        texts += ["z", "z"]
        let atOnce = outcome(texts, atOnce: true)
        #expect(atOnce == outcome(texts, atOnce: false))
        #expect(texts.prefix(8).joined().utf8.count == ReplayLog.maximumRunBytes + difference)
    }

    @Test("a limit ends the answer at the same piece", arguments: [19, 20, 21, 22])
    func events(limit: Int) {
        let texts = Array(Self.pieces.prefix(20))
        let configure = { (settings: inout SessionSettings) in settings.responseEvents = limit }
        let atOnce = outcome(texts, atOnce: true, configure: configure)
        #expect(atOnce == outcome(texts, atOnce: false, configure: configure))
        // The item and the end are events as well.
        #expect(atOnce.contains("close 0") == (limit < 22))
    }

    @Test("a limit of bytes does", arguments: [-1, 0, 1])
    func bytes(difference: Int) {
        var free = SessionScript()
        free.message("m1")
        for text in Self.pieces { free.says(0, text) }
        let limit = free.machine.responses[0].answerBytes - LogSegment.bytesPerPiece + difference
        let configure = { (settings: inout SessionSettings) in settings.responseBytes = limit }
        #expect(
            outcome(Self.pieces, atOnce: true, configure: configure)
                == outcome(Self.pieces, atOnce: false, configure: configure))
    }

    @Test("what comes after a cancel is dropped")
    func cancelled() {
        var script = SessionScript()
        script.closesAtOnce = false
        script.message("m1")
        script.says(0, "a")
        script.cancel(.own)
        _ = script.took()
        script.saysAtOnce(0, ["b", "c"])
        #expect(script.took().isEmpty)
        script.saysAtOnce(7, ["b", "c"])
        #expect(script.took().isEmpty, "a response that there is none of")
    }
}
