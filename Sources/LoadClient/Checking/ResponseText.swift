/// The text of one response as its deltas bring it: a part for each place in the output.
struct ResponseText {
    private var parts: [(place: Int, text: JoinedText)] = []
    /// Bytes held, escapes counted as written.
    private(set) var rawBytes = 0

    /// Adds a JSON string's inside as it stands on the wire.
    mutating func append(_ piece: Span<UInt8>, at place: Int) {
        rawBytes += piece.count
        if let part = parts.firstIndex(where: { $0.place == place }) {
            parts[part].text.append(piece)
        } else {
            var text = JoinedText()
            text.append(piece)
            parts.append((place, text))
        }
    }

    /// Whether what has come at `place` is what `text` says, or has the same bytes in another order.
    func says(_ text: JoinedText, at place: Int, inAnyOrder: Bool) -> Bool {
        if (parts.first { $0.place == place }?.text ?? JoinedText()).says(text) { return true }
        guard inAnyOrder else { return false }
        var whole: [UInt8] = []
        text.decode(into: &whole)
        return whole.sorted() == decoded(at: place).sorted()
    }

    /// The places that have text, in order.
    var places: [Int] { parts.map(\.place).sorted() }

    /// What has come at `place`, decoded.
    func decoded(at place: Int) -> [UInt8] {
        var text: [UInt8] = []
        parts.first { $0.place == place }?.text.decode(into: &text)
        return text
    }

    /// The whole text: by place, then by arrival.
    var joined: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(rawBytes)
        for part in parts.sorted(by: { $0.place < $1.place }) { part.text.decode(into: &text) }
        return text
    }
}
