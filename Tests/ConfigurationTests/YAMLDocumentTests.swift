import Testing

@testable import Configuration

@Suite("YAML")
struct YAMLDocumentTests {
    private func failure(_ text: String) -> YAMLError? {
        do {
            _ = try YAMLDocument.parse(Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test("nodes keep their text, style and line")
    func nodes() throws {
        let root = try YAMLDocument.parse(Array("a: 1\nb:\n  - 'x'\n  - {c: ~}\n".utf8))
        guard case .mapping(let entries, 1) = root else {
            Issue.record("no mapping: \(String(describing: root))")
            return
        }
        #expect(entries[0].key.text == "a")
        #expect(entries[0].value == .scalar(YAMLScalar(text: "1", isPlain: true, line: 1)))
        guard case .sequence(let items, _) = entries[1].value else {
            Issue.record("no list")
            return
        }
        #expect(items[0] == .scalar(YAMLScalar(text: "x", isPlain: false, line: 3)))
        #expect(items[1].kindName == "a mapping")
    }

    @Test("nothing but comments is no document")
    func empty() throws {
        #expect(try YAMLDocument.parse([]) == nil)
        #expect(try YAMLDocument.parse(Array("# only this\n".utf8)) == nil)
    }

    @Test(
        "what could surprise is refused",
        arguments: [
            ("a: &x 1", "anchors (&name) are not taken here"),
            ("a: *x", "aliases (*name) are not taken here"),
            ("a: !!int 1", "tags (!name) are not taken here"),
            ("a: !<x> [1]", "tags (!name) are not taken here"),
            ("--- 1\n--- 2", "expected one document, found another"),
            ("? [a]\n: 1", "expected a name as key"),
            ("? {a: 1}\n: 1", "expected a name as key"),
            ("a: [", "not valid YAML: did not find expected node content"),
            ("\ta: 1", "not valid YAML: found character that cannot start any token"),
        ])
    func refused(text: String, reason: String) { #expect(failure(text)?.reason == reason) }

    @Test("size, depth and number have limits")
    func limits() {
        let depth = YAMLDocument.maximumDepth
        let nested = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
        #expect(failure(nested(depth)) == nil)
        #expect(failure(nested(depth + 1))?.reason == "nested deeper than 16 levels")
        #expect(
            failure(String(repeating: "[", count: 100_000))?.reason
                == "nested deeper than 16 levels")
        let count = YAMLDocument.maximumNodes
        let flat = { "[" + String(repeating: "1,", count: $0) + "]" }
        #expect(failure(flat(count - 1)) == nil)
        #expect(failure(flat(count))?.reason == "more than 20000 values")
        let bytes = String(repeating: "#", count: YAMLDocument.maximumBytes)
        #expect(failure(bytes) == nil)
        #expect(failure(bytes + "#")?.reason == "1048577 bytes exceed the limit of 1048576")
    }

    @Test("bytes that are not UTF-8 are an error")
    func encodings() {
        for bytes: [UInt8] in [
            [0xff, 0xfe, 0x61, 0x00], [0x61, 0x3a, 0x20, 0xff], [0x61, 0x3a, 0x00], [0xc0, 0x80],
            [0xed, 0xa0, 0x80],
        ] {
            #expect(throws: YAMLError.self) { try YAMLDocument.parse(bytes) }
        }
    }

    @Test("any garbage is a configuration or an error, never a trap")
    func garbage() {
        let example = Array(renderExampleConfiguration().utf8.filter { $0 != UInt8(ascii: "#") })
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var bytes = example
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default:
                    bytes.insert(Array("[]{}:-#&*!|>'\"%@`,?".utf8).randomElement() ?? 0, at: index)
                }
            }
            _ = try? ConfigurationLoader.check(bytes)
            _ = try? ConfigurationLoader.check(Array(bytes[..<Int.random(in: 0..<bytes.count)]))
        }
    }
}
