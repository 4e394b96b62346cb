/// What operators want to know of a finished response.
package struct ResponseSummary: Equatable, Sendable {
    package var response: Int
    package var id: String
    package var outcome: ResponseOutcome
    package var reason: String?
    package var errorCode: String?
    package var firstEvent: Duration?
    package var firstText: Duration?
    package var total: Duration
    /// For a cancel: from the command to the closed transfer.
    package var cancelToClose: Duration?
    package var textBytes: Int
    package var usage: TokenUsage?
    package var model: String?
    package var upstreamID: String?
}

/// What a response cost, as upstream counts it; what it does not say is 0.
package struct TokenUsage: Equatable, Sendable {
    package var input = 0
    package var cachedInput = 0
    package var output = 0
    package var reasoning = 0

    /// Reads upstream's `usage` object (Responses API, object `response`).
    package init(parsing usage: [UInt8]) {
        let bytes = usage.span
        let object = JSONValue(kind: .object, range: 0..<usage.count)
        func count(_ name: String, of parent: JSONValue?) -> Int {
            guard let value = parent?.member(name, in: bytes)?.integer(in: bytes) else { return 0 }
            return Int(clamping: max(0, value))
        }
        guard usage.first == UInt8(ascii: "{") else { return }
        input = count("input_tokens", of: object)
        output = count("output_tokens", of: object)
        let inputDetails = object.member("input_tokens_details", in: bytes)
        let outputDetails = object.member("output_tokens_details", in: bytes)
        if inputDetails?.kind == .object { cachedInput = count("cached_tokens", of: inputDetails) }
        if outputDetails?.kind == .object {
            reasoning = count("reasoning_tokens", of: outputDetails)
        }
    }
}
