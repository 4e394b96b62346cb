import Foundation
import Testing

@testable import GatewayCore

@Suite("Session: an answer that goes on at another upstream")
struct SessionSeamTests {
    /// One message whose answer broke after "Hello, " and goes on with "world".
    private static func joined(
        _ configure: (inout SessionSettings) -> Void = { _ in }
    ) -> SessionScript {
        var session = SessionScript { settings in configure(&settings) }
        session.message("m1")
        session.begins(0, model: "first")
        session.says(0, "Hel", "lo, ")
        session.seam(0)
        session.begins(0, model: "second")
        session.says(0, "wor", "ld")
        return session
    }

    @Test("the frames: the mark, and indexes behind the ones that were used")
    func frames() {
        var session = Self.joined()
        session.said(0, "world")
        session.ends(0)
        let lines = session.events().map(\.line)
        #expect(
            lines == [
                #"{"type":"message","seq":1,"id":"m1","input":"Hello"}"#,
                #"{"type":"response","seq":2,"response":"r0","message":"m1","status":"queued"}"#,
                #"{"type":"response","seq":3,"response":"r0","message":"m1","model":"first","status":"in_progress"}"#,
                #"{"type":"delta","seq":4,"response":"r0","index":0,"kind":"text","text":"Hel"}"#,
                #"{"type":"delta","seq":5,"response":"r0","index":0,"kind":"text","text":"lo, "}"#,
                #"{"type":"seam","seq":6,"response":"r0","index":1,"reason":"upstream_truncated"}"#,
                #"{"type":"response","seq":7,"response":"r0","message":"m1","model":"second","status":"in_progress"}"#,
                #"{"type":"delta","seq":8,"response":"r0","index":1,"kind":"text","text":"wor"}"#,
                #"{"type":"delta","seq":9,"response":"r0","index":1,"kind":"text","text":"ld"}"#,
                #"{"type":"item","seq":10,"response":"r0","index":1,"item":{"type":"message","id":"msg_0_0","role":"assistant","content":[{"type":"output_text","text":"world"}]}}"#,
                #"{"type":"complete","seq":11,"response":"r0","message":"m1","status":"completed","usage":{"total_tokens":3},"timing":{"total_ms":0,"first_event_ms":0,"first_text_ms":0},"text_sha256":"\#(SHA256.hex(Array("Hello, world".utf8)).prefix(8))","text_bytes":12,"upstream_response":"resp_0","seams":[1]}"#,
            ], "\(lines.joined(separator: "\n"))")
    }

    @Test("the text that another upstream is to go on from is all of it, after a second seam too")
    func text() {
        var session = Self.joined()
        #expect(session.machine.text(of: 0) == Array("Hello, world".utf8))
        session.seam(0, "upstream_reset")
        session.says(0, "!")
        #expect(session.machine.text(of: 0) == Array("Hello, world!".utf8))
        let seams = session.events().filter { $0.type == "seam" }.map(\.line)
        #expect(seams.count == 2 && seams[1].contains(#""index":2,"reason":"upstream_reset""#))
        session.ends(0)
        #expect(session.machine.text(of: 0) == nil)
        #expect(session.events().last?.line.contains(#""seams":[1,2]"#) == true)
    }

    @Test("a snapshot keeps the mark, while it runs and after")
    func snapshot() {
        var session = Self.joined()
        #expect(session.snapshot?.line.contains(#""status":"in_progress","seams":[1]"#) == true)
        session.ends(0)
        session.compact()
        let text = session.snapshot?.line ?? ""
        #expect(text.contains(#""status":"completed","seams":[1]"#))
        #expect(text.contains(#"{"index":0,"kind":"text","text":"Hello, "}"#))
    }

    @Test("tools of the second part count behind the first; what it leaves open ends")
    func tools() {
        var session = Self.joined()
        session.upstream(
            0,
            #""type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}"#
        )
        session.fails(0)
        let tools = session.events().filter { $0.type == "tool" }.map(\.line)
        #expect(tools.count == 2 && tools.allSatisfy { $0.contains(#""index":2"#) }, "\(tools)")
        #expect(tools.last?.contains("incomplete") == true)
    }

    @Test("a conversation that is kept here goes on from both parts")
    func conversation() throws {
        var session = Self.joined { $0.conversation = .gateway }
        session.said(0, "world")
        session.ends(0)
        session.message("m2", "\"And?\"")
        let request = try #require(session.requests[1])
        let first = try #require(request.range(of: #""content":"Hello, ""#))
        let second = try #require(request.range(of: #""text":"world""#))
        #expect(first.upperBound < second.lowerBound, "\(request)")
    }

    @Test("a response that has ended, and a session of upstream's own events, have no seams")
    func never() {
        var session = SessionScript()
        session.message("m1")
        session.says(0, "Hi")
        session.ends(0)
        let before = session.machine.log.lastSequence
        session.seam(0)
        #expect(session.machine.log.lastSequence == before)
    }
}
