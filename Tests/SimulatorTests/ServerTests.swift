import CommandLineOptions
import Glibc
import Testing

@testable import Simulator

/// A simulator for tests: at once, and always the same.
private func quick(_ change: (inout SimulatorOptions) -> Void = { _ in }) -> SimulatorOptions {
    var options = SimulatorOptions()
    options.deltasPerSecond = 0
    options.seed = 1
    change(&options)
    return options
}

/// Asks until `isTrue`, for at most a minute.
private func wait(_ isTrue: () throws -> Bool) throws {
    for _ in 0..<6_000 {
        if try isTrue() { return }
        usleep(10_000)
    }
    Issue.record("it did not come true in time")
}

@Suite("Over sockets", .serialized)
struct ServerTests {
    @Test("a stream arrives whole, and the response can be fetched, listed, continued and deleted")
    func lifeOfAResponse() throws {
        try withSimulator(quick()) { client in
            let answer = client.create(#"{"model":"sim-echo","input":"one","stream":true}"#)
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "text/event-stream; charset=utf-8")
            #expect(answer.headers["x-request-id"]?.hasPrefix("req_") == true)
            #expect(answer.end == .whole)
            let transcript = try Transcript(answer.body)
            try transcript.check()
            let id = try #require(transcript.terminalResponse?["id"]?.string)

            #expect(try client.json("GET", "/v1/responses/\(id)") == transcript.terminalResponse)
            let items = try client.json("GET", "/v1/responses/\(id)/input_items")
            #expect(
                items["data"]?.array?.first?["content"]?.array?.first?["text"] == .string("one"))
            let next = client.create(
                #"{"model":"sim-echo","input":"two","previous_response_id":"\#(id)"}"#)
            #expect(next.body.text.contains(#"turns: 2\n1: one\n2: two\n"#))
            for (limit, code) in [
                ("0", "integer_below_min_value"), ("101", "integer_above_max_value"),
                ("ten", "invalid_type"),
            ] {
                let page = client.request("GET", "/v1/responses/\(id)/input_items?limit=\(limit)")
                #expect(page.status == 400)
                #expect(page.body.text.contains(code))
            }
            #expect(client.request("POST", "/v1/responses/\(id)/cancel").status == 400)
            #expect(client.request("DELETE", "/v1/responses/\(id)").status == 200)
            #expect(client.request("GET", "/v1/responses/\(id)").status == 404)
        }
    }

    @Test("HEAD answers as GET, without the body", arguments: ["/stats", "/v1/models", "/healthz"])
    func head(path: String) throws {
        try withSimulator(quick()) { client in
            let answer = client.request("HEAD", path, headers: "connection: close\r\n")
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/json")
            #expect(answer.body.isEmpty)
        }
    }

    @Test("a body may come in chunks")
    func chunkedBody() throws {
        try withSimulator(quick()) { client in
            let body = #"{"model":"sim-hello","input":"x"}"#
            let answer = client.request(
                "POST", "/v1/responses",
                "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n",
                headers: "transfer-encoding: chunked\r\n")
            #expect(answer.status == 200 && answer.body.text.contains("completed"))
        }
    }

    @Test("what is not stored cannot be continued, nor what the client has left")
    func notStored() throws {
        try withSimulator(quick()) { client in
            let answer = client.create(#"{"model":"sim-hello","input":"x","store":false}"#)
            let id = try #require(try JSONParser.parse(answer.body)["id"]?.string)
            let next = client.create(
                #"{"model":"m","input":"x","previous_response_id":"\#(id)"}"#)
            #expect(next.status == 400)
            #expect(next.body.text.contains("previous_response_not_found"))

            let left = client.request(
                "POST", "/v1/responses",
                #"{"model":"sim-paced","input":"deltas=1000 rate=100","stream":true}"#,
                stopAfter: 3000)
            #expect(left.status == 200)
            try wait { try client.json("GET", "/stats")["cancelled_by_client"] == .integer(1) }
            let stats = try client.json("GET", "/stats")
            let cancellation = try #require(stats["cancellations"]?.array?.first)
            #expect(
                client.request(
                    "GET", "/v1/responses/\(cancellation["response"]?.string ?? "")"
                ).status == 404)
            #expect(stats["open_streams"] == .integer(0))
        }
    }

    @Test("who has read the terminal event may ask for the response, and leave")
    func terminalThenGone() throws {
        try withSimulator(quick()) { client in
            let whole = client.create(
                #"{"model":"sim-paced","input":"deltas=3","stream":true}"#)
            let events = try Transcript(whole.body).events.count
            // The body goes on behind its last event, so that the client leaves before its end.
            let left = client.request(
                "POST", "/v1/responses",
                #"{"model":"sim-paced","input":"deltas=3 [sim:fault=comments after=\#(events) ms=5]","stream":true}"#,
                stopAt: ": nothing to say")
            #expect(left.body.text.contains("event: response.completed"))
            let id = try #require(
                left.body.text.split(separator: "\"").first { $0.hasPrefix("resp_") })
            #expect(client.request("GET", "/v1/responses/\(id)").status == 200)
            try wait { try client.json("GET", "/stats")["open_streams"] == .integer(0) }
            let stats = try client.json("GET", "/stats")
            #expect(stats["streams_completed"] == .integer(2))
            #expect(stats["cancelled_by_client"] == .integer(0))
        }
    }

    @Test("a background response goes on when its client leaves, and is resumed from any number")
    func background() throws {
        try withSimulator(quick()) { client in
            let first = client.request(
                "POST", "/v1/responses",
                #"{"model":"sim-paced","input":"deltas=40 rate=200","background":true,"stream":true}"#,
                stopAfter: 2500)
            #expect(first.status == 200)
            let id = try #require(
                first.body.text.split(separator: "\"").first { $0.hasPrefix("resp_") })
            let rest = client.request("GET", "/v1/responses/\(id)?stream=true&starting_after=6")
            #expect(rest.end == .whole)
            let events = try Transcript(rest.body).events
            #expect(events.first?["sequence_number"] == .integer(7))
            #expect(events.last?["type"] == .string("response.completed"))
            let all = try Transcript(
                client.request("GET", "/v1/responses/\(id)?stream=true").body)
            try all.check()
            #expect(all.text.utf8.count == 640)
        }
    }

