import Testing

@testable import Simulator

/// A parsed stream, with the checks that hold for every valid one.
struct Transcript {
    let events: [JSONValue]

    /// Reads well-formed events, each `event:` line equal to the type within.
    init(_ bytes: [UInt8]) throws {
        var events: [JSONValue] = []
        for block in bytes.text.split(separator: "\n\n", omittingEmptySubsequences: true) {
            let lines = block.split(separator: "\n")
            try #require(lines.count == 2, "\(block)")
            let event = try JSONParser.parse(Array(lines[1].dropFirst("data: ".count).utf8))
            #expect("event: \(event["type"]?.string ?? "")" == lines[0])
            events.append(event)
        }
        self.events = events
    }

    var types: [String] { events.compactMap { $0["type"]?.string } }

    var terminals: [String] {
        types.filter {
            ["response.completed", "response.incomplete", "response.failed"].contains($0)
        }
    }

    /// All output text, as the deltas carried it.
    var text: String {
        events.filter { $0["type"]?.string == "response.output_text.delta" }
            .compactMap { $0["delta"]?.string }.joined()
    }

    var terminalResponse: JSONValue? { events.last?["response"] }

    /// The deltas of each run, joined, against the text that closes it.
    func check() throws {
        #expect(events.map { $0["sequence_number"]?.integer } == Array(0..<events.count))
        #expect(types.first == "response.created")
        #expect(terminals.count == 1)
        #expect(terminals.last == types.last)
        var joined: [String: String] = [:]
        var open: [Int] = []
        var finished: [JSONValue] = []
        for event in events {
            let type = event["type"]?.string ?? ""
            let index = event["output_index"]?.integer ?? -1
            let part = event["content_index"]?.integer ?? event["summary_index"]?.integer ?? 0
            let place = "\(index).\(part)"
            if let delta = event["delta"]?.string { joined[place, default: ""] += delta }
            switch type {
            case "response.output_item.added":
                #expect(open.isEmpty, "an item opens only after the one before is closed")
                open.append(index)
            case "response.output_item.done":
                #expect(open == [index])
                open = []
                finished.append(event["item"] ?? .null)
            case _ where type.hasSuffix(".done"):
                let whole = ["text", "refusal", "arguments", "input", "code"]
                    .lazy.compactMap { event[$0]?.string }.first
                if let whole { #expect(joined[place, default: ""] == whole, "\(type)") }
            case _: break
            }
        }
        if let output = terminalResponse?["output"]?.array, !output.isEmpty {
            #expect(output == finished)
        }
    }
}

/// A request as a client would send it.
func makeRequest(_ json: String) throws -> ResponseRequest { try ResponseRequest(Array(json.utf8)) }

/// The stream of the scenario `model`.
func makeStream(
    _ json: String, seed: UInt64 = 7, history: History = History(), rate: Double = 0,
    receivedAt: UInt64? = nil
) throws -> ResponseStream {
    let request = try makeRequest(json)
    var random = SeededRandom(seed: seed, index: 0)
    let echo = ResponseEcho(
        id: random.identifier("resp_"), request: request, createdAt: 1_700_000_000)
    var pacing = Pacing()
    pacing.deltasPerSecond = rate
    let answer = Playwright.answer(
        to: request, history: history, pacing: pacing, random: random)
    return ResponseStream(
        echo: echo, answer: answer, random: random, receivedAt: receivedAt)
}

/// Every byte of a stream.
func collect(_ stream: ResponseStream) -> [UInt8] {
    var stream = stream
    var bytes: [UInt8] = []
    var now: UInt64 = 1_000
    while stream.next(into: &bytes, at: Moment(monotonic: now, unixSeconds: 1_700_000_001)) != nil {
        now += 1
    }
    return bytes
}
