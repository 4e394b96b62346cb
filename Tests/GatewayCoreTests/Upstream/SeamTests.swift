import Foundation
import Testing

@testable import GatewayCore

@Suite("Seam: an answer that goes on at another upstream")
struct SeamTests {
    private static let cut = AttemptFailure(
        .cut, .again, ResponseError(code: "upstream_truncated", message: "eof", isRetryable: true))
    private static let busy = AttemptFailure(
        .serverError, .again,
        ResponseError(code: "upstream_http_status", message: "503", isRetryable: true))

    private static func failed(
        _ failure: AttemptFailure, budget: Bool = true, continuable: Bool = true
    ) -> AttemptMachine.Event {
        .failed(failure, random: 0, hasBudget: budget, isContinuable: continuable)
    }

    /// A machine whose first upstream is in the middle of the text.
    private static func streaming(seams: Int, members: Int = 3) -> AttemptMachine {
        var policy = RetryPolicy()
        policy.maximumSeams = seams
        var machine = AttemptMachine(policy: policy, memberCount: members)
        _ = machine.handle(.start)
        _ = machine.handle(.granted(0))
        _ = machine.handle(.connected)
        _ = machine.handle(.output)
        return machine
    }

    @Test("off by default: a break after text is the end")
    func off() {
        #expect(RetryPolicy().maximumSeams == 0)
        var machine = Self.streaming(seams: 0)
        #expect(!machine.wouldRetry(Self.cut, isContinuable: true))
        #expect(machine.handle(Self.failed(Self.cut)) == .fail(Self.cut.error))
    }

    @Test("another upstream goes on, and ends the answer")
    func goesOn() {
        var machine = Self.streaming(seams: 1)
        #expect(machine.wouldRetry(Self.cut, isContinuable: true))
        #expect(machine.handle(Self.failed(Self.cut)) == .acquire(tried: [0]))
        #expect(machine.broken == Self.cut && !machine.hasOutput)
        #expect(machine.handle(.granted(2)) == .goOn(at: 2))
        #expect(machine.handle(.connected) == .none)
        #expect(machine.handle(.output) == .none)
        #expect(machine.broken == nil && machine.hasOutput && machine.seams == 1)
        #expect(machine.handle(.finished) == .none)
        #expect(machine.isEnded)
    }

    @Test("the number of seams is bounded", arguments: 1...3)
    func bounded(limit: Int) {
        var machine = Self.streaming(seams: limit, members: 9)
        for number in 1...limit {
            #expect(machine.handle(Self.failed(Self.cut)) == .acquire(tried: Set(0..<number)))
            #expect(machine.handle(.granted(number)) == .goOn(at: number))
            _ = machine.handle(.output)
            #expect(machine.seams == number)
        }
        #expect(machine.handle(Self.failed(Self.cut)) == .fail(Self.cut.error))
    }

    @Test("one that was to go on fails: the next is asked, and at the end the break is what counts")
    func othersFail() {
        var machine = Self.streaming(seams: 1)
        _ = machine.handle(Self.failed(Self.cut))
        _ = machine.handle(.granted(1))
        #expect(machine.handle(Self.failed(Self.busy)) == .acquire(tried: [0, 1]))
        #expect(machine.handle(.granted(2)) == .goOn(at: 2))
        #expect(machine.handle(Self.failed(Self.busy)) == .fail(Self.cut.error))
    }

    @Test("no upstream is usable: the break is what counts")
    func refused() {
        for refusal in [
            UpstreamPoolState.Refusal.exhausted, .open(retryAfter: .seconds(1)), .queueFull,
        ] {
            var machine = Self.streaming(seams: 1)
            _ = machine.handle(Self.failed(Self.cut))
            #expect(machine.handle(.refused(refusal)) == .fail(Self.cut.error))
        }
    }

    @Test("what is no break, what cannot be gone on with, and a spent budget end it")
    func ends() {
        var final = Self.cut
        final.verdict = .final
        for event in [
            Self.failed(Self.busy), Self.failed(final), Self.failed(Self.cut, budget: false),
            Self.failed(Self.cut, continuable: false),
        ] {
            var machine = Self.streaming(seams: 1)
            guard case .fail = machine.handle(event) else {
                Issue.record("\(event) was not the end")
                continue
            }
        }
        var alone = Self.streaming(seams: 1, members: 1)
        #expect(alone.handle(Self.failed(Self.cut)) == .fail(Self.cut.error))
        var cancelled = Self.streaming(seams: 1)
        _ = cancelled.handle(Self.failed(Self.cut))
        #expect(cancelled.handle(.cancel) == .none && cancelled.isEnded)
        #expect(cancelled.handle(.granted(1)) == .none)
    }

    @Test("a background response is reattached to instead")
    func background() {
        var machine = Self.streaming(seams: 1)
        _ = machine.handle(.named)
        #expect(machine.handle(Self.failed(Self.cut)) == .backOff(.zero))
        #expect(machine.handle(.timer) == .reattach(0))
    }

    // MARK: What may be gone on with

    private static func body(_ json: String, background: Bool = false, tied: Bool = false)
        -> UpstreamRequestBody
    {
        UpstreamRequestBody(
            bytes: Array(json.utf8), model: nil, isBackground: background, isTied: tied)
    }

