import Foundation
import Testing

@testable import GatewayCore

/// A stream that was cut never ends as completed, wherever the cut is.
@Suite("truncated recordings")
struct TruncationTests {
    /// Beside the checkout; where it is missing there is nothing to check.
    private static let corpus = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared/corpus")

    private static let names = [
        "text-hello", "text-medium", "fn-parallel", "fn-unicode-args", "websearch-annotations",
        "reasoning-summary", "incomplete-text", "refusal", "mcp-two-calls", "background-create",
    ]

    /// The event sequence of a body: where each event's data ends.
    private static func boundaries(_ body: [UInt8]) -> [Int] {
        var ends: [Int] = []
        for index in body.indices.dropFirst()
        where body[index] == UInt8(ascii: "\n") && body[index - 1] == UInt8(ascii: "\n") {
            ends.append(index + 1)
        }
        return ends
    }

    @Test("a cut after any event is a failure", arguments: names)
    func cut(name: String) throws {
        let file = Self.corpus.appending(path: "\(name).sse")
        guard let data = try? Data(contentsOf: file) else { return }
        let body = Array(data).filter { $0 != UInt8(ascii: "\r") }
        let ends = Self.boundaries(body)
        try #require(ends.count > 3)
        var reducer = ResponsesReducer()
        var parser = ServerSentEventParser(
            limits: .init(maximumLineBytes: 1 << 24, maximumEventBytes: 1 << 24))
        var terminal: Int?
        var start = 0
        for (position, end) in ends.enumerated() {
            // What a cut here would find.
            if terminal == nil {
                #expect(!reducer.isFinished, "\(name): cut before event \(position)")
            }
            try parser.feed(body[start..<end].span) { data, _ in
                try? reducer.reduce(data) { output in
                    if case .finished = output { terminal = position }
                }
                return .proceed
            }
            start = end
        }
        #expect(terminal != nil, "\(name) has a terminal event")
    }
}
