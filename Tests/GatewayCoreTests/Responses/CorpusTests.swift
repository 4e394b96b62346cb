import Foundation
import Testing

@testable import GatewayCore

/// Recorded upstream streams with their true results, where the machine has them.
@Suite("recorded streams")
struct CorpusTests {
    struct Recording: CustomStringConvertible, Sendable {
        let file: String
        let textSHA256: String
        let toolCalls: Int
        let terminal: String
        let url: URL
        var description: String { file }
    }

    static let recordings: [Recording] = {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.deletingLastPathComponent().appending(path: "shared/corpus")
        guard let data = try? Data(contentsOf: folder.appending(path: "INDEX.tsv")) else {
            return []
        }
        let rows = String(decoding: data, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        guard let header = rows.first else { return [] }
        func column(_ row: [String], _ name: String) -> String {
            header.firstIndex(of: name).map { row[$0] } ?? ""
        }
        return rows.dropFirst().map { row in
            Recording(
                file: column(row, "file"), textSHA256: column(row, "text_sha256"),
                toolCalls: Int(column(row, "tool_calls")) ?? -1,
                terminal: column(row, "terminal"),
                url: folder.appending(path: column(row, "file")))
        }
    }()

    @Test(
        "gives the recorded text, tool calls and end, however it is cut",
        .enabled(if: !recordings.isEmpty, "no recorded streams beside the package"),
        arguments: recordings)
    func recording(_ recording: Recording) throws {
        let body = [UInt8](try Data(contentsOf: recording.url))
        let whole = run(body)
        #expect(SHA256.hex(whole.joinedText) == recording.textSHA256)
        #expect(whole.toolCalls == recording.toolCalls)
        #expect(whole.end.map { "response.\($0.wireName)" } == recording.terminal)
        #expect(whole.error == nil)
        #expect(whole.mismatchedTexts == 0)
        #expect(whole.completions == 0)
        #expect(whole.unknownEvents == 0)
        for chunking in [Chunking.every(7), .random(seed: 1), .random(seed: 2)] {
            #expect(run(body, chunking) == whole, "cut \(chunking)")
        }
        if body.count < 120_000 { #expect(run(body, .every(1)) == whole, "cut every byte") }
    }

    @Test("the test's own hash is SHA-256")
    func hash() {
        #expect(
            SHA256.hex(Array("abc".utf8))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            SHA256.hex([])
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }
}
