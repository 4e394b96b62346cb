/// Where the holes of a full-fidelity event are, and what stands around them.
///
/// Adjacent delta events of one text differ in their `delta` and `sequence_number` only: they share one
/// shape, and the log keeps the texts alone. A class, so that runs that come back share it too.
final class EventShape: Sendable {
    /// The event without the contents of both holes; empty for a single event, whose segment has it.
    let template: [UInt8]
    /// Where the digits of `sequence_number` go; -1 when the event has none.
    let number: Int
    /// Where the contents of `delta` go; -1 for a single event.
    let delta: Int
    /// The event's type, raw, without its quotes.
    let type: Range<Int>

    init(template: [UInt8], number: Int, delta: Int, type: Range<Int>) {
        self.template = template
        self.number = number
        self.delta = delta
        self.type = type
    }

    /// The contents of `delta` of an event that differs from this shape in its holes only; nil for any other.
    ///
    /// As upstream wrote it: such an event, and that are nearly all deltas of a text, is not cut. It is compared, as
    /// the reducer did (decision 52).
    func text(of data: Span<UInt8>) -> Range<Int>? {
        guard number >= 0, delta >= 0 else { return nil }
        let bytes = template
        let template = bytes.span
        let isNumberFirst = number < delta
        let first = isNumberFirst ? number : delta
        let second = isNumberFirst ? delta : number
        var at = first
        guard ByteScan.isSame(template, 0, data, 0, count: first),
            isNumberFirst
                ? JSONScan.skipWholeNumber(data, &at) : JSONScan.skipContents(data, &at),
            ByteScan.isSame(template, first, data, at, count: second - first)
        else { return nil }
        var text = first..<at
        at += second - first
        let start = at
        guard
            isNumberFirst
                ? JSONScan.skipContents(data, &at) : JSONScan.skipWholeNumber(data, &at),
            data.count - at == template.count - second,
            ByteScan.isSame(template, second, data, at, count: template.count - second)
        else { return nil }
        if isNumberFirst { text = start..<at }
        return text
    }
}

/// Cuts the holes into one upstream event and holds the result until the next one; kept for its room.
struct EventCutter {
    /// The event on one line, without `obfuscation` and without the contents of its holes.
    private(set) var bytes: [UInt8] = []
    /// As in ``EventShape``, within `bytes`.
    private(set) var number = -1
    private(set) var delta = -1
    private(set) var type = 0..<0
    /// The `response` of a lifecycle event or the `item` of a finished item, within `bytes`.
    private(set) var payload = 0..<0
    private(set) var payloadKind = Payload.none
    private(set) var outputIndex = 0
    /// The contents of `delta`, within the event that was cut.
    private(set) var text = 0..<0

    enum Payload { case none, response, item }

    /// What is left out of the event, and the hole that stays.
    private struct Cut {
        enum Hole { case number, delta, nothing }
        var range: Range<Int>
        var hole: Hole
    }

    /// Takes an event that the reducer has accepted: valid JSON, an object, with a `type` unless it is an error.
    mutating func cut(_ data: Span<UInt8>) {
        bytes.removeAll(keepingCapacity: true)
        (number, delta, type, payload, payloadKind) = (-1, -1, 0..<0, 0..<0, .none)
        (outputIndex, text) = (0, 0..<0)
        let root = Self.root(of: data)
        var typeAt = 0..<0
        var response: Range<Int>?
        var item: Range<Int>?
        var numberCut: Range<Int>?
        var deltaCut: Range<Int>?
        var obfuscation: Range<Int>?
        root.forEachMember(in: data) { member in
            let value = member.value
            switch (member.key.count, value.kind) {
            case (4, .string) where member.hasKey("type", in: data):
                typeAt = value.contents ?? typeAt
            case (4, .object) where member.hasKey("item", in: data): item = value.range
            case (5, .string) where member.hasKey("delta", in: data): deltaCut = value.contents
            case (8, .object) where member.hasKey("response", in: data): response = value.range
            case (11, .string) where member.hasKey("obfuscation", in: data):
                obfuscation = Self.memberRange(member, of: root, in: data)
            case (12, .number) where member.hasKey("output_index", in: data):
                outputIndex = Int(clamping: value.integer(in: data) ?? 0)
            case (15, _) where member.hasKey("sequence_number", in: data): numberCut = value.range
            default: break
            }
        }
        // An object that is asked for later must be found again: its event is no piece of a run.
        if response != nil || item != nil { deltaCut = nil }
        var cuts: [Cut] = []
        if let numberCut { cuts.append(Cut(range: numberCut, hole: .number)) }
        if let deltaCut { cuts.append(Cut(range: deltaCut, hole: .delta)) }
        if let obfuscation { cuts.append(Cut(range: obfuscation, hole: .nothing)) }
        text = deltaCut ?? text
        copy(data, root.range, cuts)
        type = moved(typeAt, cuts, from: root.range.lowerBound)
        // A finished item is told from a beginning one by the event's type.
        if let response {
            payload = moved(response, cuts, from: root.range.lowerBound)
            payloadKind = .response
        } else if let item, ByteScan.equal(data, typeAt, "response.output_item.done") {
            payload = moved(item, cuts, from: root.range.lowerBound)
            payloadKind = .item
        }
        if numberCut == nil { appendNumberHole() }
    }

    private static func root(of data: Span<UInt8>) -> JSONValue {
        var start = 0
        JSONScan.skipWhitespace(data, &start)
        var end = data.count
        while end > start, data[end - 1] != UInt8(ascii: "}") { end -= 1 }
        return JSONValue(kind: .object, range: start..<end)
    }

    /// The member with the comma that belongs to it.
    private static func memberRange(
        _ member: JSONMember, of root: JSONValue, in data: Span<UInt8>
    ) -> Range<Int> {
        var start = member.key.lowerBound - 1
        var end = member.value.range.upperBound
        var before = start - 1
        while before > root.range.lowerBound, data[before] <= 32 { before -= 1 }
        if data[before] == UInt8(ascii: ",") {
            start = before
        } else {
            var after = end
            JSONScan.skipWhitespace(data, &after)
            if after < root.range.upperBound, data[after] == UInt8(ascii: ",") { end = after + 1 }
        }
        return start..<end
    }

    private mutating func copy(_ data: Span<UInt8>, _ range: Range<Int>, _ cuts: [Cut]) {
        var position = range.lowerBound
        for cut in cuts.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            bytes.append(data, position..<cut.range.lowerBound)
            switch cut.hole {
            case .number: number = bytes.count
            case .delta: delta = bytes.count
            case .nothing: break
            }
            position = cut.range.upperBound
        }
        bytes.append(data, position..<range.upperBound)
        // Between values only: a string has no raw line end. An event goes out on one line.
        for index in bytes.indices where bytes[index] == 10 || bytes[index] == 13 {
            bytes[index] = 32
        }
    }

    private func moved(_ range: Range<Int>, _ cuts: [Cut], from start: Int) -> Range<Int> {
        var removed = start
        for cut in cuts where cut.range.upperBound <= range.lowerBound {
            removed += cut.range.count
        }
        return (range.lowerBound - removed)..<(range.upperBound - removed)
    }

    /// Servers that number nothing get numbers all the same: `starting_after` needs them.
    private mutating func appendNumberHole() {
        bytes.removeLast()
        bytes.append(literal: ",\"sequence_number\":")
        number = bytes.count
        bytes.append(UInt8(ascii: "}"))
    }
}
