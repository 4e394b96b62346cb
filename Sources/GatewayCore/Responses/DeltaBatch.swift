/// Pieces of one text that stood in one chunk of an event stream, event behind event.
///
/// Lies on the stack, and holds places only: whoever takes it is lent the chunk as well.
package struct DeltaBatch {
    /// The item's place in the output.
    package private(set) var index = 0
    /// What the text is.
    package private(set) var kind = DeltaKind.text
    /// The content or summary index within the item.
    package private(set) var part = 0
    /// How many pieces there are.
    package private(set) var count = 0
    /// Bytes of all pieces, as upstream wrote them.
    package private(set) var byteCount = 0
    /// A chunk may hold several batches.
    private var texts: [16 of Range<Int>] = .init(repeating: 0..<0)

    /// Makes an empty batch.
    package init() {}

    /// Whether no other piece has room.
    package var isFull: Bool { count == texts.count }

    /// Where in the chunk the contents of a piece stand, without quotes.
    package subscript(_ piece: Int) -> Range<Int> { texts[piece] }

    /// Empties it, for pieces of another text.
    @inline(__always)
    mutating func begin(index: Int, kind: DeltaKind, part: Int) {
        self.index = index
        self.kind = kind
        self.part = part
        count = 0
        byteCount = 0
    }

    /// Adds a piece.
    ///
    /// - Precondition: it is not full.
    @inline(__always)
    mutating func append(_ text: Range<Int>) {
        texts[count] = text
        count += 1
        byteCount += text.count
    }
}
