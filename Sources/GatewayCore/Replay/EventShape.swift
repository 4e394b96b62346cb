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
    /// Raw, as upstream wrote them. Nearly every delta of a text is such an event: it is compared with the shape, as in
    /// the reducer, and need not be cut (decision 52).
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

/// Cuts the holes into one upstream event and holds the result until the next one; kept for its storage.
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

    /// Takes an event that the reducer has accepted: valid JSON, an object, with a `type` unless it is an error.
    mutating func cut(_ data: Span<UInt8>) {
        bytes.removeAll(keepingCapacity: true)
        (number, delta, payload, payloadKind) = (-1, -1, 0..<0, .none)
        let root = Self.root(of: data)
        let members = EventMembers(of: root, in: data)
        let cuts = members.cuts
        copy(data, root.range, cuts)
        outputIndex = members.outputIndex
        text = members.delta ?? 0..<0
        type = moved(members.type, cuts, from: root.range.lowerBound)
        // A finished item is told from a beginning one by the event's type.
        if let response = members.response {
            payload = moved(response, cuts, from: root.range.lowerBound)
            payloadKind = .response
        } else if let item = members.item,
            ByteScan.equal(data, members.type, "response.output_item.done")
        {
            payload = moved(item, cuts, from: root.range.lowerBound)
            payloadKind = .item
        }
        if members.number == nil { appendNumberHole() }
    }

    private static func root(of data: Span<UInt8>) -> JSONValue {
        var start = 0
        JSONScan.skipWhitespace(data, &start)
        var end = data.count
        while end > start, data[end - 1] != UInt8(ascii: "}") { end -= 1 }
        return JSONValue(kind: .object, range: start..<end)
    }

    private mutating func copy(
        _ data: Span<UInt8>, _ range: Range<Int>, _ cuts: [EventMembers.Cut]
    ) {
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

    /// Where `range` of the event lies in `bytes`, once what `cuts` names is left out.
    private func moved(
        _ range: Range<Int>, _ cuts: [EventMembers.Cut], from start: Int
    ) -> Range<Int> {
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

/// Where the members of an event stand that the log treats apart.
private struct EventMembers {
    /// What is left out of the event, and the hole that stays.
    struct Cut {
        enum Hole { case number, delta, nothing }
        var range: Range<Int>
        var hole: Hole
    }

    private(set) var type = 0..<0
    private(set) var response: Range<Int>?
    private(set) var item: Range<Int>?
    /// The value of `sequence_number`.
    private(set) var number: Range<Int>?
    /// The contents of `delta`.
    private(set) var delta: Range<Int>?
    private(set) var outputIndex = 0
    private var obfuscation: Range<Int>?

    init(of root: JSONValue, in data: Span<UInt8>) {
        root.forEachMember(in: data) { take($0, of: root, in: data) }
        // An object that is asked for later must be found again: its event is no piece of a run.
        if response != nil || item != nil { delta = nil }
    }

    /// The lengths tell nearly all other keys apart without a look at their bytes.
    private mutating func take(_ member: JSONMember, of root: JSONValue, in data: Span<UInt8>) {
        let value = member.value
        switch (member.key.count, value.kind) {
        case (4, .string) where member.hasKey("type", in: data): type = value.contents ?? type
        case (4, .object) where member.hasKey("item", in: data): item = value.range
        case (5, .string) where member.hasKey("delta", in: data): delta = value.contents
        case (8, .object) where member.hasKey("response", in: data): response = value.range
        case (11, .string) where member.hasKey("obfuscation", in: data):
            obfuscation = Self.memberRange(member, of: root, in: data)
        case (12, .number) where member.hasKey("output_index", in: data):
            outputIndex = Int(clamping: value.integer(in: data) ?? 0)
        case (15, _) where member.hasKey("sequence_number", in: data): number = value.range
        default: break
        }
    }

    var cuts: [Cut] {
        var cuts: [Cut] = []
        if let number { cuts.append(Cut(range: number, hole: .number)) }
        if let delta { cuts.append(Cut(range: delta, hole: .delta)) }
        if let obfuscation { cuts.append(Cut(range: obfuscation, hole: .nothing)) }
        return cuts
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
}
