import Glibc
import Testing

@testable import GatewayCore

private func parser(
    allowed: Set<String>? = nil, _ configure: (inout ClientFrameParser.Limits) -> Void = { _ in }
) -> ClientFrameParser {
    var limits = ClientFrameParser.Limits()
    configure(&limits)
    return ClientFrameParser(limits: limits, allowedOptions: allowed)
}

extension ClientFrameParser {
    fileprivate func parse(_ text: String) -> Result<ClientCommand, ClientFrameError> {
        let bytes = Array(text.utf8)
        do throws(ClientFrameError) {
            return .success(try parse(bytes.span))
        } catch {
            return .failure(error)
        }
    }

    fileprivate func refusal(_ text: String) -> ClientFrameError? {
        if case .failure(let error) = parse(text) { return error }
        return nil
    }

    fileprivate func lines(_ text: String) -> [String] {
        var lines: [String] = []
        let bytes = Array(text.utf8)
        forEachLine(of: bytes.span) { line in
            var copy: [UInt8] = []
            copy.append(line)
            lines.append(String(decoding: copy, as: UTF8.self))
        }
        return lines
    }
}

private func message(
    _ id: String, _ input: String, _ options: [(String, String)] = []
) -> ClientCommand {
    .message(
        ClientCommand.Message(
            id: id, input: Array(input.utf8),
            options: options.map { RequestOption(name: $0.0, value: Array($0.1.utf8)) }))
}

