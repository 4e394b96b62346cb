import Testing

@testable import GatewayCore

@Suite("JSON reader")
struct JSONReaderTests {
    private func read(_ bytes: [UInt8], depth: Int = 64) -> Result<JSONValue, JSONSyntaxError> {
        do {
            return .success(try JSONReader(maximumDepth: depth).read(bytes.span))
        } catch {
            return .failure(error)
        }
    }

    private func reason(_ text: String) -> JSONSyntaxError.Reason? {
        switch read(Array(text.utf8)) {
        case .success: nil
        case .failure(let error): error.reason
        }
    }

    @Test(
        "accepts what RFC 8259 allows",
        arguments: [
            "null", "true", "false", "0", "-0", "0.5", "-1.25e+10", "1E9", "1e-9",
            "12345678901234567890",
            "\"\"", "\"a\"", #""\"\\\/\b\f\n\r\t""#, #""\u0041\uD83D\uDE00""#, #""\ud83d""#,
            #""\udc00\u0000""#, "\"\u{7F}\"", "\"é 你好 😀 \u{10FFFF} \u{FFFD}\"", "[]", "[ ]", "{}",
            "{ }",
            "[1,2]", " \t\r\n[ 1 , 2 ] \n", "{\"a\":1,\"a\":2}", "{\"\":[{}]}",
            "{ \"a\" : [ null , true ] }", "\"0123456789abcdef0123456789abcdef\"",
            "\"1234567\"", "\"12345678\"", "\"123456789\"",
        ])
    func accepts(_ text: String) {
        #expect(reason(text) == nil)
    }

    @Test(
        "refuses what RFC 8259 refuses",
        arguments: [
            ("", .unexpectedEnd), (" ", .unexpectedEnd), ("nul", .unexpectedEnd),
            ("nulL", .invalidLiteral), ("tru e", .invalidLiteral), ("True", .unexpectedByte),
            ("NaN", .unexpectedByte), ("Infinity", .unexpectedByte), ("-", .invalidNumber),
            ("+1", .unexpectedByte), ("01", .invalidNumber), ("-01", .invalidNumber),
            ("00", .invalidNumber), ("1.", .invalidNumber), (".5", .unexpectedByte),
            ("1e", .invalidNumber), ("1e+", .invalidNumber), ("1.e1", .invalidNumber),
            ("-a", .invalidNumber), ("1a", .trailingBytes), ("1 2", .trailingBytes),
            ("0x10", .trailingBytes), ("\"", .unexpectedEnd), ("\"a", .unexpectedEnd),
            ("\"\\", .unexpectedEnd), ("\"\\\"", .unexpectedEnd), ("\"\\x\"", .invalidEscape),
            ("\"\\u12\"", .invalidEscape), ("\"\\u12", .unexpectedEnd),
            ("\"\\u12G4\"", .invalidEscape), ("\"\\U0041\"", .invalidEscape),
            ("\"a\nb\"", .controlCharacterInString), ("\"a\u{0}b\"", .controlCharacterInString),
            ("\"0123456789\u{1F}\"", .controlCharacterInString), ("'a'", .unexpectedByte),
            ("[", .unexpectedEnd), ("[1", .unexpectedEnd), ("[1,", .unexpectedEnd),
            ("[1,]", .unexpectedByte), ("[,1]", .unexpectedByte), ("[1 2]", .unexpectedByte),
            ("]", .unexpectedByte), ("[1}", .unexpectedByte), ("{", .unexpectedEnd),
            ("{\"a\"", .unexpectedEnd), ("{\"a\":", .unexpectedEnd), ("{\"a\":1", .unexpectedEnd),
            ("{\"a\":1,", .unexpectedEnd), ("{\"a\":1,}", .unexpectedByte),
            ("{\"a\" 1}", .unexpectedByte), ("{a:1}", .unexpectedByte), ("{1:1}", .unexpectedByte),
            ("{\"a\":}", .unexpectedByte), ("{,}", .unexpectedByte), ("[] []", .trailingBytes),
            ("{}}", .trailingBytes), ("// c\n1", .unexpectedByte), ("\u{FEFF}1", .unexpectedByte),
            ("\u{0}", .unexpectedByte), ("1\u{0}", .trailingBytes), ("1\u{A0}", .trailingBytes),
            ("\u{0B}1", .unexpectedByte),
        ] as [(String, JSONSyntaxError.Reason)])
    func refuses(_ text: String, _ expected: JSONSyntaxError.Reason) {
        #expect(reason(text) == expected)
    }

