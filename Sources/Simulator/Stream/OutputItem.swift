/// One output item of a scripted answer: what it is, and the texts that stream within it.
package struct OutputItem: Sendable {
    package enum Kind: Sendable {
        case message(phase: String?)
        case reasoning(encrypted: Bool)
        case functionCall(name: String, callID: String)
        case customCall(name: String, callID: String)
        case webSearch(query: String)
        case fileSearch(query: String)
        case codeInterpreter(container: String, logs: String?)
        case image(partials: [String], result: String)
        case mcpTools(server: String)
        case mcpCall(server: String, name: String, output: String)
    }

    package let kind: Kind
    package let id: String
    package var runs: [TextRun]
    /// Cut short by `max_output_tokens` or a failure.
    package var isIncomplete = false

    package init(_ kind: Kind, id: String, runs: [TextRun] = []) {
        self.kind = kind
        self.id = id
        self.runs = runs
    }

    /// The tokens it counts as.
    package var tokenCount: Int { runs.reduce(0) { $0 + $1.count } }

    package var isReasoning: Bool {
        if case .reasoning = kind { true } else { false }
    }

    /// The call the client must answer before the conversation goes on.
    package var pendingCallID: String? {
        switch kind {
        case .functionCall(_, let callID), .customCall(_, let callID): callID
        default: nil
        }
    }

    static func message(_ text: String, _ random: inout SeededRandom) -> OutputItem {
        message([TextRun(.outputText, text)], &random)
    }

    static func message(_ runs: [TextRun], _ random: inout SeededRandom) -> OutputItem {
        OutputItem(.message(phase: nil), id: random.identifier("msg_"), runs: runs)
    }

    static func call(
        _ name: String, arguments: JSONValue, _ random: inout SeededRandom
    ) -> OutputItem {
        OutputItem(
            .functionCall(name: name, callID: "call_" + random.alphanumeric(24)),
            id: random.identifier("fc_"),
            runs: [TextRun(.functionArguments, arguments.bytes.text)])
    }
}