@Suite("A client's frame")
struct ClientFrameParserTests {
    private static let accepted: [(String, ClientCommand)] = [
        (#"{"type":"hello"}"#, .hello(.init())),
        (#"{"type":"hello","auth":null,"resume":null}"#, .hello(.init())),
        (#"{"type":"hello","auth":"k\u00e9"}"#, .hello(.init(auth: "ké"))),
        (
            #"{"type":"hello","resume":{"token":"t"}}"#,
            .hello(.init(resume: .init(token: "t", after: 0)))
        ),
        (
            #"{"type":"hello","resume":{"token":"t","after":null}}"#,
            .hello(.init(resume: .init(token: "t", after: 0)))
        ),
        (
            #"{"type":"hello","resume":{"token":"t","after":1.2e1}}"#,
            .hello(.init(resume: .init(token: "t", after: 12)))
        ),
        (
            #"{"type":"hello","resume":{"token":"t","after":9223372036854775807}}"#,
            .hello(.init(resume: .init(token: "t", after: .max)))
        ),
        (#"{"type":"message","id":"m1","input":"Hi"}"#, message("m1", #""Hi""#)),
        (#"{"type":"message","id":"m1","input":[]}"#, message("m1", "[]")),
        (
            #" { "type" : "message" , "input" : [ {"a": 1e400} ] , "id" : "A-z_0.9:" } "#,
            message("A-z_0.9:", #"[ {"a": 1e400} ]"#)
        ),
        (#"{"type":"message","id":"m","input":"\u0000\ud83d"}"#, message("m", #""\u0000\ud83d""#)),
        (
            #"{"type":"message","id":"m","input":"","options":null}"#, message("m", #""""#)
        ),
        (
            #"{"type":"message","id":"m","input":"","options":{"b": [1] ,"a":2,"b":3}}"#,
            message("m", #""""#, [("b", "3"), ("a", "2")])
        ),
        (
            #"{"type":"message","id":"m","input":"","options":{"a\"\u0062":{}}}"#,
            message("m", #""""#, [("a\"b", "{}")])
        ),
        (#"{"t\u0079pe":"\u006dessage","i\u0064":"m","input":"x"}"#, message("m", #""x""#)),
        (#"{"type":"x","type":"ping","id":"1","id":"2"}"#, .ping(id: "2")),
        (#"{"type":"ping"}"#, .ping(id: nil)),
        (#"{"type":"ping","id":null,"more":[{"deep":{}}]}"#, .ping(id: nil)),
        (#"{"type":"ping","id":"a\u0000b"}"#, .ping(id: "a\u{0}b")),
        (#"{"type":"ping","id":"\ud800"}"#, .ping(id: "\u{FFFD}")),
        (#"{"type":"cancel"}"#, .cancel(.own)),
        (#"{"type":"cancel","response":null,"message":null}"#, .cancel(.own)),
        (#"{"type":"cancel","response":"r_1"}"#, .cancel(.response("r_1"))),
        (#"{"type":"cancel","message":"m1"}"#, .cancel(.message("m1"))),
        (#"{"type":"cancel","message":"m1","response":"r_1"}"#, .cancel(.response("r_1"))),
        (#"{"type":"tool_output","call_id":1}"#, .toolOutput),
    ]

    @Test("is understood", arguments: accepted)
    func accepts(text: String, command: ClientCommand) {
        #expect(parser().parse(text) == .success(command))
    }

    private static let refused: [(String, GatewayErrorCode, String?)] = [
        ("", .invalidJSON, nil), ("   ", .invalidJSON, nil), ("{", .invalidJSON, nil),
        (#"{"type":"ping"}x"#, .invalidJSON, nil), (#"{"type":"ping",}"#, .invalidJSON, nil),
        (#"{"type":"ping"}{"type":"ping"}"#, .invalidJSON, nil),
        ("{'type':'ping'}", .invalidJSON, nil), (#"{"type":"pi"# + "\u{1}ng\"}", .invalidJSON, nil),
        ("NaN", .invalidJSON, nil), (#"{"type":"\x"}"#, .invalidJSON, nil),
        (#"{"a":01}"#, .invalidJSON, nil), ("\u{FEFF}{}", .invalidJSON, nil),
        ("null", .invalidFrame, nil), ("[]", .invalidFrame, nil), (#""ping""#, .invalidFrame, nil),
        ("7", .invalidFrame, nil), ("{}", .invalidFrame, nil), (#"{"type":7}"#, .invalidFrame, nil),
        (#"{"type":null}"#, .invalidFrame, nil), (#"{"type":["ping"]}"#, .invalidFrame, nil),
        (#"{"type":"ping","type":1}"#, .invalidFrame, nil),
        (#"{"type":"PING"}"#, .unknownType, nil), (#"{"type":""}"#, .unknownType, nil),
        (#"{"type":"ready"}"#, .unknownType, nil), (#"{"type":"ping\u0000"}"#, .unknownType, nil),
        (#"{"type":"ping","id":7}"#, .invalidFrame, nil),
        (#"{"type":"hello","auth":7}"#, .invalidFrame, nil),
        (#"{"type":"hello","resume":"t"}"#, .invalidFrame, nil),
        (#"{"type":"hello","resume":{}}"#, .invalidFrame, nil),
        (#"{"type":"hello","resume":{"token":7}}"#, .invalidFrame, nil),
        (#"{"type":"hello","resume":{"token":"t","after":-1}}"#, .invalidFrame, nil),
        (#"{"type":"hello","resume":{"token":"t","after":1.5}}"#, .invalidFrame, nil),
        (#"{"type":"hello","resume":{"token":"t","after":"1"}}"#, .invalidFrame, nil),
        (
            #"{"type":"hello","resume":{"token":"t","after":9223372036854775808}}"#, .invalidFrame,
            nil
        ),
        (
            #"{"type":"hello","resume":{"token":"t","after":1e999999999999999999}}"#, .invalidFrame,
            nil
        ),
        (#"{"type":"message","input":"x"}"#, .invalidMessageID, nil),
        (#"{"type":"message","id":null,"input":"x"}"#, .invalidMessageID, nil),
        (#"{"type":"message","id":"","input":"x"}"#, .invalidMessageID, nil),
        (#"{"type":"message","id":"a b","input":"x"}"#, .invalidMessageID, nil),
        (#"{"type":"message","id":"é","input":"x"}"#, .invalidMessageID, nil),
        (#"{"type":"message","id":"\u0000","input":"x"}"#, .invalidMessageID, nil),
        (#"{"type":"message","id":"\ud83d","input":"x"}"#, .invalidMessageID, nil),
        (#"{"type":"message","id":7,"input":"x"}"#, .invalidFrame, nil),
        (#"{"type":"message","id":"m"}"#, .invalidFrame, "m"),
        (#"{"type":"message","id":"m","input":null}"#, .invalidFrame, "m"),
        (#"{"type":"message","id":"m","input":{}}"#, .invalidFrame, "m"),
        (#"{"type":"message","id":"m","input":1e400}"#, .invalidFrame, "m"),
        (#"{"type":"message","id":"m","input":"","options":[]}"#, .invalidFrame, "m"),
        (#"{"type":"cancel","response":7}"#, .invalidFrame, nil),
        (#"{"type":"cancel","message":{}}"#, .invalidFrame, nil),
        (#"{"type":"cancel","message":""}"#, .invalidMessageID, nil),
        (#"{"type":"cancel","message":"a b"}"#, .invalidMessageID, nil),
    ]

    @Test("is refused, with its code and the message it concerns", arguments: refused)
    func refuses(text: String, code: GatewayErrorCode, messageID: String?) {
        let error = parser().refusal(text)
        #expect(error?.code == code, "\(text)")
        #expect(error?.messageID == messageID, "\(text)")
        #expect(error?.message.isEmpty == false)
    }

    @Test(
        "bytes that are not UTF-8 are no JSON",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        let frame = Array(#"{"type":"ping","id":""#.utf8) + bytes + Array("\"}".utf8)
        #expect(throws: ClientFrameError.self) { _ = try parser().parse(frame.span) }
    }

    @Test("nesting up to the limit, counted from the frame's own braces", arguments: [-1, 0, 1])
    func depth(difference: Int) {
        let levels = 6 + difference
        let deep = String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        let parser = parser { $0.depth = 7 }
        let error = parser.refusal(#"{"type":"ping","x":\#(deep)}"#)
        #expect((error == nil) == (difference <= 0))
        #expect(error.map { $0.message.contains("deeper than 7 levels") } != false)
        let endless = String(repeating: "[", count: 1_000_000)
        #expect(parser.refusal(endless)?.code == .invalidJSON)
    }

    @Test("input, options, credentials, ids: as long as their limits", arguments: [-1, 0, 1])
    func sizes(difference: Int) {
        let parser = parser {
            $0.inputBytes = 20
            $0.optionsBytes = 20
            $0.credentialBytes = 20
        }
        func check(
            _ limit: Int, _ code: GatewayErrorCode, _ words: [String], _ frame: (String) -> String
        ) {
            let error = parser.refusal(frame(String(repeating: "x", count: limit + difference)))
            guard difference > 0 else { return #expect(error == nil) }
            #expect(error?.code == code)
            for word in words { #expect(error?.message.contains(word) == true, "\(word)") }
        }
        check(18, .inputTooLarge, ["21 bytes", "exceeds 20", "limits.input_bytes"]) {
            #"{"type":"message","id":"m","input":"\#($0)"}"#
        }
        check(11, .inputTooLarge, ["21 bytes", "exceed 20", "limits.options_bytes"]) {
            #"{"type":"message","id":"m","input":"","options":{"k": "\#($0)"}}"#
        }
        check(20, .invalidFrame, ["auth", "21 bytes", "exceeds 20"]) {
            #"{"type":"hello","auth":"\#($0)"}"#
        }
        check(20, .invalidFrame, ["token", "21 bytes", "exceeds 20"]) {
            #"{"type":"hello","resume":{"token":"\#($0)"}}"#
        }
        check(64, .invalidFrame, ["id", "65 bytes", "exceeds 64"]) {
            #"{"type":"ping","id":"\#($0)"}"#
        }
        check(64, .invalidMessageID, ["{1,64}"]) {
            #"{"type":"message","id":"\#($0)","input":"x"}"#
        }
        check(64, .invalidMessageID, ["{1,64}"]) { #"{"type":"cancel","message":"\#($0)"}"# }
        check(256, .invalidFrame, ["response", "257 bytes", "exceeds 256"]) {
            #"{"type":"cancel","response":"\#($0)"}"#
        }
    }

    @Test("only options that are allowed pass, and the first other one is named")
    func allowedOptions() {
        let parser = parser(allowed: ["model"])
        let frame = { (options: String) in
            #"{"type":"message","id":"m","input":"","options":\#(options)}"#
        }
        #expect(
            parser.parse(frame(#"{"m\u006fdel":"x"}"#))
                == .success(message("m", "\"\"", [("model", "\"x\"")])))
        let error = parser.refusal(frame(#"{"model":1,"store":true,"tools":[]}"#))
        #expect(error?.code == .optionNotAllowed)
        #expect(error?.messageID == "m")
        #expect(error?.message == "`options.store` is not allowed here (options.allow)")
        let long = parser.refusal(frame("{\"\(String(repeating: "k", count: 200))\":1}"))
        #expect(long.map { $0.message.utf8.count < 150 } == true)
    }

    /// CPU time of this thread: what else a busy machine does meanwhile does not count.
    private static var threadTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    @Test("a great many options take no great time")
    func manyOptions() {
        let options = (0..<30_000).map { "\"k\($0)\":1" }.joined(separator: ",")
        let frame = #"{"type":"message","id":"m","input":"","options":{\#(options)}}"#
        let parser = parser { $0.optionsBytes = 1 << 20 }
        let start = Self.threadTime
        guard case .success(.message(let message)) = parser.parse(frame) else {
            Issue.record("refused")
            return
        }
        // A debug build takes a second or less; comparing each with all others would take minutes.
        #expect(Self.threadTime - start < .seconds(20))
        #expect(message.options.count == 30_000)
    }

    private static let splits: [(String, [String])] = [
        ("a", ["a"]), ("", [""]), ("\n", ["\n"]), (" \n\t\n", [" \n\t\n"]),
        ("{}\n{}", ["{}", "{}"]), ("{}\r\n\n \n{}\n", ["{}\r", "{}"]), ("{}\n", ["{}\n"]),
        ("\n\n{}", ["\n\n{}"]),
        ("{\n \"a\": [\n  {\n  }\n ]\n}\n", ["{\n \"a\": [\n  {\n  }\n ]\n}\n"]),
        (#"{"a":"}"# + "\n" + #"{"}"#, [#"{"a":"}"#, #"{"}"#]),  // No string spans lines.
        ("{\"a\":1\n{\"b\":2}", ["{\"a\":1", "{\"b\":2}"]),  // A broken line harms no other.
        ("}\n{}", ["}", "{}"]), ("x\n{}", ["x", "{}"]), ("{}\nx", ["{}", "x"]),
        ("\"\n{}", ["\"", "{}"]), ("[\n]\n[]", ["[", "]", "[]"]), ("{}\n\"a\"", ["{}", "\"a\""]),
    ]

    @Test("holds one object, over as many lines as it likes, or one a line", arguments: splits)
    func lines(text: String, lines: [String]) {
        #expect(parser().lines(text) == lines)
    }

    @Test("mutated frames are read or refused, and never trap", arguments: 1...40)
    func mutations(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let seeds = Self.accepted.map(\.0) + Self.refused.map(\.0)
        let parser = parser(allowed: ["a", "model"]) {
            $0.depth = 8
            $0.inputBytes = 40
        }
        let alphabet = Array("{}[]\",:\\u0dé1e-+.\n \u{0}typeidnull".utf8)
        for _ in 0..<300 {
            var bytes = Array((seeds.randomElement(using: &random) ?? "").utf8)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0 where place < bytes.count: bytes.remove(at: place)
                case 1 where place < bytes.count:
                    bytes[place] = UInt8.random(in: .min ... .max, using: &random)
                case 2:
                    bytes +=
                        seeds.randomElement(using: &random)?.utf8.prefix(place) ?? "".utf8.prefix(0)
                default:
                    bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: place)
                }
            }
            var count = 0
            parser.forEachLine(of: bytes.span) { line in
                count += 1
                do throws(ClientFrameError) {
                    _ = try parser.parse(line)
                } catch {
                    #expect(!error.message.isEmpty)
                }
            }
            #expect(count > 0, "every frame is answered")
        }
    }
}

@Suite("The gateway's unnumbered frames")
struct ServerFramesTests {
    private func text(_ frame: [UInt8]) -> String { String(decoding: frame, as: UTF8.self) }

    @Test("read as the protocol says")
    func frames() {
        let ready = ServerFrames.Ready(
            session: "s", epoch: "e", sequence: 4, resumeToken: "t", expiresInSeconds: 60,
            recovered: false, reason: .tokenExpired, limits: [("a", 1), ("b", 2)],
            heartbeatSeconds: 25)
        #expect(
            text(ServerFrames.ready(ready))
                == #"{"type":"ready","session":"s","epoch":"e","seq":4,"resume_token":"t","expires_in_s":60,"recovered":false,"reason":"token_expired","heartbeat_s":25,"limits":{"a":1,"b":2},"options":{"allow":[]}}"#
        )
        var choosing = ready
        choosing.allowedOptions = ["model", "text"]
        choosing.models = OfferedModels(["a", "b\"c"])
        choosing.defaultModel = "a"
        #expect(
            text(ServerFrames.ready(choosing)).hasSuffix(
                #""options":{"allow":["model","text"],"models":["a","b\"c"],"model":"a"}}"#))
        #expect(text(ServerFrames.pong(id: nil)) == #"{"type":"pong"}"#)
        #expect(text(ServerFrames.pong(id: "\"\u{0}\n")) == #"{"type":"pong","id":"\"\u0000\n"}"#)
        #expect(
            text(ServerFrames.token("t", expiresInSeconds: 9))
                == #"{"type":"token","resume_token":"t","expires_in_s":9}"#)
        #expect(
            text(ServerFrames.goingAway(reconnectAfter: .milliseconds(2140)))
                == #"{"type":"going_away","reconnect_after_ms":2140}"#)
        #expect(
            text(ServerFrames.error(.invalidFrame, "no", messageID: "m"))
                == #"{"type":"error","code":"invalid_frame","message":"no","retryable":false,"message_id":"m"}"#
        )
    }

    @Test(
        "a delay is rounded up: who waits so long is not too early",
        arguments: [
            (0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2),
        ])
    func retryAfter(nanoseconds: Int, milliseconds: Int) {
        let frame = ServerFrames.error(
            .rateLimited, "slow", retryAfter: .nanoseconds(nanoseconds))
        #expect(text(frame).contains(#""retryable":true,"retry_after_ms":\#(milliseconds)}"#))
    }
}
