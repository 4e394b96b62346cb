import LoadClient
import Testing

@Suite("Text, timestamps and frames as bytes")
struct TextTests {
    @Test(
        "escapes decode as JSON says",
        arguments: [
            (#"a\"\\\/\b\f\n\r\tz"#, "a\"\\/\u{8}\u{C}\n\r\tz"), (#"\u00e9\u20AC"#, "é€"),
            (#"\ud83d\ude00"#, "😀"), (#"\ud83d"#, "\u{FFFD}"), (#"\ude00x"#, "\u{FFFD}x"),
            (#"\ud83d\ud83d\ude00"#, "\u{FFFD}😀"), (#"\ud83d\u0041"#, "\u{FFFD}A"), ("漢", "漢"),
        ])
    func decode(raw: String, text: String) {
        var joined = JoinedText()
        for byte in raw.utf8 { joined.append([byte].span) }
        var bytes: [UInt8] = []
        joined.decode(into: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test(
        "timestamps are found in merged text",
        arguments: [
            ("⟦17⟧hello⟦23⟧ world", [17, 23]), (#"\u27e617\u27E7x"#, [17]), ("none ⟦⟧ ⟦12", []),
            ("€⟦9⟧", [9]), (#"\\u27e6"#, []), ("⟦1844674407370955161512⟧", []),
            ("⟦17;4⟧hello⟦23;⟧⟦24;x⟧", [17, 23]), ("⟦;4⟧", []),
        ] as [(String, [UInt64])])
    func timestamps(text: String, expected: [UInt64]) {
        var found: [UInt64] = []
        DeliveryTimestamps.forEach(in: Array(text.utf8).span) { found.append($0.written) }
        #expect(found == expected)
    }

    @Test("the first timestamp of a response also says when the request was there")
    func received() {
        var found: [UInt64?] = []
        let text = Array("⟦17;4⟧hello⟦23⟧".utf8)
        DeliveryTimestamps.forEach(in: text.span) { found.append($0.received) }
        #expect(found == [4, nil])
    }

    @Test(
        "no frame",
        arguments: [
            "", "[]", "{", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":tru}"#, "{} x",
            "{\"a\":\"\n\"}",
        ])
    func noFrame(text: String) {
        #expect(FrameFields(scanning: Array(text.utf8).span) == nil)
    }

    @Test("fields in any order, unknown and nested ones skipped")
    func fields() {
        let text =
            #" { "x" : {"type":"no","a":[1,"]}"]}, "seq":12 , "text":"a\"b","type":"delta","recovered":true,"y":-1.5e3} "#
        let line = Array(text.utf8)
        guard let fields = FrameFields(scanning: line.span) else {
            return #expect(Bool(false))
        }
        #expect(fields.type == .delta)
        #expect(fields.seq == 12)
        #expect(fields.recovered == true)
        #expect(String(decoding: line[fields.text.range], as: UTF8.self) == #"a\"b"#)
    }

    @Test("every cut of a frame is refused, not misread")
    func cuts() {
        let line = Array(NativeStreamCheckerTests.complete(3, "text").utf8)
        for end in 0..<line.count {
            #expect(FrameFields(scanning: line.span.extracting(..<end)) == nil, "cut at \(end)")
        }
    }

    @Test("JSON documents")
    func json() {
        let text = #"{"a":[1,-2.5,true,null,"x\n"],"b":{}}"#
        let value = JSONValue(parsing: Array(text.utf8).span)
        #expect(value?["a"]?.array.first?.number == 1)
        #expect(value?["a"]?.array.last?.string == "x\n")
        #expect(JSONValue(parsing: Array(String(repeating: "[", count: 200).utf8).span) == nil)
    }

    @Test("the transcript keeps the end")
    func transcript() {
        var transcript = Transcript(maximumBytes: 64)
        #expect(transcript.lines.isEmpty)
        for number in 0..<50 { transcript.received(Array("frame \(number)".utf8).span) }
        transcript.note("closed")
        #expect(transcript.lines.last == "* closed")
        #expect(transcript.lines.dropLast().last == "< frame 49")
    }

    @Test("a transcript shows no key and no token")
    func secrets() {
        var transcript = Transcript(maximumBytes: 1_024)
        let frames = [
            #"{"type":"hello","auth":"KEY","resume":{"token":"KEY","after":1}}"#,
            #"{"type":"ready","seq":3,"resume_token":"KEY","recovered":true}"#,
            #"{"type":"token","resume_token":"KEY"#,
            #"{"resume_token":"KEY"}\n{"resume_token": "KEY"}"#,
            #"{"auth":"a\"KEY"}"#,
        ]
        for frame in frames { transcript.sent(Array(frame.utf8).span) }
        #expect(transcript.lines.count == 5)
        #expect(!transcript.lines.contains { $0.contains("KEY") })
        #expect(transcript.lines[1].hasSuffix(#""…","recovered":true}"#))
    }
}