    @Test(
        "refuses bytes that are not UTF-8, wherever they stand in a word",
        arguments: [
            [0x80], [0xBF], [0xC0, 0xAF], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80],
            [0xE0, 0x9F, 0xBF], [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
        ] as [[UInt8]])
    func refusesBadUTF8(_ bad: [UInt8]) {
        for padding in 0..<17 {
            let before = [UInt8](repeating: UInt8(ascii: "x"), count: padding)
            let bytes = Array("\"".utf8) + before + bad + Array("abcdefghij\"".utf8)
            #expect(
                read(bytes) == .failure(.init(reason: .invalidUTF8, offset: 1 + padding)),
                "after \(padding) plain bytes")
        }
    }

    @Test("finds quotes, escapes and control characters at every place of a word")
    func everyPlace() {
        for padding in 0..<20 {
            let before = String(repeating: "x", count: padding)
            #expect(reason("\"\(before)\"") == nil)
            #expect(reason("\"\(before)\\n\(before)\"") == nil)
            #expect(reason("\"\(before)é\(before)\"") == nil)
            #expect(reason("\"\(before)\u{1F}\"") == .controlCharacterInString)
            #expect(reason("\"\(before)\" x") == .trailingBytes)
        }
    }

    @Test("counts objects and arrays towards the depth", arguments: [1, 2, 63, 64, 512])
    func depth(_ limit: Int) {
        func nested(_ depth: Int) -> [UInt8] {
            var bytes: [UInt8] = []
            for level in 0..<depth { bytes.append(literal: level % 2 == 0 ? "[" : "{\"a\":") }
            bytes.append(UInt8(ascii: "0"))
            for level in (0..<depth).reversed() {
                bytes.append(literal: level % 2 == 0 ? "]" : "}")
            }
            return bytes
        }
        #expect((try? read(nested(limit - 1), depth: limit).get()) != nil)
        #expect((try? read(nested(limit), depth: limit).get()) != nil)
        switch read(nested(limit + 1), depth: limit) {
        case .success: Issue.record("too deep, and accepted")
        case .failure(let error): #expect(error.reason == .tooDeep(maximumDepth: limit))
        }
    }

    @Test("survives a hundred thousand brackets")
    func manyBrackets() {
        let bytes = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(
            read(bytes, depth: 1_000_000)
                == .failure(.init(reason: .tooDeep(maximumDepth: 512), offset: 512)))
    }

    @Test("every prefix of a document ends too early, or is malformed; none is accepted")
    func prefixes() {
        let text = Array(#"{"a":[1,-2.5e3,true,null,"é\u00e9😀"],"b":{"c":false}}"#.utf8)
        for end in 0..<text.count {
            #expect((try? read(Array(text[..<end])).get()) == nil, "cut at \(end)")
        }
        #expect(read(text) == .success(JSONValue(kind: .object, range: 0..<text.count)))
    }

    @Test("tells the range of the value without the whitespace around it")
    func range() {
        #expect(read(Array(" \n 12 ".utf8)) == .success(.init(kind: .number, range: 3..<5)))
    }
}

@Suite("JSON values")
struct JSONValueTests {
    private func value(_ text: String) throws -> (JSONValue, [UInt8]) {
        let bytes = Array(text.utf8)
        return (try JSONReader(maximumDepth: 32).read(bytes.span), bytes)
    }

