/// A text cut into the deltas that carry it.
///
/// Kept escaped for JSON, so that a delta costs one copy and no encoding.
package struct TextPieces: Sendable {
    /// The whole text, escaped.
    private let escaped: [UInt8]
    /// Where each piece ends in `escaped`.
    private var ends: [Int32]

    package var count: Int { ends.count }

    /// Cuts `text` into pieces about as long as a model's tokens: a word with the space before it.
    package init(_ text: String) {
        var escaped: [UInt8] = []
        var ends: [Int32] = []
        var length = 0
        var wasWord = false
        for character in text {
            let isWord = character.isLetter || character.isNumber
            let isWide = character.utf8.count > 2
            let continues = isWord && (wasWord || length == 1 && escaped.last == 0x20)
            if length > 0, isWide || length >= 9 || !continues {
                ends.append(Int32(escaped.count))
                length = 0
            }
            escaped.putEscaped(String(character))
            length += 1
            wasWord = isWord && !isWide
        }
        if length > 0 { ends.append(Int32(escaped.count)) }
        self.escaped = escaped
        self.ends = ends
    }

    /// Keeps the given pieces as they are.
    package init(pieces: [String]) {
        var escaped: [UInt8] = []
        var ends: [Int32] = []
        for piece in pieces {
            escaped.putEscaped(piece)
            ends.append(Int32(escaped.count))
        }
        self.escaped = escaped
        self.ends = ends
    }

    /// The first `count` pieces.
    package func prefix(_ count: Int) -> TextPieces {
        var copy = self
        copy.ends = Array(ends.prefix(count))
        return copy
    }

    /// Appends piece `index`, escaped.
    package func append(_ index: Int, to out: inout [UInt8]) {
        let start = index == 0 ? 0 : Int(ends[index - 1])
        out.append(contentsOf: escaped[start..<Int(ends[index])])
    }
}
