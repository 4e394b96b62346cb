/// The last delta event, to recognise the next one by.
///
/// A server writes the deltas of one text from one template: the number and the text differ, every other byte
/// is the same. An event that has the same bytes around lawful values in the same places is lawful JSON and
/// means the same, so it is compared, a vector at a time, and not read member by member (decisions 52 and 55). Where it also
/// came with the same lines around its data, it is not even looked for in the event stream (decision 70).
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
        var start: UInt16
        var end: UInt16
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
    /// How the event is written in the stream: the lines before its data, the data, the line ends behind.
    ///
    /// Without a lead it is the data alone.
    private var bytes: [UInt8] = []
    private var leadCount: UInt16 = 0
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
    /// The end of the data's line, and the blank one.
    private static let lineEnds: [2 of UInt8] = [UInt8(ascii: "\n"), UInt8(ascii: "\n")]

    /// Forgets the event, because the next one may mean something else.
    mutating func clear() { isSet = false }

    /// Keeps an event that was read: `event` is what it holds, of which `text` is the contents of `delta`.
    mutating func keep(
        _ data: Span<UInt8>, _ event: ResponsesEvent, text: Range<Int>, target: Target,
        lead: Span<UInt8>
    ) {
        isSet = false
        guard data.count <= Self.maximumBytes else { return }
        gapCount = 0
        insert(Gap(text, .text))
        if let number = event.sequenceNumber, number.kind == .number {
            insert(Gap(number.range, .number))
        }
        if let padding = event.obfuscation?.contents { insert(Gap(padding, .padding)) }
        write(lead, data)
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

    /// Notes how an event that is written as this one came in the stream, where that was not known yet.
    @inline(__always)
    mutating func learn(_ lead: Span<UInt8>) {
        if leadCount == 0, Self.isKept(lead, bytes.count) { addLead(lead) }
    }

    @inline(never)
    private mutating func addLead(_ lead: Span<UInt8>) {
        let data = bytes
        write(lead, data.span)
    }

    /// Sets what there is to compare with, and moves the gaps, which are places in the data, to where that begins.
    private mutating func write(_ lead: Span<UInt8>, _ data: Span<UInt8>) {
        let isWhole = Self.isKept(lead, data.count)
        leadCount = isWhole ? UInt16(lead.count) : 0
        bytes.removeAll(keepingCapacity: true)
        bytes.reserveCapacity(
            isWhole ? lead.count + data.count + Self.lineEnds.count : data.count)
        if isWhole { bytes.append(lead) }
        bytes.append(data)
        if isWhole { bytes.append(Self.lineEnds.span) }
        for index in 0..<gapCount {
            gaps[index].start += leadCount
            gaps[index].end += leadCount
        }
    }

    /// Whether there is a lead, and room for it before so many bytes of data.
    @inline(__always)
    private static func isKept(_ lead: Span<UInt8>, _ dataCount: Int) -> Bool {
        lead.count > 0 && lead.count + dataCount + lineEnds.count <= maximumBytes
    }

    /// The contents of `delta` of an event that differs in its holes only; nil for any other.
    @inline(__always)
    func text(of data: Span<UInt8>) -> Range<Int>? {
        guard isSet else { return nil }
        let last = leadCount == 0 ? bytes.count : bytes.count - Self.lineEnds.count
        guard let found = match(data, at: 0, from: Int(leadCount), through: last),
            found.end == data.count
        else { return nil }
        return found.text
    }

    /// The contents of `delta` of the event at `start` of a stream, and the place behind the event.
    ///
    /// Nil for one that differs in more than its holes, that has not come whole, or when nothing is known of the lines
    /// around the data.
    @inline(__always)
    func event(in chunk: Span<UInt8>, at start: Int) -> (text: Range<Int>, end: Int)? {
        guard isSet, leadCount > 0 else { return nil }
        return match(chunk, at: start, from: 0, through: bytes.count)
    }

    /// Compares what stands in `data` from `start` on with a part of `bytes`.
    @inline(__always)
    private func match(
        _ data: Span<UInt8>, at start: Int, from first: Int, through last: Int
    ) -> (text: Range<Int>, end: Int)? {
        let bytes = bytes.span
        var text = 0..<0
        var known = first
        var at = start
        for index in 0..<gapCount {
            let gap = gaps[index]
            let count = Int(gap.start) - known
            guard ByteScan.isSame(bytes, known, data, at, count: count) else { return nil }
            at += count
            known = Int(gap.end)
            let value = at
            switch gap.hole {
            case .number: guard JSONScan.skipWholeNumber(data, &at) else { return nil }
            case .padding: guard JSONScan.skipContents(data, &at) else { return nil }
            case .text:
                guard JSONScan.skipContents(data, &at) else { return nil }
                text = value..<at
            }
        }
        guard ByteScan.isSame(bytes, known, data, at, count: last - known) else { return nil }
        return (text, at + last - known)
    }
}
