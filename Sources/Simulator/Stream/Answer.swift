/// What a scenario decided to say: output items, how it ends, and how fast it comes.
package struct Answer: Sendable {
    /// How the response ends.
    package enum Ending: Equatable, Sendable {
        case completed
        case incomplete(reason: String)
        /// `errorEvent` also sends the `error` event that OpenAI sends before `response.failed`.
        case failed(code: String, message: String, errorEvent: Bool)
    }

    package var items: [OutputItem] = []
    package var ending = Ending.completed
    package var pacing = Pacing()
    /// Texts so long that the terminal event leaves `output` empty, as the ChatGPT backend does.
    package var omitsFinalOutput = false

    package var tokenCount: Int { items.reduce(0) { $0 + $1.tokenCount } }

    package var reasoningTokenCount: Int {
        items.reduce(0) { $1.isReasoning ? $0 + $1.tokenCount : $0 }
    }

    /// The answer as `max_output_tokens` cuts it: the item at the limit ends incomplete, nothing follows.
    package func limited(to maximumTokens: Int) -> Answer {
        guard tokenCount > maximumTokens else { return self }
        var copy = self
        copy.items = []
        var left = maximumTokens
        for var item in items {
            if item.tokenCount <= left {
                left -= item.tokenCount
                copy.items.append(item)
                continue
            }
            var runs: [TextRun] = []
            for run in item.runs where left > 0 {
                runs.append(run.prefix(left))
                left -= min(left, run.count)
            }
            item.runs = runs
            item.isIncomplete = true
            if !runs.isEmpty { copy.items.append(item) }
            break
        }
        copy.ending = .incomplete(reason: "max_output_tokens")
        return copy
    }
}
