import Configuration
import Foundation
import GatewayCore
import Telemetry
import Testing
import WebSocketServer

@testable import Gateway

@Suite("Files made from the gateway's code")
struct GeneratedFileTests {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func text(of path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// With `WRITE_GENERATED` set, the part between the markers is written instead of compared.
    @Test(
        "the tables are what the code says",
        arguments: [
            ("docs/protocol.md", "error-codes", ErrorReference.render),
            ("docs/operations.md", "metrics", renderMetrics),
        ] as [(String, String, @Sendable () -> String)])
    func table(path: String, marker: String, render: @Sendable () -> String) throws {
        let file = Self.root.appending(path: path)
        let begin = "<!-- \(marker):begin -->\n"
        var text = try Self.text(of: path)
        let start = try #require(text.range(of: begin)).upperBound
        let end = try #require(text.range(of: "<!-- \(marker):end -->")).lowerBound
        if ProcessInfo.processInfo.environment["WRITE_GENERATED"] != nil {
            text.replaceSubrange(start..<end, with: render())
            try Data(text.utf8).write(to: file)
        } else {
            // Not the texts themselves: a failure would print both.
            let isCurrent = text[start..<end] == render()
            #expect(isCurrent, "\(path) is out of date: run 'make generated'")
        }
    }

    private static let renderMetrics: @Sendable () -> String = {
        let registry = MetricRegistry()
        ProcessMetrics.register(
            in: registry, version: "…", logger: Logger(level: .error, format: .json))
        // The label of an error is a code of the other table; no need to repeat that here.
        _ = GatewayMetrics(
            registry, errorCodes: ["a code of protocol.md, section 7"],
            closeCodes: CloseCode.documented,
            retryReasons: AttemptFailure.Reason.allCases.map(\.rawValue))
        let pool = try? UpstreamPool(GatewayConfiguration(), mailboxes: [])
        pool?.register(in: registry)
        return registry.renderMetricsReference()
    }

    /// Every code that the sources name as a literal, `pattern`'s first group.
    private static func literals(_ pattern: String, in folders: [String]) throws -> Set<String> {
        let expression = try NSRegularExpression(pattern: pattern)
        var found: Set<String> = []
        for folder in folders {
            let files = FileManager.default.enumerator(
                at: root.appending(path: folder), includingPropertiesForKeys: nil)
            while let file = files?.nextObject() as? URL {
                guard file.pathExtension == "swift" else { continue }
                let text = try String(contentsOf: file, encoding: .utf8)
                let all = NSRange(text.startIndex..., in: text)
                for match in expression.matches(in: text, range: all) {
                    guard let range = Range(match.range(at: 1), in: text) else { continue }
                    found.insert(String(text[range]))
                }
            }
        }
        return found
    }

    @Test("every code of a failed response stands in the table")
    func responseCodes() throws {
        let table = ErrorReference.render()
        let used = try Self.literals(
            #"(?:fail\(|code: |nil \? |: |= )"(upstream_[a-z_]+)""#,
            in: ["Sources/Gateway", "Sources/GatewayCore/Upstream"])
        #expect(used.contains("upstream_silence_timeout") && used.contains("upstream_failed"))
        for code in used {
            #expect(table.contains("| `\(code)` |"), "\(code)")
        }
    }

    @Test("the close codes are those of docs/protocol.md, section 6")
    func closeCodes() throws {
        let protocolText = try Self.text(of: "docs/protocol.md")
        let section = try #require(
            protocolText.components(separatedBy: "\n## ").first { $0.hasPrefix("6. Close codes") })
        let listed = Set(
            section.split(separator: "\n").filter { $0.hasPrefix("| ") }
                .compactMap { UInt16($0.dropFirst(2).prefix(4)) })
        // Neither is ever on the wire: they stand for a missing code and a missing close frame.
        let silent: Set<UInt16> = [1005, 1006]
        #expect(Set(CloseCode.documented) == listed.union(silent))
        let used = try Self.literals(
            #"CloseCode\((\d{4})\)"#, in: ["Sources/Gateway", "Sources/WebSocketServer"])
        #expect(used.count > 8)
        #expect(Set(used.compactMap { UInt16($0) }).isSubset(of: CloseCode.documented))
    }
}
