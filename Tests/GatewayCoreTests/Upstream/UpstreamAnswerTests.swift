import Testing

@testable import GatewayCore

@Suite("An upstream's answer")
struct UpstreamAnswerTests {
    private func head(_ lines: [String], maximumBytes: Int = 4_096) throws -> UpstreamResponseHead?
    {
        var parser = UpstreamHeadParser(maximumBytes: maximumBytes)
        var head: UpstreamResponseHead?
        for line in lines {
            if case .complete(let complete) = try parser.feed(Array("\(line)\r\n".utf8).span) {
                #expect(head == nil)
                head = complete
            }
        }
        return head
    }

    @Test("keeps the fields of use in lower case and drops the rest")
    func keepsFields() throws {
        let head = try #require(
            try head(
                [
                    "HTTP/2 200", "Content-Type: Text/Event-Stream; charset=utf-8", "SET-COOKIE: a",
                    "x-ratelimit-reset-tokens:6m0s", "X-Request-ID:\\t req ", " folded: x",
                    "nonsense",
                    ": x", "x-request-id: \(String(repeating: "a", count: 1_025))", "",
                    "x: trailer", "",
                ].map { $0.split(separator: "\\t").joined(separator: "\t") }))
        #expect(head.status == 200)
        #expect(head.mediaType == "text/event-stream")
        #expect(head.requestID == "req")
        #expect(
            head.fields.map(\.name) == ["content-type", "x-ratelimit-reset-tokens", "x-request-id"])
        #expect(head[.resetTokens] == "6m0s")
    }

    @Test(
        "knows each field of use by its name, in any case of letters",
        arguments: UpstreamHeader.allCases)
    func knowsNames(header: UpstreamHeader) throws {
        let name = header == .otherLimit ? "x-ratelimit-limit-images" : header.rawValue
        for spelling in [name, name.uppercased()] {
            let head = try #require(
                try head(["HTTP/1.1 200 OK", "\(spelling): a value", "\(spelling)x: another", ""]))
            let field = try #require(head.fields.first)
            #expect(field == .init(name: name, value: "a value"))
            #expect(field.header == header)
            #expect(head[header] == "a value")
            // A longer name is another one.
            #expect(head.fields.dropFirst().allSatisfy { $0.header == .otherLimit })
        }
    }

    @Test("of a repeated field the first counts, and a prefix is no name")
    func repeatedFields() throws {
        let head = try #require(
            try head([
                "HTTP/1.1 200 OK", "x-request-id: first", "x-ratelimit-: none",
                "X-Ratelimit-Limit-Images: 3", "x-request-id: second", "",
            ]))
        #expect(head.requestID == "first")
        #expect(
            head.fields == [
                .init(name: "x-request-id", value: "first"),
                .init(name: "x-ratelimit-limit-images", value: "3"),
                .init(name: "x-request-id", value: "second"),
            ])
    }

    @Test("skips interim heads")
    func skipsInterim() throws {
        let head = try head([
            "HTTP/1.1 100 Continue", "", "HTTP/1.1 103 Hints", "server: early", "",
            "HTTP/1.1 404 Not Found", "server: s", "",
        ])
        #expect(
            head == UpstreamResponseHead(status: 404, fields: [.init(name: "server", value: "s")]))
    }

    @Test(
        "is refused without a status",
        arguments: [
            "HTTP/1.1", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 abc", "SSH-2.0", "HTTP/1.1 099 x",
        ])
    func refusesStatus(line: String) {
        #expect(throws: UpstreamHeadParser.Failure.malformedStatusLine) { try head([line]) }
    }

    @Test("is bounded in bytes and in fields")
    func isBounded() throws {
        let lines = ["HTTP/1.1 200 OK"] + (0..<60).map { "x-ratelimit-\($0): 1" } + [""]
        let bytes = lines.reduce(0) { $0 + $1.utf8.count + 2 }
        #expect(try head(lines, maximumBytes: bytes)?.fields.count == 48)
        #expect(throws: UpstreamHeadParser.Failure.tooLarge(limitBytes: bytes - 1)) {
            try head(lines, maximumBytes: bytes - 1)
        }
    }

    @Test(
        "says how long to wait",
        arguments: [
            (["retry-after": "2"], .seconds(2)),
            (["retry-after": "0.5"], .milliseconds(500)),
            (["retry-after": "2", "retry-after-ms": "1500"], .milliseconds(1_500)),
            (["retry-after": "2", "retry-after-ms": "soon"], .seconds(2)),
            (["retry-after": "-1"], nil), (["retry-after": "nan"], nil),
            (["retry-after": "1e3"], nil), (["retry-after": ""], nil),
            (["retry-after": "1.2.3"], nil),
            (["retry-after": "9999999999999"], nil),
            (["retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"], .seconds(37)),
            (
                [
                    "retry-after": "Sun, 06 Nov 1994 08:49:37 GMT",
                    "date": "Sun, 06 Nov 1994 08:48:38 GMT",
                ], .seconds(59)
            ),
            (
                [
                    "retry-after": "Sun, 06 Nov 1994 08:49:37 GMT",
                    "date": "Mon, 07 Nov 1994 08:48:38 GMT",
                ], .zero
            ),
            (["retry-after": "Sunday, 06-Nov-94 08:49:37 GMT"], .seconds(37)),
            (["retry-after": "Sun Nov  6 08:49:37 1994"], .seconds(37)),
        ] as [([String: String], Duration?)])
    func saysHowLong(fields: [String: String], expected: Duration?) {
        let head = UpstreamResponseHead(
            status: 429, fields: fields.map { .init(name: $0.key, value: $0.value) })
        #expect(head.retryAfter(unixSeconds: 784_111_740) == expected)
    }

    @Test(
        "has dates that count days right",
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Tue, 31 Dec 2999 00:00:00 GMT", 32_503_593_600),
            ("Thu, 32 Jan 1970 00:00:00 GMT", nil),
            ("Thu, 01 Jan 1970 24:00:00 GMT", nil), ("Thu, 01 Foo 1970 00:00:00 GMT", nil),
            ("Thu, 01 Jan 1970 00:00 GMT", nil), ("", nil),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Thursday, 29-Feb-24 23:59:59 GMT", 1_709_251_199),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Thu Feb 29 23:59:59 2024", 1_709_251_199),
            ("Sunday, 06-Nov-94 08:49:37", nil), ("Sunday, 06-Nov 08:49:37 GMT", nil),
            ("Sunday, 06-Nov-1994 08:49:37 GMT", nil), ("Sun Nov 006 08:49:37 1994", nil),
            ("Sun Nov 6 08:49:37 94", nil),
        ] as [(String, Int64?)])
    func readsDates(text: String, seconds: Int64?) {
        #expect(HTTPDate.unixSeconds(text) == seconds)
    }

    @Test(
        "explains its error in many shapes",
        arguments: [
            (
                "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}", "m",
                "c", "t"
            ),
            ("{\"error\":{\"message\":\"m\",\"code\":429},\"status\":429}", "m", "429", nil),
            ("{\"code\":\"c\",\"error\":\"m\"}", "m", "c", nil),
            ("{\"detail\":\"m\"}", "m", nil, nil),
            (
                "{\"detail\":[{\"msg\":\"m\",\"loc\":[\"body\",\"x\"]},{\"msg\":\"n\"}]}",
                "body.x: m", nil, nil
            ),
            ("{\"detail\":{\"message\":\"m\",\"code\":\"c\"}}", "m", "c", nil),
            (
                "{\"object\":\"error\",\"message\":\"m\",\"type\":\"t\",\"code\":40303}", "m",
                "40303", "t"
            ),
            ("{\"error\":{\"message\":\"\\u4f60\\n\\u001b[31m\"}}", "你  [31m", nil, nil),
            (
                "{\"detail\":\"no sk-proj-abc_DEF*1234 here, ask-me, sk-x\"}",
                "no sk-… here, ask-me, sk-x", nil, nil
            ),
        ] as [(String, String?, String?, String?)])
    func explains(body: String, message: String?, code: String?, type: String?) {
        let error = UpstreamErrorBody(parsing: Array(body.utf8), mediaType: "application/json")
        #expect(error == UpstreamErrorBody(message: message, code: code, type: type, param: nil))
    }

    @Test(
        "says nothing in a body without an error",
        arguments: [
            "", "{}", "[]", "{\"error\":null}", "{\"error\":{}}", "{\"error\":", "<html>", "null",
        ])
    func saysNothing(body: String) {
        #expect(UpstreamErrorBody(parsing: Array(body.utf8), mediaType: nil) == nil)
    }

    @Test("is cut between characters")
    func isCut() throws {
        let text = String(repeating: "é", count: 600)
        for prefix in ["", "a"] {
            let error = UpstreamErrorBody(
                parsing: Array("\(prefix)\(text)".utf8), mediaType: "text/plain")
            let message = try #require(error?.message)
            #expect(message.hasSuffix("é…"))
            #expect(message.utf8.count <= 1_024 + 3)
            #expect(!message.contains("\u{FFFD}"))
        }
    }
}
