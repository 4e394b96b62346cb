import Testing

@testable import GatewayCore

@Suite("requests of the OpenAI dialect")
struct DialectRequestTests {
    private static func parse(_ text: String, isFrame: Bool = false) throws(DialectError)
        -> DialectRequest
    {
        let bytes = Array(text.utf8)
        return try DialectRequest(parsing: bytes.span, isFrame: isFrame, maximumDepth: 64)
    }

    @Test("of a parameter that is there twice the last one counts")
    func duplicates() throws {
        let request = try Self.parse(
            #"{"model":"a","x":1,"input":"i","model":"b","input":"j","x":2.0}"#)
        #expect(
            request.options.map { "\($0.name)=\(String(decoding: $0.value, as: UTF8.self))" } == [
                #"model="b""#, "x=2.0",
            ])
        #expect(request.input == Array(#""j""#.utf8))
        #expect(request.model == Array(#""b""#.utf8))
    }

    @Test("many parameters are read in a time that grows with their number only")
    func manyParameters() throws {
        let text = "{" + (0..<60_000).map { "\"p\($0)\":1" }.joined(separator: ",") + "}"
        let began = ContinuousClock.now
        #expect(try Self.parse(text).options.count == 60_000)
        // Comparing each with each takes minutes.
        #expect(ContinuousClock.now - began < .seconds(20))
    }

    @Test(
        "what is no request is refused with its reason",
        arguments: [
            ("[]", nil), ("1e999999", nil), (#"{"stream":1}"#, "stream"),
            (#"{"store":"yes"}"#, "store"), (#"{"background":{}}"#, "background"),
            (#"{"a":"\#u{1}"}"#, nil), (String(repeating: "[", count: 100_000), nil),
            (
                #"{"a":"# + String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
                    + "}", nil
            ),
        ] as [(String, String?)])
    func refusals(_ text: String, _ param: String?) {
        let error = #expect(throws: DialectError.self) { try Self.parse(text) }
        #expect(error?.status == 400)
        #expect(error?.param == param)
    }

    @Test(
        "names of lanes: 1 to 256 of certain characters",
        arguments: [(0, false), (1, true), (255, true), (256, true), (257, false)])
    func laneLength(_ count: Int, _ isTaken: Bool) {
        let text = #"{"stream_id":""# + String(repeating: "a", count: count) + #"","input":"x"}"#
        let wasTaken = (try? Self.parse(text, isFrame: true)) != nil
        #expect(wasTaken == isTaken)
    }

    @Test("numbers and unknown parameters go on as they were written")
    func fidelity() throws {
        var fixture = DialectFixture()
        try fixture.create(
            #"{"temperature":1.0,"seed":123456789012345678901234567890,"odd":{"a" : [1e-7]},"input":"x","stream":false,"stream_options":{"include_obfuscation":true}}"#
        )
        #expect(
            fixture.opened().map(\.body) == [
                #"{"stream":true,"stream_options":{"include_obfuscation":false},"temperature":1.0,"#
                    + #""seed":123456789012345678901234567890,"odd":{"a" : [1e-7]},"input":"x"}"#
            ])
    }

    @Test(
        "a background request is one for the run, too: it is reattached to, and cancelled at upstream"
    )
    func background() throws {
        var fixture = DialectFixture()
        try fixture.create(#"{"input":"x","background":true}"#)
        let requests = fixture.actions.compactMap { action -> UpstreamRequestBody? in
            guard case .openUpstream(_, let request) = action else { return nil }
            return request
        }
        #expect(requests.map(\.isBackground) == [true])
        #expect(requests.map(\.isShownAtOnce) == [true])
    }
}

@Suite("errors of the OpenAI dialect")
struct DialectErrorTests {
    @Test("upstream's own body becomes a frame on one line")
    func frame() throws {
        let head = UpstreamResponseHead(status: 400, fields: [])
        var failure = ResponseError(code: "upstream_rejected", message: "m", isRetryable: false)
        failure.answer = UpstreamAnswer(
            head: head,
            body: Array(
                "{\n  \"error\": {\r\n    \"message\": \"a\\nb\",\n    \"code\": 17\n  }\n}".utf8))
        let error = DialectError(failure)
        #expect(!error.frame.contains(10) && !error.frame.contains(13))
        #expect(
            String(decoding: error.frame, as: UTF8.self)
                == #"{"type":"error","status":400,"error":{      "message": "a\nb",     "code": 17   }}"#
        )
        // The HTTP answer is upstream's, byte for byte.
        #expect(error.document == failure.answer?.body)
    }

    @Test(
        "what was not even tried is 503, with the pause to make",
        arguments: [("upstream_busy", nil, "1"), ("upstream_unavailable", 2100, "3")]
            as [(String, Int?, String)])
    func full(_ code: String, _ pause: Int?, _ seconds: String) {
        let error = DialectError(
            ResponseError(
                code: code, message: "m", isRetryable: true,
                retryAfter: pause.map { .milliseconds($0) }))
        #expect(error.status == 503)
        #expect(error.headers["retry-after"] == seconds)
    }
}
