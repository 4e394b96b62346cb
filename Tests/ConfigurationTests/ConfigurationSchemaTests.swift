import Foundation
import Testing

@testable import Configuration

@Suite("Files made from the schema")
struct GeneratedFileTests {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// With `WRITE_GENERATED` set, the documents are written instead of compared.
    @Test(
        "the documents are what the schema says",
        arguments: [
            ("config/millrace.yaml", renderExampleConfiguration),
            ("docs/configuration.md", renderConfigurationReference),
        ] as [(String, @Sendable () -> String)])
    func documents(path: String, render: @Sendable () -> String) throws {
        let file = Self.root.appending(path: path)
        if ProcessInfo.processInfo.environment["WRITE_GENERATED"] != nil {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(render().utf8).write(to: file)
        }
        let text = try String(contentsOf: file, encoding: .utf8)
        let isCurrent = text == render()
        #expect(isCurrent, "\(path) is out of date: run 'make generated'")
    }
}

@Suite("Schema")
struct ConfigurationSchemaTests {
    @Test("every name follows the rules")
    func names() {
        var variables: Set<String> = []
        var flags: Set<String> = []
        for key in ConfigurationSchema.gateway.keys {
            switch key.kind {
            case .seconds: #expect(key.name.hasSuffix("_s"))
            case .milliseconds: #expect(key.name.hasSuffix("_ms"))
            case .bytes: #expect(key.name.hasSuffix("bytes"))
            default: break
            }
            #expect(key.documentation.hasSuffix("."), "\(key.name)")
            for name in key.environment {
                #expect(variables.insert(name).inserted, "\(name) sets two keys")
            }
            if let flag = key.flag { #expect(flags.insert(flag).inserted) }
        }
        #expect(variables.contains("MILLRACE_UPSTREAM_API_KEY"))
        #expect(variables.contains("OPENAI_BASE_URL"))
        #expect(flags.isSuperset(of: ["listen", "upstream", "shards", "web", "debug-echo"]))
    }

    @Test("the example with every key uncommented is the defaults")
    func example() throws {
        let lines = renderExampleConfiguration().split(separator: "\n").map { line in
            line.hasPrefix("  #") && !line.hasPrefix("  # ") ? "  \(line.dropFirst(3))" : "\(line)"
        }
        let loaded = try ConfigurationLoader.check(Array(lines.joined(separator: "\n").utf8))
        for key in ConfigurationSchema.gateway.keys {
            #expect(loaded.assignments[key.name]?.value == key.defaultValue, "\(key.name)")
        }
        #expect(
            try ConfigurationLoader.check(Array(renderExampleConfiguration().utf8)).assignments
                .isEmpty)
    }
}

@Suite("Values")
struct ConfigurationValueTests {
    @Test(
        "JSON text",
        arguments: ["1", "-0.5e+3", "\"a\\u00e9\"", "[]", "{\"a\":[1,{}],\"b\":null}", " true "])
    func json(text: String) { #expect(JSONText.isValid(text)) }

    @Test(
        "no JSON text",
        arguments: [
            "", "01", "1.", "+1", "nan", "'a'", "{a:1}", "[1,]", "\"a", "\"\\x\"", "1 2", "{\"a\"}",
            "\"\n\"", "-",
        ])
    func noJSON(text: String) {
        #expect(!JSONText.isValid(text))
        #expect(!JSONText.isValid(String(repeating: "[", count: 100_000)))
    }

    @Test("networks")
    func networks() throws {
        let network = try #require(AddressRange(parsing: "10.1.2.3/8"))
        #expect(network.description == "10.0.0.0/8")
        #expect(network.contains(text: "10.255.0.1"))
        #expect(network.contains(text: "::ffff:10.0.0.1"))
        #expect(!network.contains(text: "11.0.0.1"))
        #expect(!network.contains(text: "garbage"))
        #expect(try #require(AddressRange(parsing: "0.0.0.0/0")).contains(text: "1.2.3.4"))
        let six = try #require(AddressRange(parsing: "fd00::/9"))
        #expect(six.contains(text: "fd7f::1"))
        #expect(!six.contains(text: "fd80::1"))
        #expect(!six.contains(text: "10.0.0.1"))
        for text in [
            "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "::/129", "a\u{0}",
        ] {
            #expect(AddressRange(parsing: text) == nil, "\(text)")
        }
    }
}
