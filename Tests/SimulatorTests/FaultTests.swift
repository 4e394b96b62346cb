import Testing

@testable import Simulator

/// Runs a body to its end, or until nothing more will come.
private func run(
    _ json: String, fault words: String, seed: UInt64 = 7
) throws -> (bytes: [UInt8], last: ResponseBody.Step, body: ResponseBody) {
    let fault = try Fault(Directives(fault: words), marker: "")
    let stream = try makeStream(json, seed: seed)
    var body = ResponseBody(
        source: .generated(stream), fault: fault, random: SeededRandom(seed: seed))
    var bytes: [UInt8] = []
    var step = ResponseBody.Step.notYet
    for _ in 0..<10_000 {
        step = body.next(into: &bytes, at: Moment(monotonic: 0, unixSeconds: 1_700_000_001))
        guard case .event = step else { break }
    }
    return (bytes, step, body)
}

@Suite("Faults")
struct FaultTests {
    private let hello =
        #"{"model":"sim-hello","input":"x","stream_options":{"include_obfuscation":false}}"#

    @Test(
        "what means nothing in a fault is refused, in a marker and on the command line",
        arguments: [
            "explode", "cut after=soon", "cut after=-1", "cut aftr=5", "cut quickly",
            "stall ms=1e3",
            "status status=99", "status status=600", "status p=nan", "status p=2", "status p=",
            "status shape=round", "status times=x", "status retry_after_date=later",
        ])
    func meaningless(_ words: String) {
        let marker = #expect(throws: APIError.self) {
            try Fault(Directives(fault: words), marker: "")
        }
        #expect(marker?.status == 400)
        #expect(marker?.code == "unknown_fault")
        #expect(throws: APIError.self) { try Fault(commandLine: words) }
    }

    @Test("the settings of an answer may stand beside a fault in a marker, not on the command line")
    func besideAnAnswer() throws {
        let words = "fault=cut reasoning after=2 rate=5"
        #expect(try Fault(Directives(words), marker: "")?.afterEvents == 2)
        #expect(throws: APIError.self) { try Fault(commandLine: words) }
        #expect(throws: APIError.self) { try Fault(commandLine: "") }
        #expect(try Fault(commandLine: "after=3 cut").kind == .cut)
    }

    private func whole() throws -> [UInt8] { try collect(makeStream(hello)) }

    @Test("a stream breaks after any number of events", arguments: 0...17)
    func afterEvents(_ count: Int) throws {
        let blocks = try Transcript(whole()).events.count
        let result = try run(hello, fault: "cut after=\(count)")
        let transcript = try Transcript(result.bytes)
        #expect(transcript.events.count == min(count, blocks))
        #expect(result.last == .end)
    }

    @Test("a stream breaks at any byte", arguments: Array(stride(from: 0, through: 5000, by: 97)))
    func afterBytes(_ count: Int) throws {
        let whole = try run(hello, fault: "bom").bytes.dropFirst(3)
        for (name, step) in [("reset", ResponseBody.Step.reset), ("drop", .drop), ("cut", .end)] {
            let result = try run(hello, fault: "\(name) after_bytes=\(count)")
            #expect(result.bytes == Array(whole.prefix(count)))
            #expect(result.last == step)
        }
    }

    @Test("a stall stays silent for ever, or for its time")
    func stall() throws {
        #expect(try run(hello, fault: "stall after=3").last == .stall)
        let pause = try run(hello, fault: "stall after=3 ms=250")
        #expect(pause.last == .end)
        #expect(pause.body.nextDue >= 250_000_000)
        try Transcript(pause.bytes).check()
    }

    @Test("a character is cut in its middle")
    func cutCharacter() throws {
        let result = try run(hello, fault: "cut-character")
        #expect(result.bytes.last == 0xE6)
        #expect(String(validating: result.bytes, as: UTF8.self) == nil)
        #expect(result.last == .end)
    }

    @Test("a truncated event is followed by whole ones")
    func truncatedJSON() throws {
        let result = try run(hello, fault: "truncated-json after=6")
        let blocks = result.bytes.text.split(separator: "\n\n")
        #expect(throws: (any Error).self) { try Transcript(Array((blocks[6] + "\n\n").utf8)) }
        #expect(throws: Never.self) {
            try Transcript(Array((blocks[7...].joined(separator: "\n\n") + "\n\n").utf8))
        }
    }

    @Test("keepalives use up numbers and leave the rest as it was")
    func keepalive() throws {
        let result = try run(hello, fault: "keepalive count=4 after=6")
        let transcript = try Transcript(result.bytes)
        try transcript.check()
        #expect(transcript.types.count { $0 == "keepalive" } == 4)
        #expect(transcript.types[6] == "keepalive")
        #expect(transcript.text == "Hello! How can I help you today?")
    }

    @Test("comments go on for ever, or count= times")
    func comments() throws {
        #expect(try run(hello, fault: "comments after=2").last == .event(.other))
        let counted = try run(hello, fault: "comments count=3")
        #expect(counted.last == .end)
        #expect(counted.bytes.text.contains(": nothing to say\n\n: nothing to say\n\n"))
    }

    @Test("an error in the stream is followed by one true end, or by none")
    func errors() throws {
        let nested = try Transcript(run(hello, fault: "error after=6").bytes)
        try nested.check()
        #expect(nested.types.suffix(2) == ["error", "response.failed"])
        #expect(nested.events[6]["error"]?["code"] == .string("server_error"))
        let flat = try Transcript(run(hello, fault: "error-flat code=rate_limit_exceeded").bytes)
        try flat.check()
        #expect(flat.events[5]["code"] == .string("rate_limit_exceeded"))
        let only = try Transcript(run(hello, fault: "error-only").bytes)
        #expect(only.terminals.isEmpty)
        #expect(only.types.last == "error")
    }

    @Test("terminals are missing, doubled, or not the last word")
    func terminals() throws {
        #expect(try Transcript(run(hello, fault: "no-terminal").bytes).terminals.isEmpty)
        #expect(try Transcript(run(hello, fault: "duplicate-terminal").bytes).terminals.count == 2)
        let after = try Transcript(run(hello, fault: "after-terminal").bytes)
        #expect(after.types.suffix(2) == ["response.completed", "response.output_text.delta"])
    }

    @Test("what only looks odd carries the same events")
    func oddities() throws {
        let plain = try whole().text
        let lines = try run(hello, fault: "crlf").bytes.text
        #expect(!lines.contains("\n\n"))
        #expect(lines.utf8.filter { $0 != 13 }.count == plain.utf8.count)
        #expect(try run(hello, fault: "done-marker").bytes.text.hasSuffix("data: [DONE]\n\n"))
        let huge = try run(hello, fault: "huge size=100000")
        #expect(huge.bytes.count > 100_000)
        try Transcript(huge.bytes).check()
    }

    @Test("invalid bytes are really invalid", arguments: ["garbage", "invalid-utf8"])
    func invalidBytes(_ name: String) throws {
        let result = try run(hello, fault: name)
        #expect(String(validating: result.bytes, as: UTF8.self) == nil)
        #expect(result.last == .end)
    }

    @Test("an unknown fault is refused by name")
    func unknownFault() {
        let error = #expect(throws: APIError.self) {
            try Fault(Directives("fault=explode"), marker: "")
        }
        #expect(error?.code == "unknown_fault")
    }

    @Test("the first attempts with a key fail, the next succeeds")
    func ledger() throws {
        var ledger = FaultLedger()
        var random = SeededRandom(seed: 1)
        let fault = try #require(try Fault(Directives("fault=status times=2 key=a"), marker: ""))
        let other = try #require(try Fault(Directives("fault=status times=2 key=b"), marker: ""))
        let struck = [fault, other, fault, fault, other, other].map { ledger.strikes($0, &random) }
        #expect(struck == [true, true, true, false, true, false])
        for index in 0..<FaultLedger.maximumKeys { _ = ledger.attempt("k\(index)") }
        let isForgotten = ledger.strikes(fault, &random)
        #expect(isForgotten, "the oldest keys are forgotten")
    }

    @Test("a status carries its headers and its body's shape")
    func status() throws {
        let words = "fault=status status=429 retry_after_ms=50 should_retry=false shape=xai"
        let fault = try #require(try Fault(Directives(words), marker: ""))
        #expect(fault.headers == ["retry-after-ms": "50", "x-should-retry": "false"])
        #expect(
            fault.error.body.text
                == #"{"code":"rate_limit_exceeded","error":"Rate limit reached for requests. Please try again later."}"#
        )
    }
}

