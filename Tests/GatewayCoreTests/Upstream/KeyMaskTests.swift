import Testing

@testable import GatewayCore

@Suite("The key in what upstream says")
struct KeyMaskTests {
    private static func masked(_ text: String, key: String? = "azure/0123+key") -> String {
        var bytes = Array(text.utf8)
        KeyMask(key).apply(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        "is overwritten wherever it stands, in as many bytes",
        arguments: [
            ("azure/0123+key", "**************"),
            ("bad key 'azure/0123+key'.", "bad key '**************'."),
            ("azure/0123+keyazure/0123+key", "****************************"),
            ("aazure/0123+keyy", "a**************y"),
            ("azure/azure/0123+key", "azure/**************"),
            // As JSON may write it.
            (#""azure\/0123+key""#, #""***************""#),
            (#""\u0061zure\u002F0123\u002bkey""#, #""*****************************""#),
            (#""\\azure/0123+key""#, #""\\**************""#),
        ])
    func overwritten(text: String, expected: String) {
        #expect(Self.masked(text) == expected)
        #expect(expected.utf8.count == text.utf8.count)
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "a", "azure/0123+ke", "Azure/0123+key", "azure\\0123+key", #"azure\u00"#,
            #"azure\u002"#, #"azure\u002g0123+key"#, #"azure\"#, #"azure\/"#, "zure/0123+key",
        ])
    func nothingElse(text: String) {
        #expect(Self.masked(text) == text)
    }

    @Test("of less than 8 bytes is not looked for, and an empty one neither")
    func short() {
        #expect(Self.masked("the secret", key: "secret") == "the secret")
        #expect(Self.masked("the secrets!", key: "secrets!") == "the ********")
        #expect(Self.masked("the secret", key: "") == "the secret")
        #expect(Self.masked("the secret", key: nil) == "the secret")
    }

    @Test("of somebody else is overwritten where it looks like one of OpenAI's")
    func lookalike() {
        #expect(
            Self.masked("no sk-proj-abc_DEF*1234 here, ask-me-again, sk-x", key: nil)
                == "no sk-***************** here, ask-me-again, sk-x")
    }

    @Test("in an event is overwritten, and what looks like one is left")
    func event() {
        let mask = KeyMask("azure/0123+key")
        func masked(_ text: String) -> String? {
            let bytes = Array(text.utf8)
            return mask.masked(bytes.span).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(masked("") == nil)
        #expect(masked(#"{"code":"print('sk-proj-abc_DEF')","a":"\u0061zur\"}"#) == nil)
        #expect(
            masked(#"{"a":"azure/0123+key","b":"sk-proj-abc","c":"azure\/0123+key"}"#)
                == #"{"a":"**************","b":"sk-proj-abc","c":"***************"}"#)
        #expect(KeyMask().masked(Array("azure/0123+key".utf8).span) == nil)
    }

    @Test(
        "that begins with what JSON escapes is found behind an escaped backslash, which stays whole"
    )
    func escapedBackslash() {
        #expect(Self.masked(#"\\/b9secret"#, key: "/b9secret") == #"\\*********"#)
        #expect(Self.masked(#"\\\/b9secret"#, key: "/b9secret") == #"\\**********"#)
    }

    @Test("every cut of it is told from it")
    func cuts() {
        let key = "azure/0123+key"
        for count in 1..<key.count {
            let start = String(key.prefix(count))
            #expect(Self.masked(start) == start)
            #expect(Self.masked(start + key) == start + "**************")
        }
    }
}
