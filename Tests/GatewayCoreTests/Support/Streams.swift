@testable import GatewayCore

/// A small seeded generator (SplitMix64): the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// How a body is cut before it is fed.
enum Chunking: CustomStringConvertible, Sendable {
    case whole
    case every(Int)
    case random(seed: UInt64)
    case at(Int)

    var description: String {
        switch self {
        case .whole: "whole"
        case .every(let count): "every \(count) bytes"
        case .random(let seed): "at random, seed \(seed)"
        case .at(let index): "before byte \(index)"
        }
    }

    func ranges(_ count: Int) -> [Range<Int>] {
        switch self {
        case .whole: return [0..<count]
        case .at(let cut): return [0..<min(cut, count), min(cut, count)..<count]
        case .every(let size):
            return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
        case .random(let seed):
            var generator = SeededGenerator(seed: seed)
            var ranges: [Range<Int>] = []
            var start = 0
            while start < count {
                let end = min(count, start + Int.random(in: 1...700, using: &generator))
                ranges.append(start..<end)
                start = end
            }
            return ranges
        }
    }
}

/// One output of the reducer with its ranges replaced by what they held.
///
/// Written as one line, so that transcripts read like the protocol.
func describe(_ output: ResponsesOutput, in data: Span<UInt8>) -> String {
    func text(_ range: Range<Int>) -> String {
        var bytes: [UInt8] = []
        bytes.append(data, range)
        return String(decoding: bytes, as: UTF8.self)
    }
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    func field(_ name: String, _ value: String?) -> String { value.map { " \(name)=\($0)" } ?? "" }
    switch output {
    case .response(let id, let model, let status):
        return "response \(status.wireName)" + field("id", id.map(text))
            + field("model", model.map(text))
    case .delta(let index, let kind, let part, let range):
        return "delta \(index).\(part) \(kind.wireName) \(text(range))"
    case .toolDelta(let index, _, let part, let range):
        return "tool \(index)" + (part == 0 ? "" : ".\(part)") + " + \(text(range))"
    case .tool(let tool):
        return "tool \(tool.index) \(tool.kind) \(tool.status.wireName)"
            + field("call", tool.callID.map(text)) + field("name", tool.name.map(text))
            + field("arguments", tool.arguments.map(text)) + field("output", tool.output.map(text))
    case .item(let index, let item): return "item \(index) \(text(item))"
    case .upstreamEvent(let index):
        return "event" + field("index", index.map { "\($0)" }) + " \(text(0..<data.count))"
    case .finished(let end):
        return "finished \(end.status.wireName)" + field("reason", end.reason.map(text))
            + field("code", end.error?.code) + field("message", end.error?.message)
            + field("usage", end.usage.map(text)) + field("id", end.responseID.map(text))
    }
}

/// What came of a whole stream.
struct StreamResult: Equatable {
    var lines: [String] = []
    var texts: [Int: [UInt8]] = [:]
    var toolCalls = 0
    var end: ResponseOutcome?
    var error: String?
    /// Texts whose deltas are no beginning of the whole.
    var mismatchedTexts = 0
    /// Deltas that some other event brought, which had more of its text than the deltas before.
    var completions = 0
    /// Events of types that nobody knows.
    var unknownEvents = 0
    var comments = 0

    var joinedText: [UInt8] { texts.keys.sorted().flatMap { texts[$0] ?? [] } }
}

extension DeltaBatch {
    /// What the reducer would have emitted for each piece.
    func forEach(_ body: (ResponsesOutput) -> Void) {
        for piece in 0..<count {
            body(.delta(index: index, kind: kind, part: part, text: self[piece]))
        }
    }
}

extension ResponsesReducer {
    /// Skims as long as something can be, of any kind; `take` is given each batch.
    mutating func skim(
        _ chunk: Span<UInt8>, from start: Int, batches take: (DeltaBatch) -> Void
    ) -> Int {
        var deltas = DeltaBatch()
        var index = start
        repeat {
            index = skim(chunk, from: index, kind: template.target.kind, into: &deltas)
            if deltas.count > 0 { take(deltas) }
        } while deltas.isFull
        return index
    }

    /// The same, delta by delta.
    mutating func skim(
        _ chunk: Span<UInt8>, from start: Int, _ take: (ResponsesOutput) -> Void
    ) -> Int {
        skim(chunk, from: start, batches: { $0.forEach(take) })
    }
}

/// Whether an event names a delta as its type.
private func isDelta(_ data: Span<UInt8>) -> Bool {
    var bytes: [UInt8] = []
    bytes.append(data)
    return String(decoding: bytes, as: UTF8.self).contains(#".delta""#)
}

/// Runs parser and reducer over `body`, as the streaming worker does; without `skims` each event is taken by itself.
func run(
    _ body: [UInt8], _ chunking: Chunking = .whole, limits: ResponsesLimits = ResponsesLimits(),
    keepLines: Bool = true, skims: Bool = true
) -> StreamResult {
    var parser = ServerSentEventParser(
        limits: .init(maximumLineBytes: 16 << 20, maximumEventBytes: 16 << 20))
    var reducer = ResponsesReducer(limits: limits)
    var result = StreamResult()
    var decoders: [Int: JSONTextDecoder] = [:]
    func take(_ output: ResponsesOutput, _ data: Span<UInt8>) {
        if keepLines { result.lines.append(describe(output, in: data)) }
        switch output {
        case .delta(let index, .text, _, let range):
            decoders[index, default: JSONTextDecoder()].feed(
                data.extracting(range), into: &result.texts[index, default: []])
        case .tool(let tool) where tool.status.isFinal: result.toolCalls += 1
        case .finished(let end): result.end = end.status
        default: break
        }
    }
    for range in chunking.ranges(body.count) {
        do {
            try parser.feed(body.span.extracting(range)) { chunk, start in
                skims ? reducer.skim(chunk, from: start) { take($0, chunk) } : start
            } emit: { data, _, lead in
                do throws(ResponsesFailure) {
                    var isForwarded = false
                    try reducer.reduce(data, lead: lead) { output in
                        take(output, data)
                        if case .upstreamEvent = output { isForwarded = true }
                        if case .delta = output, !isDelta(data) { result.completions += 1 }
                    }
                    if isForwarded, reducer.mayHoldKey { result.unknownEvents += 1 }
                    reducer.mayHoldKey = false
                    return .proceed
                } catch {
                    result.error = error.description
                    return .stop
                }
            }
        } catch {
            result.error = error.description
        }
    }
    if !reducer.isFinished {
        result.lines.append("truncated code=\(reducer.toldError?.code ?? "-")")
    }
    for index in decoders.keys {
        decoders[index]?.finish(into: &result.texts[index, default: []])
    }
    result.mismatchedTexts = reducer.parts.count(where: \.isMismatched)
    result.comments = parser.commentCount
    return result
}

/// An event stream of `events`, each one line of JSON.
func stream(_ events: [String]) -> [UInt8] {
    Array(events.map { "data: \($0)\n\n" }.joined().utf8)
}
