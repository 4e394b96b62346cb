/// What a conversation said before this request; bounded, and copied from response to response.
package struct History: Equatable, Sendable {
    package static let maximumTexts = 16
    package static let maximumTextBytes = 4096

    /// How many user messages there were.
    package private(set) var turnCount = 0
    /// The last of them, oldest first, each cut to `maximumTextBytes`.
    package private(set) var lastTexts: [String] = []
    /// Calls that the model made and nobody has answered.
    package var pendingCalls: [String] = []

    package init() {}

    /// The history after the user said `texts`.
    package func appending(_ texts: [String]) -> History {
        var copy = self
        copy.turnCount += texts.count
        for text in texts.suffix(Self.maximumTexts) {
            let kept =
                text.utf8.count <= Self.maximumTextBytes
                ? text
                : String(decoding: Array(text.utf8.prefix(Self.maximumTextBytes)), as: UTF8.self)
            copy.lastTexts.append(kept)
        }
        copy.lastTexts = Array(copy.lastTexts.suffix(Self.maximumTexts))
        return copy
    }

    /// Refuses a request that leaves a call unanswered or answers one that was never made, as OpenAI does.
    package func check(_ input: InputItems) throws(APIError) {
        let answered = Set(input.outputs.map(\.callID))
        for call in pendingCalls where !answered.contains(call) {
            throw .invalid("No tool output found for function call \(call).", param: "input")
        }
        for output in input.outputs
        where !pendingCalls.contains(output.callID) && !input.calls.contains(output.callID) {
            throw .invalid(
                "No tool call found for function call output with call_id \(output.callID).",
                param: "input")
        }
    }
}
