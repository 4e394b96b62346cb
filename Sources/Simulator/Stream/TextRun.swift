/// One text that streams in deltas: an answer's text, a refusal, a summary, a call's arguments.
package struct TextRun: Sendable {
    package enum Kind: Sendable {
        case outputText
        case refusal
        case reasoningSummary
        case reasoningText
        case functionArguments
        case customInput
        case code
        case mcpArguments
    }

    package enum Source: Sendable {
        case pieces(TextPieces)
        case generated(GeneratedText)
    }

    package let kind: Kind
    package private(set) var source: Source
    /// Annotations on an output text, already JSON.
    package var annotations: [JSONValue] = []
    /// When each delta was written (ns of CLOCK_MONOTONIC): they are part of the text when asked for.
    private(set) var stamps: [UInt64] = []
    /// When the request was there (same clock): the first stamp of a response says it too.
    private var receivedAt: UInt64?

    package init(_ kind: Kind, _ text: String) {
        self.init(kind, .pieces(TextPieces(text)))
    }

    package init(_ kind: Kind, _ source: Source) {
        self.kind = kind
        self.source = source
    }

    /// How many deltas carry it; also its tokens.
    package var count: Int {
        switch source {
        case .pieces(let pieces): pieces.count
        case .generated(let text): text.count
        }
    }

    package func prefix(_ count: Int) -> TextRun {
        var copy = self
        switch source {
        case .pieces(let pieces): copy.source = .pieces(pieces.prefix(count))
        case .generated(let text): copy.source = .generated(text.prefix(count))
        }
        return copy
    }

    mutating func stamp(_ nanoseconds: UInt64, receivedAt: UInt64?) {
        if stamps.isEmpty { self.receivedAt = receivedAt }
        stamps.append(nanoseconds)
    }

    /// Appends delta `index`, escaped, with its stamp where it has one.
    func append(_ index: Int, to out: inout [UInt8]) {
        if index < stamps.count {
            out.put("⟦")
            out.put(UInt(stamps[index]))
            if index == 0, let receivedAt {
                out.put(";")
                out.put(UInt(receivedAt))
            }
            out.put("⟧")
        }
        switch source {
        case .pieces(let pieces): pieces.append(index, to: &out)
        case .generated(let text): text.append(index, to: &out)
        }
    }

    /// Appends the first `count` deltas joined, escaped.
    func appendJoined(_ count: Int, to out: inout [UInt8]) {
        for index in 0..<count { append(index, to: &out) }
    }
}

extension TextRun.Kind {
    /// The type of its deltas.
    package var deltaType: String {
        switch self {
        case .outputText: "response.output_text.delta"
        case .refusal: "response.refusal.delta"
        case .reasoningSummary: "response.reasoning_summary_text.delta"
        case .reasoningText: "response.reasoning_text.delta"
        case .functionArguments: "response.function_call_arguments.delta"
        case .customInput: "response.custom_tool_call_input.delta"
        case .code: "response.code_interpreter_call_code.delta"
        case .mcpArguments: "response.mcp_call_arguments.delta"
        }
    }

    /// The type of the event that repeats it whole, and the field it stands in.
    var done: (type: String, field: String) {
        switch self {
        case .outputText: ("response.output_text.done", "text")
        case .refusal: ("response.refusal.done", "refusal")
        case .reasoningSummary: ("response.reasoning_summary_text.done", "text")
        case .reasoningText: ("response.reasoning_text.done", "text")
        case .functionArguments: ("response.function_call_arguments.done", "arguments")
        case .customInput: ("response.custom_tool_call_input.done", "input")
        case .code: ("response.code_interpreter_call_code.done", "code")
        case .mcpArguments: ("response.mcp_call_arguments.done", "arguments")
        }
    }

    /// The events around it, for texts that are parts of an item.
    var partEvents: (added: String, done: String)? {
        switch self {
        case .outputText, .refusal, .reasoningText:
            ("response.content_part.added", "response.content_part.done")
        case .reasoningSummary:
            ("response.reasoning_summary_part.added", "response.reasoning_summary_part.done")
        case .functionArguments, .customInput, .code, .mcpArguments: nil
        }
    }

    /// The field that numbers it within its item.
    var indexField: String? {
        switch self {
        case .outputText, .refusal, .reasoningText: "content_index"
        case .reasoningSummary: "summary_index"
        case .functionArguments, .customInput, .code, .mcpArguments: nil
        }
    }
}
