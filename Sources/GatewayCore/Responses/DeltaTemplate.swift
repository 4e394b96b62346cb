/// The last delta event, to recognise the next one by.
///
/// A server writes the deltas of one text from one template: the number and the text differ, every other byte
/// is the same. An event that has the same bytes around lawful values in the same places is lawful JSON and
/// means the same, so it is compared, 16 bytes at a time, and not read member by member (decision 52).
struct DeltaTemplate: Sendable {
    /// What may differ.
    private enum Hole {
        /// The contents of `delta`.
        case text
        /// The contents of a string that nobody looks at.
        case padding
        /// A whole number that nobody looks at.
        case number
    }

    /// Two bytes each: `bytes` is short, and every answer has room for three of them.
    private struct Gap {
        /// Where the value stands in `bytes`, without quotes.
        let start: UInt16
        let end: UInt16
        let hole: Hole

        init(_ place: Range<Int>, _ hole: Hole) {
            start = UInt16(clamping: place.lowerBound)
            end = UInt16(clamping: place.upperBound)
            self.hole = hole
        }
    }

    /// False when the next event has to be read as usual.
    private(set) var isSet = false
    /// Where the text belongs: what clients are told, and the place in the reducer's `parts`.
    private(set) var target = Target(index: 0, kind: .text, part: 0, place: 0)
    private var bytes: [UInt8] = []
    /// In order of their places; here and not in an array, which would be one more memory to reach for.
    private var gaps: [3 of Gap] = .init(repeating: Gap(0..<0, .number))
    private var gapCount = 0

    /// What the deltas are part of.
    struct Target: Sendable {
        let index: Int
        let kind: DeltaKind
        let part: Int
        let place: Int
    }

    /// Longer events are read as usual: nothing of that size is kept a stream.
    private static let maximumBytes = 1024

    /// Forgets the event, because the next one may mean something else.
    mutating func clear() { isSet = false }

    /// Keeps an event that was read: `event` is what it holds, of which `text` is the contents of `delta`.
    mutating func keep(
        _ data: Span<UInt8>, _ event: ResponsesEvent, text: Range<Int>, target: Target
    ) {
        isSet = false
        guard data.count <= Self.maximumBytes else { return }
        gapCount = 0
        insert(Gap(text, .text))
        if let number = event.sequenceNumber, number.kind == .number {
            insert(Gap(number.range, .number))
        }
        if let padding = event.obfuscation?.contents { insert(Gap(padding, .padding)) }
        bytes.removeAll(keepingCapacity: true)
        bytes.append(data)
        self.target = target
        isSet = true
    }

    private mutating func insert(_ gap: Gap) {
        var place = gapCount
        while place > 0, gaps[place - 1].start > gap.start {
            gaps[place] = gaps[place - 1]
            place -= 1
        }
        gaps[place] = gap
        gapCount += 1
    }

    /// The contents of `delta` of an event that differs in its holes only; nil for any other.
    @inline(__always)
    func text(of data: Span<UInt8>) -> Range<Int>? {
        guard isSet else { return nil }
        let bytes = bytes.span
        var text: Range<Int>?
        var known = 0
        var at = 0
        for index in 0..<gapCount {
            let gap = gaps[index]
            let count = Int(gap.start) - known
            guard ByteScan.isSame(bytes, known, data, at, count: count) else { return nil }
            at += count
            known = Int(gap.end)
            let start = at
            switch gap.hole {
            case .number: guard JSONScan.skipWholeNumber(data, &at) else { return nil }
            case .padding: guard JSONScan.skipContents(data, &at) else { return nil }
            case .text:
                guard JSONScan.skipContents(data, &at) else { return nil }
                text = start..<at
            }
        }
        guard data.count - at == bytes.count - known,
            ByteScan.isSame(bytes, known, data, at, count: bytes.count - known)
        else { return nil }
        return text
    }
}
