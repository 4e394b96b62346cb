/// Reduces the events of one streamed response to what a client is told.
///
/// Knows every documented event of the Responses API and the deviations of compatible servers:
/// missing, repeated or rotating ids, no sequence numbers, interleaved items, deltas without item
/// or part events, indexes that are left out, an empty final `output`. State is keyed by
/// `output_index`; nothing that upstream sent is decoded and encoded again.
///
/// - Invariant: `.finished` is emitted at most once, and nothing after it.
/// - Invariant: each tool call gets exactly one final status, before its `.item` and the end; where the stream
///   breaks off, `SessionMachine` ends those that are open.
/// - Invariant: text is never lost: what deltas did not give is emitted as a delta as soon as
///   another event shows it.
package struct ResponsesReducer {
    private let sharedLimits: Shared<ResponsesLimits>
    var limits: ResponsesLimits { sharedLimits.value }
    /// Takes the key out of the words of errors.
    let mask: KeyMask
    private let reader: JSONReader
    var items: [ResponsesItem] = []
    var parts: [ResponsesTextPart] = []
    /// The item and part that the last event used: nearly always the next one's too.
    var latestItem = 0
    var latestPart = 0
    /// The last event, when it was a delta: nearly always the next one has its shape.
    var template = DeltaTemplate()
    /// Upstream used one `output_index` for several items.
    var sharesIndexes = false
    var progress: ResponseProgress?

    /// What an `error` event has said so far: the end that it announces may never come.
    package internal(set) var toldError: ToldError?
    /// True once the terminal event came; a body that ends before it has broken off.
    package internal(set) var isFinished = false

    /// An event since this was last cleared told an error, or is of a kind that nobody knows: its words may hold the
    /// key, and are to be masked where the event goes on as it is.
    package var mayHoldKey = false

    /// Makes a reducer for one response of an upstream.
    package init(limits: ResponsesLimits, mask: KeyMask = KeyMask()) {
        self.init(shared: Shared(limits), mask: mask)
    }

    /// The same, with the limits of nearly all.
    package init(mask: KeyMask = KeyMask()) { self.init(shared: Self.usualLimits, mask: mask) }

    private static let usualLimits = Shared(ResponsesLimits())

    private init(shared limits: Shared<ResponsesLimits>, mask: KeyMask) {
        sharedLimits = limits
        self.mask = mask
        reader = JSONReader(maximumDepth: limits.value.maximumDepth)
    }

    /// Takes the data of one event; emits what it means, in order.
    ///
    /// `lead` is how the event was written up to its data, where the event stream's parser knows: `skim` goes by it.
    ///
    /// An error means that the stream cannot be trusted any further; outputs emitted before it, by
    /// the same call too, stand.
    package mutating func reduce(
        _ data: Span<UInt8>, lead: Span<UInt8> = Span(), emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        if isFinished || Self.isEmptyEvent(data) { return }
        if let text = template.text(of: data) {
            template.learn(lead)
            return add(text, to: template.target, data, emit)
        }
        template.clear()
        var event = ResponsesEvent()
        let root: JSONValue
        do throws(JSONSyntaxError) {
            root = try reader.read(data) { event.take($0, in: data) }
        } catch {
            throw .invalidJSON(error)
        }
        guard root.kind == .object else { throw .notAnObject }
        guard let name = event.type?.contents else {
            return try noteUntypedError(event, root, data)
        }
        let type = Self.recognise(data, name)
        if case .delta(let kind) = type {
            try delta(event, kind, data, lead: lead, emit)
        } else {
            try reduceRare(event, root, type, data, emit)
        }
    }

    @inline(never)
    private mutating func reduceRare(
        _ event: ResponsesEvent, _ root: JSONValue, _ type: ResponsesEventType,
        _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        switch type {
        case .delta(let kind): try delta(event, kind, data, lead: Span(), emit)
        case .textDone(let kind, let member):
            let text = root.member(member, in: data)?.contents
            try wholeText(event, kind, text, data, emit)
        case .partDone: try partDone(event, data, emit)
        case .summaryPartDone:
            let text = event.part?.member("text", in: data)?.contents
            try wholeText(event, .reasoningSummary, text, data, emit)
        case .toolDelta(let stream): try toolDelta(event, stream, data, emit)
        case .toolDone(let stream):
            let text = root.member(stream.wholeMember, in: data)?.contents
            try wholeArguments(event, stream, text, data, emit)
        case .toolStatus(let status): try toolStatus(event, status, data, emit)
        case .itemAdded: try itemAdded(event, data, emit)
        case .itemDone: try itemDone(event, data, emit)
        case .progress(let progress): report(progress, event.response, data, emit)
        case .terminal(let outcome): try finish(outcome, event.response, data, emit)
        case .responseDone:
            if let outcome = Self.outcome(of: event.response, data) {
                try finish(outcome, event.response, data, emit)
            }
        case .error: noteError(root, data)
        case .redundant: break
        case .forwarded: emit(.upstreamEvent(index: try clientIndex(event, data)))
        case .unknown:
            mayHoldKey = true
            emit(.upstreamEvent(index: try clientIndex(event, data)))
        }
    }

    @inline(__always)
    private static func recognise(_ data: Span<UInt8>, _ name: Range<Int>) -> ResponsesEventType {
        if ByteScan.equal(data, name, "response.output_text.delta") { return .delta(.text) }
        return recogniseOther(data, name)
    }

    @inline(never)
    private static func recogniseOther(
        _ data: Span<UInt8>, _ name: Range<Int>
    ) -> ResponsesEventType {
        guard JSONText.hasEscapes(data, name) else {
            return ResponsesEventType.recognise(data, name)
        }
        let plain = JSONText.decode(data, name)
        return ResponsesEventType.recognise(plain.span, 0..<plain.count)
    }

    /// Whether `data` is `[DONE]`, or nothing.
    @inline(__always)
    private static func isEmptyEvent(_ data: Span<UInt8>) -> Bool {
        if data.count > 0, data[0] == UInt8(ascii: "{") { return false }
        var index = 0
        JSONScan.skipWhitespace(data, &index)
        return index == data.count
            || (index + 6 <= data.count && ByteScan.equal(data, index..<(index + 6), "[DONE]"))
    }
}
