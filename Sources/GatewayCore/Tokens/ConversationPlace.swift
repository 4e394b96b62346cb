/// Where a conversation that upstream keeps goes on: what a resume token says of it, for a session that comes after.
package struct ConversationPlace: Sendable, Hashable {
    /// More calls are not named.
    package static let maximumOpenCalls = 32
    /// Nor calls whose ids are longer than this together.
    static let maximumOpenCallBytes = 1024
    /// Nor one whose id alone is longer.
    static let maximumCallIDBytes = 255

    /// The last finished response, by its id at upstream.
    package let response: String
    /// Which upstream has it, by its name in the configuration; nil where there is but one, or nobody knows.
    package let upstream: String?
    /// Its calls that nobody has answered.
    ///
    /// Empty also where they are beyond a limit: without some of them upstream refuses a message as it does without all.
    package let openCalls: [OpenCall]

    /// Names a place; `openCalls` beyond a limit are left out.
    package init(response: String, upstream: String? = nil, openCalls: [OpenCall] = []) {
        self.response = response
        self.upstream = upstream
        self.openCalls = Self.canName(openCalls) ? openCalls : []
    }

    private static func canName(_ calls: [OpenCall]) -> Bool {
        guard calls.count <= maximumOpenCalls else { return false }
        guard calls.allSatisfy({ (1...maximumCallIDBytes).contains($0.id.utf8.count) }) else {
            return false
        }
        return calls.reduce(0) { $0 + $1.id.utf8.count } <= maximumOpenCallBytes
    }
}

/// A call of a tool that the client runs.
package struct OpenCall: Sendable, Hashable {
    /// What is called, and so what kind of output closes the call.
    package enum Kind: UInt8, Sendable {
        case function = 0
        case custom = 1
    }

    package let kind: Kind
    /// Its `call_id`.
    package let id: String

    /// Names a call.
    package init(_ kind: Kind, _ id: String) {
        self.kind = kind
        self.id = id
    }
}