@Suite("Recordings, logs and stores")
struct StoreTests {
    @Test("a recording is sent as it is, block by block")
    func recording() throws {
        let bytes = Array(
            ": hello\n\nevent: a\r\ndata: {}\r\n\r\ndata: {\"response\":{\"id\":1}}".utf8)
        let recording = RecordedStream(bytes)
        #expect(recording.count == 3)
        var body = ResponseBody(source: .recorded(recording), random: SeededRandom(seed: 1))
        var out: [UInt8] = []
        while case .event = body.next(into: &out, at: Moment(monotonic: 0, unixSeconds: 0)) {}
        #expect(out == bytes)
        #expect(recording.finalResponse?.text == #"{"id":1}"#)
        body = ResponseBody(
            source: .recorded(recording, blocksPerSecond: 10), random: SeededRandom(seed: 1))
        _ = body.next(into: &out, at: Moment(monotonic: 0, unixSeconds: 0))
        _ = body.next(into: &out, at: Moment(monotonic: 0, unixSeconds: 0))
        #expect(body.nextDue == 200_000_000)
    }

    @Test("a background response goes on alone, and can be read again from any event")
    func background() throws {
        let stream = try makeStream(
            #"{"model":"sim-paced","input":"deltas=10 rate=10","background":true}"#)
        let response = BackgroundResponse(stream, startedAt: 0)
        response.advance(to: Moment(monotonic: 500_000_000, unixSeconds: 0))
        #expect(!response.isOver)
        let early = response.log.count
        response.advance(to: Moment(monotonic: 5_000_000_000, unixSeconds: 0))
        #expect(response.isOver)
        for first in [0, 1, early, response.log.count] {
            var body = ResponseBody(
                source: .background(response, from: first), random: SeededRandom(seed: 1))
            var out: [UInt8] = []
            while case .event = body.next(into: &out, at: Moment(monotonic: 0, unixSeconds: 0)) {}
            let numbers = try Transcript(out).events.map { $0["sequence_number"]?.integer }
            #expect(numbers == Array(first..<response.log.count))
        }
    }

    @Test("a cancelled background response ends without a terminal event")
    func cancelled() throws {
        let stream = try makeStream(
            #"{"model":"sim-paced","input":"deltas=10 rate=10","background":true}"#)
        let response = BackgroundResponse(stream, startedAt: 0)
        response.advance(to: Moment(monotonic: 500_000_000, unixSeconds: 0))
        response.cancel()
        let object = try JSONParser.parse(response.object)
        #expect(object["status"] == .string("cancelled"))
        #expect(object["output"] == .array([]))
        var body = ResponseBody(
            source: .background(response, from: 0), random: SeededRandom(seed: 1))
        var out: [UInt8] = []
        while case .event = body.next(into: &out, at: Moment(monotonic: 0, unixSeconds: 0)) {}
        #expect(try Transcript(out).terminals.isEmpty)
    }

    @Test("the store lets go of the oldest beyond its bounds")
    func bounds() {
        var store = ResponseStore(maximumEntries: 3, maximumBytes: 100)
        func entry(_ cost: Int) -> ResponseStore.Entry {
            .init(inputItems: [], history: History(), costBytes: cost)
        }
        for index in 0..<5 { store.insert(entry(10), id: "r\(index)") }
        #expect(store.count == 3)
        #expect(store["r1"] == nil)
        store.insert(entry(90), id: "big")
        #expect(store.byteCount <= 100)
        #expect(store["big"] != nil)
        let removed = [store.remove("big"), store.remove("big")]
        #expect(removed == [true, false])
    }

    @Test("chunks join to the body", arguments: ["0", "1", "7", "random"])
    func chunking(_ text: String) throws {
        let chunking = try #require(Chunking(text))
        var random = SeededRandom(seed: 3)
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        var out: [UInt8] = []
        chunking.encode(bytes[...], &random, into: &out)
        out.put("0\r\n\r\n")
        #expect(HTTPAnswer.joinedChunks(out[...])?.body == bytes)
        #expect(Chunking("-1") == nil)
        #expect(Chunking("seven") == nil)
    }
}
