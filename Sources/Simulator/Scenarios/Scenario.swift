/// The kinds of answer the simulator can give; the raw value is the word in a marker, and `sim-` in front
/// of it makes the model's name.
package enum Scenario: String, CaseIterable, Sendable {
    case markdown
    case hello
    case paced
    case long
    case reasoning
    case rawReasoning = "reasoning-raw"
    case function
    case parallel
    case customTool = "custom-tool"
    case structured
    case refusal
    case incomplete
    case failed
    case quota
    case unicode
    case echo
    case webSearch = "web-search"
    case fileSearch = "file-search"
    case code
    case image
    case mcp
    case empty

    /// The name to send as `model`.
    package var model: String { "sim-" + rawValue }

    /// What it answers, in one line of docs/simulator.md.
    package var summary: String {
        switch self {
        case .markdown: "a Markdown answer with a table and code; what unknown models give too"
        case .hello: "one short sentence"
        case .paced: "`deltas=N rate=R bytes=B` of plain text, as the input text says"
        case .long: "an article of `deltas=` (2000) deltas with headings"
        case .reasoning: "two reasoning summaries, then an answer"
        case .rawReasoning: "raw `reasoning_text`, as open-weight models send it, then an answer"
        case .function: "one function call with arguments that fit its schema"
        case .parallel: "several function calls"
        case .customTool: "one custom tool call with free text input"
        case .structured: "JSON that fits `text.format`"
        case .refusal: "a refusal"
        case .incomplete: "text cut off: `reason=` (`max_output_tokens`)"
        case .failed: "some text, then `response.failed`: `code=` (`server_error`), `error_event=0`"
        case .quota: "`error` and `response.failed` with `insufficient_quota` inside a 200"
        case .unicode: "text of many scripts, emoji, combining marks, escapes and a NUL"
        case .echo: "says which turn this is and repeats the last inputs"
        case .webSearch: "a web search, then text with a url citation"
        case .fileSearch: "a file search, then text with a file citation"
        case .code: "a code interpreter call, then text"
        case .image: "an image generation with partial images: `bytes=` (1024) each"
        case .mcp: "an MCP tool list, an MCP call, then text"
        case .empty: "a message without text"
        }
    }

    /// Finds the scenario that `request` asks for: a marker, else the model's name, else what fits.
    package static func chosen(by request: ResponseRequest) -> Scenario {
        for word in request.directives.words.reversed() {
            if let scenario = Scenario(rawValue: word) { return scenario }
        }
        var name = request.model[...]
        if name.hasSuffix("+ts") { name = name.dropLast(3) }
        if name.hasPrefix("sim-"), let scenario = Scenario(rawValue: String(name.dropFirst(4))) {
            return scenario
        }
        if request.body["text"]?["format"]?["type"]?.string == "json_schema" { return .structured }
        return .markdown
    }
}
