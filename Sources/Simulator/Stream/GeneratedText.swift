/// Text of any length that is never held in memory: `count` pieces of `pieceBytes` bytes each.
package struct GeneratedText: Sendable {
    package private(set) var count: Int
    package let pieceBytes: Int
    /// The number of the first piece within the whole text, when one text is spread over several items.
    private let offset: Int

    package init(count: Int, pieceBytes: Int, offset: Int = 0) {
        self.count = max(0, count)
        self.pieceBytes = max(0, pieceBytes)
        self.offset = offset
    }

    package func prefix(_ count: Int) -> GeneratedText {
        GeneratedText(count: min(count, self.count), pieceBytes: pieceBytes, offset: offset)
    }

    /// Appends piece `index`; plain ASCII without anything to escape.
    package func append(_ index: Int, to out: inout [UInt8]) {
        let pattern = Self.pattern
        var start = (index + offset) &* pieceBytes % pattern.count
        var left = pieceBytes
        while left > 0 {
            let length = min(left, pattern.count - start)
            out.append(contentsOf: pattern[start..<start + length])
            left -= length
            start = 0
        }
    }

    /// A mill's vocabulary; its length shares no factor with usual piece sizes, so the cuts move along.
    private static let pattern = Array(
        """
        the water turns the wheel and the wheel turns the stone while the miller listens to the \
        steady sound of grain becoming flour below the old beams of the house where the race runs \
        fast and clear over gravel and under the bridge toward the river and then the sea \
        carrying leaves and light past willows in the evening wind that smells of rain
        """.utf8)
}