    @Test("the last of several members with one name counts, however it is escaped")
    func lastDuplicateWins() throws {
        let (value, bytes) = try value(#"{"a":1,"b":{"a":9},"\u0061":2,"c":3}"#)
        #expect(value.member("a", in: bytes.span)?.integer(in: bytes.span) == 2)
        #expect(value.member("b", in: bytes.span)?.kind == .object)
        #expect(value.member("d", in: bytes.span) == nil)
        #expect(value.member("", in: bytes.span) == nil)
    }

    @Test("lends members and elements in order")
    func iteration() throws {
        let text =
            #"{ "x" : [ 1 , "a,]}" , {"y":[[]]} , null ] , "z" : -1.5e3 , "t":true,"f":false }"#
        let (value, bytes) = try value(text)
        var seen: [String] = []
        func raw(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        value.forEachMember(in: bytes.span) { member in
            seen.append("\(raw(member.key))=\(raw(member.value.range))")
            member.value.forEachElement(in: bytes.span) { seen.append(raw($0.range)) }
        }
        #expect(
            seen == [
                #"x=[ 1 , "a,]}" , {"y":[[]]} , null ]"#, "1", #""a,]}""#, #"{"y":[[]]}"#, "null",
                "z=-1.5e3", "t=true", "f=false",
            ])
    }

    @Test("empty objects, empty arrays and other kinds have no members")
    func nothing() throws {
        for text in ["{}", "[]", "{ }", "[ ]", "1", "\"{}\"", "null"] {
            let (value, bytes) = try value(text)
            var count = 0
            value.forEachMember(in: bytes.span) { _ in count += 1 }
            value.forEachElement(in: bytes.span) { _ in count += 1 }
            #expect(count == 0, "\(text)")
        }
    }

    @Test(
        "decodes strings",
        arguments: [
            (#""""#, ""), (#""plain""#, "plain"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u00e9\u4f60\u0000""#, "é你\u{0}"), (#""\ud83d\ude00""#, "😀"),
            (#""\uD83D\uDE00x""#, "😀x"), (#""a\ud83d""#, "a\u{FFFD}"), (#""\ude00b""#, "\u{FFFD}b"),
            (#""\ud83dx\ude00""#, "\u{FFFD}x\u{FFFD}"), (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"),
            (#""\ud83d\n""#, "\u{FFFD}\n"), (#""é\u00e9😀""#, "éé😀"),
            (#""\udbff\udfff""#, "\u{10FFFF}"),
        ])
    func decodes(_ json: String, _ text: String) throws {
        let (value, bytes) = try value(json)
        #expect(value.decoded(in: bytes.span) == Array(text.utf8))
        let answers = [text, text + "!", "other"].map { value.equals($0, in: bytes.span) }
        #expect(answers == [true, false, false])
    }

    @Test(
        "reads whole numbers and no others",
        arguments: [
            ("0", 0), ("-0", 0), ("0.0", 0), ("0e99999999999999999999", 0), ("7", 7), ("-12", -12),
            ("1.0", 1), ("1e3", 1000), ("1.5e1", 15), ("120e-1", 12), ("1.5", nil), ("1e-1", nil),
            ("9223372036854775807", Int64.max), ("9223372036854775808", nil),
            ("-9223372036854775808", Int64.min), ("-9223372036854775809", nil),
            ("99999999999999999999", nil), ("1e18", 1_000_000_000_000_000_000), ("1e19", nil),
            ("1e999999999999999999999", nil), ("1e-999999999999999999999", nil),
            ("100000000000000000000e-2", 1_000_000_000_000_000_000), ("0.001e3", 1),
            ("\"1\"", nil), ("null", nil), ("true", nil),
            ("999999999999999999", 999_999_999_999_999_999),
        ] as [(String, Int64?)])
    func integers(_ json: String, _ expected: Int64?) throws {
        let (value, bytes) = try value(json)
        #expect(value.integer(in: bytes.span) == expected)
    }

    @Test("never traps on a buffer that was not validated")
    func unvalidated() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array(#"{}[]",:\u0tfn-1.e "#.utf8)
        for _ in 0..<5000 {
            let count = Int.random(in: 1...24, using: &generator)
            let bytes = (0..<count).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            for kind in [JSONKind.object, .array, .string, .number] {
                let value = JSONValue(kind: kind, range: 0..<count)
                value.forEachMember(in: bytes.span) { _ = $0.hasKey("a", in: bytes.span) }
                value.forEachElement(in: bytes.span) { _ = $0.decoded(in: bytes.span) }
                _ = value.decoded(in: bytes.span)
            }
        }
    }
}

@Suite("JSON text and writing")
struct JSONTextTests {
    @Test("joins a surrogate pair that was split between two slices")
    func splitPair() {
        var decoder = JSONTextDecoder()
        var output: [UInt8] = []
        for slice in [#"a\ud83d"#, #"\ude00b\ud83d"#, "", "c", #"\ud83d"#] {
            decoder.feed(Array(slice.utf8).span, into: &output)
        }
        decoder.finish(into: &output)
        #expect(String(decoding: output, as: UTF8.self) == "a😀b\u{FFFD}c\u{FFFD}")
    }

    @Test(
        "writes integers", arguments: [0, 9, 10, 99, 100, 1_234_567_890, -1, Int.max, Int.min])
    func integers(_ number: Int) {
        var output: [UInt8] = []
        output.append(decimal: number)
        #expect(String(decoding: output, as: UTF8.self) == String(number))
        output = []
        output.append(decimal: UInt64(number.magnitude))
        #expect(String(decoding: output, as: UTF8.self) == String(number.magnitude))
    }

    @Test("writes strings that read back as they were")
    func strings() throws {
        let controls = String(String.UnicodeScalarView((0..<0x20).compactMap(Unicode.Scalar.init)))
        for text in ["", "plain", "\"\\/", controls, "é你😀 tail", "x\u{7F}\u{2028}", "12345678\n"] {
            var output: [UInt8] = []
            output.append(jsonString: text)
            let value = try JSONReader(maximumDepth: 1).read(output.span)
            #expect(value.decoded(in: output.span) == Array(text.utf8))
        }
        var output: [UInt8] = []
        output.append(jsonString: "\u{1}\u{1F}\n")
        #expect(String(decoding: output, as: UTF8.self) == #""\u0001\u001f\n""#)
    }

    @Test("writes keys with the commas they need")
    func keys() {
        var output: [UInt8] = []
        output.append(literal: "{")
        output.append(jsonKey: "a")
        output.append(decimal: 1)
        output.append(jsonKey: "b")
        output.append(literal: "{")
        output.append(jsonKey: "c")
        output.append(literal: "[]}}")
        #expect(String(decoding: output, as: UTF8.self) == #"{"a":1,"b":{"c":[]}}"#)
    }
}
