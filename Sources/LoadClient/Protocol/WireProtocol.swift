/// What is spoken over the WebSockets of a run.
///
/// The loop knows none of them: what is sent comes from a ``MessageComposer``, what came is judged by a
/// ``StreamChecker``, both made here.
package enum WireProtocol: String, CaseIterable, Sendable {
    /// The gateway's own, docs/protocol.md.
    case native = "millrace.v1"
    /// The WebSocket mode of OpenAI's Responses API, docs/openai-compatibility.md.
    case openai

    /// Where a gateway speaks it, for URLs that name no path.
    package var defaultPath: String {
        switch self {
        case .native: "/v1/chat"
        case .openai: "/v1/responses"
        }
    }

    /// What is offered in the handshake.
    package var subprotocol: String? {
        switch self {
        case .native: "millrace.v1"
        case .openai: nil
        }
    }

    /// A checker for one reader; texts above the limit are a violation, not checked.
    package func makeChecker(
        maximumResponseBytes: Int, sha256: @escaping ([UInt8]) -> [UInt8]
    ) -> any StreamChecker {
        switch self {
        case .native:
            NativeStreamChecker(maximumResponseBytes: maximumResponseBytes, sha256: sha256)
        case .openai:
            DialectStreamChecker(maximumResponseBytes: maximumResponseBytes, sha256: sha256)
        }
    }

    func makeComposer(_ scenario: Scenario, auth: String?) -> any MessageComposer {
        switch self {
        case .native: NativeComposer(request: scenario.request, auth: auth)
        case .openai:
            DialectComposer(
                request: scenario.request, hasLanes: scenario.messages.inFlight > 1, auth: auth)
        }
    }
}