    private static func shows(
        _ outputs: [(ResponsesOutput, String)],
        _ request: UpstreamRequestBody = body(#"{"input":"Hi"}"#),
        native: Bool = true
    ) -> Bool {
        var candidate = SeamCandidate(request, isNative: native)
        for (output, data) in outputs { candidate.show(output, Array(data.utf8).span) }
        return candidate.isContinuable
    }

    private static func item(_ type: String) -> (ResponsesOutput, String) {
        let item = #"{"type":"\#(type)"}"#
        return (.item(index: 0, item: 0..<item.utf8.count), item)
    }

    private static let text = (
        ResponsesOutput.delta(index: 0, kind: .text, part: 0, text: 0..<1), "a"
    )
    private static let reasoning = (
        ResponsesOutput.delta(index: 0, kind: .reasoning, part: 0, text: 0..<1), "a"
    )
    private static let tool = ResponsesOutput.tool(
        ToolUpdate(index: 1, kind: "function", status: .inProgress))

    @Test("text can be gone on with, after reasoning too; anything else cannot")
    func candidates() {
        #expect(Self.shows([Self.text]))
        #expect(Self.shows([Self.reasoning, Self.item("reasoning"), Self.text]))
        #expect(Self.shows([Self.text, Self.item("message"), Self.text]))
        #expect(!Self.shows([]))
        #expect(!Self.shows([Self.reasoning]))
        #expect(!Self.shows([Self.text, (Self.tool, "")]))
        #expect(!Self.shows([(Self.tool, ""), Self.item("function_call"), Self.text]))
        #expect(!Self.shows([Self.text, Self.item("image_generation_call")]))
        #expect(
            !Self.shows([
                (.delta(index: 0, kind: .refusal, part: 0, text: 0..<1), "a"), Self.text,
            ]))
    }

    @Test(
        "requests that only one upstream can answer, and structured output, cannot be gone on with")
    func requests() {
        #expect(!Self.shows([Self.text], Self.body(#"{"input":"Hi"}"#, background: true)))
        #expect(!Self.shows([Self.text], Self.body(#"{"input":"Hi"}"#, tied: true)))
        #expect(!Self.shows([Self.text], native: false))
        for format in ["json_schema", "json_object", "grammar"] {
            let body = Self.body(#"{"text":{"format":{"type":"\#(format)"}},"input":"Hi"}"#)
            #expect(!Self.shows([Self.text], body), "\(format)")
        }
        for plain in [#"{"format":{"type":"text"}}"#, #"{"verbosity":"low"}"#] {
            #expect(Self.shows([Self.text], Self.body(#"{"text":\#(plain),"input":"Hi"}"#)))
        }
    }

    @Test("once something else than text was shown, nothing that comes makes up for it")
    func cannotBecomeContinuable() {
        var candidate = SeamCandidate(Self.body(#"{"input":"Hi"}"#), isNative: true)
        #expect(candidate.mayBeContinuable)
        candidate.show(Self.text.0, Array(Self.text.1.utf8).span)
        #expect(candidate.mayBeContinuable)
        let nothing: [UInt8] = []
        candidate.show(Self.tool, nothing.span)
        #expect(!candidate.mayBeContinuable)
        let tied = SeamCandidate(Self.body(#"{"input":"Hi"}"#, tied: true), isNative: true)
        #expect(!tied.mayBeContinuable)
    }

    @Test("a request that is not sent again is forgotten, but for the model's name")
    func forgottenRequest() {
        let json = #"{"input":"Hi","model":"m\u0061x","store":false}"#
        var body = Self.body(json)
        body.forget()
        #expect(body.modelName == nil)
        #expect(body.bytes.isEmpty)
        body = Self.body(json)
        let start = json.utf8.count - #""m\u0061x","store":false}"#.utf8.count
        body.model = start..<start + #""m\u0061x""#.utf8.count
        #expect(body.modelName == "max")
        body.forget()
        #expect(body.modelName == "max")
        #expect(body.bytes.count == 10)
        body.forget()
        #expect(body.modelName == "max")
        #expect(body.goingOn(from: [65]) == nil)
    }

    @Test("the request goes on from the text so far; the model keeps its place")
    func request() throws {
        let go = try #require(String(decodingJSONOf: UpstreamRequestBody.goOn))
        for (json, input) in [
            (#"{"model":"m","input":"Hi"}"#, #"{"role":"user","content":"Hi"}"#),
            (#"{"input":[{"a":1},{"b":2}],"model":"m"}"#, #"{"a":1},{"b":2}"#),
        ] {
            var body = Self.body(json)
            let start = try #require(json.range(of: #""m""#))
            let offset = json.utf8.distance(from: json.startIndex, to: start.lowerBound)
            body.model = offset..<offset + 3
            let asked = try #require(body.goingOn(from: Array("so \"far\"".utf8)))
            let text = String(decoding: asked.bytes, as: UTF8.self)
            #expect(
                text.contains(
                    #""input":[\#(input),{"role":"assistant","content":"so \"far\""},{"role":"developer","content":\#(go)}]"#
                ), "\(text)")
            #expect(asked.modelName == "m")
        }
        #expect(Self.body(#"{"model":"m"}"#).goingOn(from: []) == nil)
    }
}

extension String {
    /// `text` as a JSON string.
    fileprivate init?(decodingJSONOf text: String) {
        var bytes: [UInt8] = []
        bytes.append(jsonString: text)
        self.init(decoding: bytes, as: UTF8.self)
    }
}
