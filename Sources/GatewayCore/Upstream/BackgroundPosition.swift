/// Where a background response is in its stream, so that another connection can go on from there; pure.
///
/// Events are told apart by upstream's `sequence_number`, and where they have none by their place.
package struct BackgroundPosition: Equatable, Sendable {
    /// Upstream's name for the response; nil until it is told.
    package private(set) var id: String?
    /// Nobody has taken note of that yet.
    private var isNew = false
    /// The `sequence_number` of the last event that was taken, where events have one.
    private var lastNumber: Int64?
    /// Events that were taken.
    private var taken = 0
    /// Events without numbers that the present connection has yet to repeat.
    private var toSkip = 0

    /// Begins before the first event; with the `id` of a response that an earlier process has started.
    package init(id: String? = nil) { self.id = id }

    /// Takes the name that upstream tells; false when there is one already, or it cannot be kept.
    package mutating func name(_ id: String) -> Bool {
        guard self.id == nil, !id.isEmpty, id.utf8.count <= ResumeClaims.maximumResponseBytes
        else { return false }
        self.id = id
        isNew = true
        return true
    }

    /// The name that upstream has told since this was last asked.
    package mutating func takeNewName() -> String? {
        guard isNew else { return nil }
        isNew = false
        return id
    }

    /// Where the response can be fetched; nil while it has no name.
    package var path: String? { id.map(Self.path(of:)) }

    /// Begins a new connection; the path and query of what follows, nil while the response has no name.
    package mutating func reattach() -> String? {
        guard let path else { return nil }
        guard let lastNumber else {
            // Without numbers it comes from the beginning, and what is known is left out.
            toSkip = taken
            return path + "?stream=true"
        }
        return path + "?stream=true&starting_after=\(lastNumber)"
    }

    /// Whether an event came before, on another connection.
    package mutating func isRepeated(_ number: Int64?) -> Bool {
        if let number { return lastNumber.map { number <= $0 } ?? false }
        guard lastNumber == nil, toSkip > 0 else { return false }
        toSkip -= 1
        return true
    }

    /// Counts an event that was understood; one that was not is asked for again.
    package mutating func take(_ number: Int64?) {
        if let number { lastNumber = number }
        taken += 1
    }

    /// The path of a stored response.
    ///
    /// An id becomes one segment of it, whatever upstream or a token calls an id.
    package static func path(of id: String) -> String {
        var path = "/responses/"
        for byte in id.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"):
                path.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                path += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return path
    }
}