    @Test("a background response is cancelled by call, and its listeners end without a terminal")
    func cancel() throws {
        try withSimulator(quick()) { client in
            let answer = client.create(
                #"{"model":"sim-paced","input":"deltas=4000 rate=100","background":true}"#)
            let object = try JSONParser.parse(answer.body)
            #expect(object["status"] == .string("queued"))
            let id = try #require(object["id"]?.string)
            try wait {
                try client.json("GET", "/v1/responses/\(id)")["status"] == .string("in_progress")
            }
            let cancelled = try client.json("POST", "/v1/responses/\(id)/cancel")
            #expect(cancelled["status"] == .string("cancelled"))
            let again = try client.json("POST", "/v1/responses/\(id)/cancel")
            #expect(again["status"] == .string("cancelled"))
            let stream = client.request("GET", "/v1/responses/\(id)?stream=true")
            #expect(stream.end == .whole)
            #expect(try Transcript(stream.body).terminals.isEmpty)
        }
    }

    @Test("a background stream is cut as often as asked, the response is not")
    func backgroundCuts() throws {
        try withSimulator(quick()) { client in
            let first = client.create(
                #"{"model":"sim-paced","input":"deltas=20 rate=0 [sim:fault=cut after=7 times=2 key=b]","background":true,"stream":true}"#
            )
            let events = try Transcript(first.body).events
            #expect(events.count == 7)
            let id = try #require(events.first?["response"]?["id"]?.string)
            let path = "/v1/responses/\(id)?stream=true&starting_after="
            #expect(try Transcript(client.request("GET", path + "6").body).events.count == 7)
            let last = try Transcript(client.request("GET", path + "13").body)
            #expect(last.events.first?["sequence_number"] == .integer(14))
            #expect(last.terminals == ["response.completed"])
        }
    }

    @Test("a background response is forgotten after its time")
    func retention() throws {
        try withSimulator(quick()) { client in
            let answer = client.create(
                #"{"model":"sim-hello","input":"[sim:retain_ms=50]","background":true}"#)
            let id = try #require(try JSONParser.parse(answer.body)["id"]?.string)
            #expect(client.request("GET", "/v1/responses/\(id)").status == 200)
            try wait { client.request("GET", "/v1/responses/\(id)").status == 404 }
        }
    }

    @Test("a key is asked for when one is set")
    func apiKey() throws {
        try withSimulator(quick { $0.apiKey = "secret" }) { client in
            let without = client.create(#"{"model":"m","input":"x"}"#)
            #expect(without.status == 401)
            #expect(without.body.text.contains("invalid_api_key"))
            let with = client.request(
                "POST", "/v1/responses", #"{"model":"m","input":"x"}"#,
                headers: "authorization: Bearer secret\r\n")
            #expect(with.status == 200)
            let stats = client.request("GET", "/stats").body.text
            #expect(!stats.contains("secret"))
            #expect(stats.contains(#""has_authorization":true"#))
        }
    }

    @Test("statuses, then success: what a retry meets")
    func retries() throws {
        try withSimulator(quick()) { client in
            let json =
                #"{"model":"sim-hello","input":"[sim:fault=status status=503 times=2 key=r retry_after=1]"}"#
            let first = client.create(json)
            #expect(first.status == 503)
            #expect(first.headers["retry-after"] == "1")
            #expect(client.create(json).status == 503)
            #expect(client.create(json).status == 200)
        }
    }

    @Test("the connection ends in each way that it can")
    func endings() throws {
        try withSimulator(quick()) { client in
            func end(_ fault: String, timeout: Int = 5) -> HTTPAnswer {
                client.request(
                    "POST", "/v1/responses",
                    #"{"model":"sim-hello","input":"[sim:fault=\#(fault)]","stream":true}"#,
                    timeout: timeout)
            }
            #expect(end("cut").end == .whole)
            #expect(end("drop").end == .closed)
            #expect(end("reset").end == .reset)
            let cut = end("reset after_bytes=700")
            #expect(cut.end == .reset)
            // One chunk, cut: its length in front, no chunk after it.
            #expect(cut.body.count == "2bc\r\n".utf8.count + 700 + 2)
            #expect(end("refuse").end == .reset)
            #expect(end("close").end == .closed)
            #expect(end("stall", timeout: 0).end == .timeout)
            let silent = end("silent", timeout: 0)
            #expect(silent.end == .timeout)
            #expect(silent.body.isEmpty)
            #expect(end("slow-headers ms=1").end == .whole)
            #expect(end("redirect").headers["location"] == "/v1/responses?redirected=1")
            #expect(end("content-type").headers["content-type"] == "text/html; charset=utf-8")
            #expect(end("http-garbage").status == 0)
            #expect(end("refuse-stream").status == 400)
        }
    }

    @Test("a fault of the command line strikes, and a model's name does")
    func otherFaults() throws {
        try withSimulator(quick { $0.fault = "status status=500" }) { client in
            #expect(client.create(#"{"model":"m","input":"x"}"#).status == 500)
            let own = client.create(#"{"model":"m","input":"[sim:fault=status status=404]"}"#)
            #expect(own.status == 404)
            #expect(client.create(#"{"model":"sim-fault-reset","input":"x"}"#).end == .reset)
        }
    }

    @Test("recordings are sent as they are in any chunking", arguments: ["0", "1", "7", "random"])
    func replay(_ chunk: String) throws {
        let path = "/tmp/millrace-sim-test-\(getpid())-\(chunk).sse"
        let recorded = Array(
            "event: x\ndata: {\"type\":\"x\",\"response\":{\"id\":\"é\"}}\n\n".utf8)
        let file = try #require(fopen(path, "w"))
        fwrite(recorded, 1, recorded.count, file)
        fclose(file)
        defer { unlink(path) }
        let options = quick {
            $0.replay = path
            $0.chunking = Chunking(chunk) ?? .natural
        }
        try withSimulator(options) { client in
            let answer = client.create(#"{"model":"m","input":"x","stream":true}"#)
            #expect(answer.body == recorded)
            switch chunk {
            case "0": #expect(answer.chunkSizes == [recorded.count])
            case "1": #expect(answer.chunkSizes == recorded.map { _ in 1 })
            case "7": #expect(answer.chunkSizes.first == 7)
            default: #expect(answer.chunkSizes.allSatisfy { $0 <= 64 })
            }
            let whole = client.create(#"{"model":"m","input":"x"}"#)
            #expect(whole.body.text == #"{"id":"é"}"#)
        }
    }

    @Test("the command line is read")
    func commandLine() throws {
        let outcome = try SimulatorProgram.program.parse(
            [
                "--listen", "[::1]:0", "--chunk=random", "--seed", "9", "--rate=0", "--fault",
                "cut", "--request-limit", "20/5",
            ])
        guard case .run(let parsed) = outcome else {
            Issue.record("expected options")
            return
        }
        let options = try SimulatorProgram.options(parsed).get()
        #expect(options.host == "::1")
        #expect(options.chunking == .random)
        #expect(options.seed == 9)
        #expect(options.deltasPerSecond == 0)
        #expect(options.fault == "cut")
        #expect(options.requestLimit == RequestLimit(count: 20, seconds: 5))
        for text in ["nonsense", "cut after=x", "cut cut", ""] {
            guard case .run(let parsed) = try SimulatorProgram.program.parse(["--fault", text])
            else {
                Issue.record("expected options")
                return
            }
            #expect(throws: SimulatorProgram.ValueError.self, "\(text)") {
                try SimulatorProgram.options(parsed).get()
            }
        }
        for text in ["", "5", "0/1", "1/0", "1/3601", "1000001/1", "-1/1", "1/2/3", "x/1"] {
            #expect(RequestLimit(text) == nil, "\(text)")
        }
    }

    @Test("a limit of requests is a bucket that fills evenly, and tells what is left")
    func requestLimit() throws {
        var limit = try #require(RequestLimit("4/2"))
        var now: UInt64 = 1_000_000_000
        #expect((0..<5).map { _ in limit.take(monotonic: now) } == [true, true, true, true, false])
        #expect(limit.remaining == 0)
        #expect(limit.resetMilliseconds == 2000 && limit.retryMilliseconds == 500)
        now += 499_999_999
        #expect(limit.take(monotonic: now) == false)
        now += 1
        #expect(limit.take(monotonic: now) == true)
        now += 1_200_000_000
        limit.fill(now)
        #expect(
            limit.headers.map(\.1) == ["4", "2", "800ms"], "1.2 s brought two, and a part")
        limit.fill(now + 3_600_000_000_000)
        #expect(limit.remaining == 4 && limit.resetMilliseconds == 0)
    }
}
