import GatewayCore
import Testing

@testable import Upstream

/// Facts in, outcome out: no libcurl, no socket, no clock.
@Suite("The verdict on a transfer")
struct TransferVerdictTests {
    // Of libcurl's codes.
    private static let ok: UInt32 = 0
    private static let couldNotConnect: UInt32 = 7
    private static let aborted: UInt32 = 23
    private static let reset: UInt32 = 56

    private static func head(_ status: Int, _ type: String? = nil) -> UpstreamResponseHead {
        UpstreamResponseHead(
            status: status,
            fields: [.init(name: "x-request-id", value: "req_1")]
                + (type.map { [.init(name: "content-type", value: $0)] } ?? []))
    }

    private static func verdict(
        expecting expectation: UpstreamRequest.Expectation = .eventStream,
        libcurl code: UInt32 = ok, stop: TransferVerdict.Stop? = nil,
        answered head: UpstreamResponseHead? = nil, kept: String? = nil,
        phase: TransferDiagnosis.Phase? = nil
    ) -> TransferVerdict {
        TransferVerdict(
            expectation: expectation, stop: stop, head: head, keptBody: kept.map { Array($0.utf8) },
            unixSeconds: 0,
            diagnosis: TransferDiagnosis(
                code: code, systemError: 0, detail: "", endpoint: "host:1",
                phase: phase ?? (head == nil ? .waiting : .receiving), connectTimeout: .seconds(5),
                tlsTimeout: .seconds(2)))
    }

    @Test(
        "is an end as asked for a 2xx of the kind that was asked for, read to its end",
        arguments: [
            verdict(expecting: .eventStream, answered: head(200)),
            verdict(expecting: .streamOrDocument, answered: head(200)),
            verdict(
                expecting: .streamOrDocument, answered: head(201, "application/json"), kept: "{}"),
            verdict(
                expecting: .document, answered: head(200, "text/event-stream"), kept: "data: 1\n\n"),
            verdict(expecting: .bytes, answered: head(206, "image/png")),
        ])
    func finishes(verdict: TransferVerdict) {
        guard case .finished = verdict.outcome else {
            Issue.record("\(verdict.outcome)")
            return
        }
    }

    @Test(
        "is one failure for each way in which it can end",
        arguments: [
            // Nobody has a word but libcurl.
            (verdict(), "protocol_error: host:1 ended without a response"),
            (verdict(libcurl: reset), "reset: host:1 reset the connection in the head"),
            (
                verdict(libcurl: reset, answered: head(200)),
                "reset: host:1 reset the connection in the body"
            ),
            (
                verdict(expecting: .document, libcurl: reset, answered: head(200), kept: "{"),
                "reset: host:1 reset the connection in the body"
            ),
            // A cut is told before the wrong type of what was cut.
            (
                verdict(libcurl: reset, answered: head(200, "text/html"), kept: "<"),
                "reset: host:1 reset the connection in the body"
            ),
            (
                verdict(answered: head(200, "text/html"), kept: "<p>"),
                "wrong_content_type: host:1 answered 200 with text/html instead of text/event-stream"
            ),
            // Upstream's status, whatever libcurl says of the rest.
            (verdict(answered: head(503), kept: ""), "http_status: host:1 answered 503"),
            (
                verdict(libcurl: reset, answered: head(503, "text/plain"), kept: "no"),
                "http_status: host:1 answered 503: no"
            ),
            (
                verdict(
                    libcurl: aborted, stop: .errorBodyCut, answered: head(400, "text/plain"),
                    kept: "no u"),
                "http_status: host:1 answered 400: no u"
            ),
            (
                verdict(expecting: .bytes, answered: head(404), kept: ""),
                "http_status: host:1 answered 404"
            ),
            // We stopped it.
            (
                verdict(libcurl: aborted, stop: .head(.tooLarge(limitBytes: 9))),
                "too_large: host:1 sent more than 9 bytes of headers"
            ),
            (
                verdict(libcurl: aborted, stop: .head(.malformedStatusLine)),
                "protocol_error: host:1 sent a malformed status line"
            ),
            (
                verdict(libcurl: aborted, stop: .head(.switchedProtocols)),
                "protocol_error: host:1 switched to another protocol, which was not asked for"
            ),
            (
                verdict(libcurl: aborted, stop: .contentEncoding("gzip"), answered: head(200)),
                "protocol_error: host:1 compressed its answer (gzip), which was not asked for"
            ),
            (
                verdict(
                    expecting: .document, libcurl: aborted, stop: .documentTooLarge(limitBytes: 9),
                    answered: head(200), kept: "123456789"),
                "too_large: host:1 sent a document of more than 9 bytes"
            ),
            (
                verdict(
                    libcurl: aborted, stop: .documentTooLarge(limitBytes: 9),
                    answered: head(200, "text/html"), kept: "<p>345678"),
                "wrong_content_type: host:1 answered 200 with text/html instead of text/event-stream"
            ),
            (
                verdict(stop: .connectTimeout, phase: .connecting),
                "connect_timeout: no connection to host:1 within 5.0 seconds"
            ),
            (
                verdict(stop: .connectTimeout, phase: .securing),
                "tls_timeout: no TLS with host:1 within 2.0 seconds"
            ),
            (
                verdict(
                    libcurl: couldNotConnect, stop: .cannotRun("no descriptor"), phase: .connecting),
                "internal_error: host:1: no descriptor"
            ),
        ])
    func fails(verdict: TransferVerdict, expected: String) {
        #expect(verdict.failure?.description == expected)
    }

    @Test("names the response, where there was one")
    func namesTheResponse() {
        #expect(Self.verdict(libcurl: Self.reset).failure?.status == nil)
        let verdicts = [
            Self.verdict(libcurl: Self.reset, answered: Self.head(200)),
            Self.verdict(answered: Self.head(200, "text/html"), kept: ""),
            Self.verdict(answered: Self.head(200), kept: ""),
        ]
        for verdict in verdicts {
            #expect(verdict.failure?.status == 200)
            #expect(verdict.failure?.requestID == "req_1")
        }
    }
}
