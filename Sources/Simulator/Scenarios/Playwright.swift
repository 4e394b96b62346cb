/// Writes the answer to a request: the same request, history and seed always give the same answer.
package struct Playwright {
    let request: ResponseRequest
    let history: History
    var random: SeededRandom

    /// The answer of the scenario that `request` chooses.
    ///
    /// `pacing` is the server's own; markers in the request override it.
    package static func answer(
        to request: ResponseRequest, history: History, pacing: Pacing, random: SeededRandom
    ) -> Answer {
        var playwright = Playwright(request: request, history: history, random: random)
        var answer = playwright.write(Scenario.chosen(by: request), pacing)
        answer.pacing.apply(request.directives)
        return answer
    }

    private mutating func write(_ scenario: Scenario, _ pacing: Pacing) -> Answer {
        var answer = Answer(pacing: pacing)
        if !request.input.newestOutputs.isEmpty, scenario != .echo, scenario != .paced {
            answer.items = [message(toolReply)]
            return answer
        }
        switch scenario {
        case .markdown: answer.items = wantedCall.map { [call($0)] } ?? [message(markdown)]
        case .hello: answer.items = [message("Hello! How can I help you today?")]
        case .paced: writePaced(&answer)
        case .long: answer.items = [message(article(request.directives.integer("deltas") ?? 2000))]
        case .reasoning: answer.items = [reasoning(.reasoningSummary), message(markdown)]
        case .rawReasoning: answer.items = [reasoning(.reasoningText), message(markdown)]
        case .function: answer.items = [call(wantedCall ?? firstFunction)]
        case .parallel: answer.items = parallelCalls
        case .customTool: answer.items = [customCall]
        case .structured: answer.items = [message(structured)]
        case .refusal: answer.items = [refusal]
        case .incomplete: writeIncomplete(&answer)
        case .failed: writeFailed(&answer)
        case .quota:
            answer.ending = .failed(
                code: "insufficient_quota", message: APIError.quota.message, errorEvent: true)
        case .unicode: answer.items = [unicode]
        case .echo: answer.items = [message(echo)]
        case .webSearch: answer.items = webSearch
        case .fileSearch: answer.items = fileSearch
        case .code: answer.items = codeInterpreter
        case .image: answer.items = image
        case .mcp: answer.items = mcp
        case .empty: answer.items = [message("")]
        }
        return answer
    }

    mutating func message(_ text: String) -> OutputItem { .message(text, &random) }

    // MARK: endings

    private mutating func writePaced(_ answer: inout Answer) {
        var wish = Directives()
        wish.addSettings(of: request.plainText)
        wish.merge(request.directives)
        answer.pacing.jitter = 0
        answer.pacing.deltasPerSecond = 50
        answer.pacing.apply(wish)
        let count = min(max(wish.integer("deltas") ?? 100, 0), Self.maximumDeltas)
        let bytes = min(max(wish.integer("bytes") ?? 16, 1), Self.maximumDeltaBytes)
        // Longer texts come as several messages, so that no closing event grows beyond bounds.
        let perItem = max(1, Self.maximumItemBytes / bytes)
        var offset = 0
        repeat {
            let text = GeneratedText(
                count: min(perItem, count - offset), pieceBytes: bytes, offset: offset)
            answer.items.append(.message([TextRun(.outputText, .generated(text))], &random))
            offset += perItem
        } while offset < count
        answer.omitsFinalOutput = answer.items.count > 4
    }

    /// Text beyond this goes into another message item.
    static let maximumItemBytes = 1 << 20
    static let maximumDeltas = 1_000_000_000
    static let maximumDeltaBytes = 16 << 20

    private mutating func writeIncomplete(_ answer: inout Answer) {
        var item = message(markdown)
        item.runs = item.runs.map { $0.prefix(request.directives.integer("deltas") ?? 40) }
        item.isIncomplete = true
        answer.items = [item]
        answer.ending = .incomplete(reason: request.directives["reason"] ?? "max_output_tokens")
    }

    private mutating func writeFailed(_ answer: inout Answer) {
        var item = message(markdown)
        item.runs = item.runs.map { $0.prefix(request.directives.integer("deltas") ?? 20) }
        item.isIncomplete = true
        answer.items = [item]
        answer.ending = .failed(
            code: request.directives["code"] ?? "server_error",
            message: "The server had an error while processing your request. Sorry about that!",
            errorEvent: request.directives["error_event"] != "0")
    }

    private var refusal: OutputItem {
        mutating get {
            .message(
                [
                    TextRun(.refusal, "I'm very sorry, but I can't assist with that request.")
                ], &random)
        }
    }
}
