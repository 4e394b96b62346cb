/// The members of an upstream event that decide what it means, gathered in one scan.
struct ResponsesEvent {
    var type: JSONValue?
    var delta: JSONValue?
    var item: JSONValue?
    var part: JSONValue?
    var response: JSONValue?
    var outputIndex: JSONValue?
    /// `content_index`, `summary_index` or `command_index`: no event has two of them.
    var partIndex: JSONValue?
    var itemID: JSONValue?
    var otherID: JSONValue?
    /// What differs from one delta of a text to the next, besides the text.
    var sequenceNumber: JSONValue?
    var obfuscation: JSONValue?

    /// Notes a member; of duplicates the last one counts.
    @inline(__always)
    mutating func take(_ member: JSONMember, in data: Span<UInt8>) {
        if member.keyHasEscapes { return takeEscaped(member, in: data) }
        take(member.value, as: member.key, of: data)
    }

    @inline(__always)
    private mutating func take(_ value: JSONValue, as key: Range<Int>, of bytes: Span<UInt8>) {
        func has(_ name: String) -> Bool { ByteScan.equal(bytes, key, name) }
        switch key.count {
        case 2 where has("id"): otherID = value
        case 4:
            if has("type") {
                type = value
            } else if has("item") {
                item = value
            } else if has("part") {
                part = value
            }
        case 5 where has("delta"): delta = value
        case 7 where has("item_id"): itemID = value
        case 8 where has("response"): response = value
        case 11 where has("obfuscation"): obfuscation = value
        case 12 where has("output_index"): outputIndex = value
        case 13:
            if has("content_index") || has("summary_index") || has("command_index") {
                partIndex = value
            }
        case 15 where has("sequence_number"): sequenceNumber = value
        default: break
        }
    }

    @inline(never)
    private mutating func takeEscaped(_ member: JSONMember, in data: Span<UInt8>) {
        let key = JSONText.decode(data, member.key)
        take(member.value, as: 0..<key.count, of: key.span)
    }

    /// The `output_index`; `nil` when there is no number.
    @inline(__always)
    func output(
        in data: Span<UInt8>, _ limits: ResponsesLimits
    ) throws(ResponsesFailure) -> Int? {
        try Self.bounded(outputIndex, data, limits.maximumOutputIndex, .outputIndex)
    }

    /// The part index; `nil` when there is no number.
    @inline(__always)
    func part(
        in data: Span<UInt8>, _ limits: ResponsesLimits
    ) throws(ResponsesFailure) -> Int? {
        try Self.bounded(partIndex, data, limits.maximumPartIndex, .partIndex)
    }

    /// A hash of the id of the item that the event belongs to; 0 when it names none.
    func itemHash(in data: Span<UInt8>) -> UInt64 {
        ItemFacts.hash(of: (itemID ?? otherID)?.contents, in: data)
    }

    @inline(__always)
    private static func bounded(
        _ value: JSONValue?, _ data: Span<UInt8>, _ maximum: Int,
        _ limit: ResponsesFailure.Limit
    ) throws(ResponsesFailure) -> Int? {
        guard let value, value.kind == .number else { return nil }
        guard let number = value.integer(in: data), number >= 0, number <= Int64(maximum) else {
            throw .limitExceeded(limit, limit: maximum)
        }
        return Int(number)
    }
}
