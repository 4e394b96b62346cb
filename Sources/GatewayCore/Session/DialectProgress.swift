/// Whether the events of a response go on.
package enum DialectStage: Equatable, Sendable {
    case running
    /// It has; `lastSequence` is its last entry's.
    case ended(lastSequence: Int)
    /// They are not kept any more.
    case gone
}

/// How far a response of the dialect is.
package struct DialectProgress: Sendable {
    /// Only the final object is left.
    package var isArchived: Bool
    /// Why there is no event.
    package var refusal: DialectError?
    /// Why the gateway had to end it.
    package var failure: DialectError?
    /// Upstream's head, as far as clients have a use for it.
    package var fields: [UpstreamResponseHead.Field] = []
    /// True once an event has come.
    package var hasBegun = false
    /// The last entry of a response that has ended.
    package var lastSequence: Int?
    package var isBackground = false
    package var isStored = true

    init(isArchived: Bool) { self.isArchived = isArchived }
}
