/// Reduces the events of one streamed response to what a client is told.
///
/// Knows every documented event of the Responses API and the deviations of compatible servers:
/// missing, repeated or rotating ids, no sequence numbers, interleaved items, deltas without item
/// or part events, indexes that are left out, an empty final `output`. State is keyed by
/// `output_index`; nothing that upstream sent is decoded and encoded again.
///
/// - Invariant: `.finished` is emitted at most once, and nothing after it.
/// - Invariant: each tool call gets exactly one final status, before its `.item` and the end.
/// - Invariant: text is never lost: what deltas did not give is emitted as a delta as soon as
///   another event shows it.
package struct ResponsesReducer {
    private let limits: ResponsesLimits
    private let reader: JSONReader
    private var items: [ResponsesItem] = []
    private var parts: [ResponsesTextPart] = []
    /// The item and part that the last event used: nearly always the next one's too.
    private var latestItem = 0
    private var latestPart = 0
    /// The last event, when it was a delta: nearly always the next one has its shape.
    private var template = DeltaTemplate()
    /// Upstream used one `output_index` for several items.
    private var sharesIndexes = false
    private var progress: ResponseProgress?
    private var upstreamError: UpstreamError?

    /// What was met on the way.
    package private(set) var counters = ResponsesCounters()
    /// What an `error` event has said so far.
    package var toldError: UpstreamError? { upstreamError }
    /// Whether the terminal event came.
    package private(set) var isFinished = false

    /// Makes a reducer for one response.
    package init(limits: ResponsesLimits = ResponsesLimits()) {
        self.limits = limits
        reader = JSONReader(maximumDepth: limits.maximumDepth)
    }

    /// Takes the data of one event; emits what it means, in order.
    ///
    /// An error means that the stream cannot be trusted any further; outputs emitted before it, by
    /// the same call too, stand.
    package mutating func reduce(
        _ data: Span<UInt8>, emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        if Self.isEmptyEvent(data) {
            counters.emptyEvents += 1
            return
        }
        if isFinished {
            counters.eventsAfterEnd += 1
            return
        }
        if let text = template.text(of: data) { return add(text, to: template.target, data, emit) }
        template.clear()
        var event = ResponsesEvent()
        let root: JSONValue
        do throws(JSONSyntaxError) {
            root = try reader.read(data) { event.take($0, in: data) }
        } catch {
            throw .invalidJSON(error)
        }
        guard root.kind == .object else { throw .notAnObject }
        guard let name = event.type?.contents else { throw .missingType }
        let type = Self.recognise(data, name)
        if case .delta(let kind) = type {
            try delta(event, kind, data, emit)
        } else {
            try reduceRare(event, root, type, data, emit)
        }
    }

    /// Ends the stream, whether it was complete, broke off or is not wanted any more.
    ///
    /// Tool calls that are still open get their final status. Call it once, at the end.
    package mutating func endOfStream(emit: (ResponsesOutput) -> Void) -> ResponsesStreamEnd {
        if isFinished { return .complete }
        isFinished = true
        closeTools(as: .incomplete, emit)
        return .truncated(upstreamError)
    }

    @inline(never)
    private mutating func reduceRare(
        _ event: ResponsesEvent, _ root: JSONValue, _ type: ResponsesEventType,
        _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        switch type {
        case .delta(let kind): try delta(event, kind, data, emit)
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
            counters.unknownEvents += 1
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

// MARK: Text

extension ResponsesReducer {
    @inline(__always)
    private mutating func delta(
        _ event: ResponsesEvent, _ kind: DeltaKind, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        guard let text = event.delta?.contents else {
            if let delta = event.delta, delta.kind != .null {
                emit(.upstreamEvent(index: try clientIndex(event, data)))
            }
            return
        }
        let item = try item(for: event, role: kind.role, toolKind: "", data)
        let partIndex = try event.part(in: data, limits)
        let part = try part(item, kind, partIndex ?? 0)
        if partIndex == nil { parts[part].isUnindexed = true }
        let target = DeltaTemplate.Target(
            index: items[item].index, kind: kind, part: parts[part].part, place: part)
        template.keep(data, event, text: text, target: target)
        add(text, to: target, data, emit)
    }

    @inline(__always)
    private mutating func add(
        _ text: Range<Int>, to target: DeltaTemplate.Target, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) {
        // Audio is not repeated as a whole anywhere, so there is nothing to compare.
        if target.kind != .audio { parts[target.place].fingerprint.feed(data, text) }
        guard !text.isEmpty else { return }
        emit(.delta(index: target.index, kind: target.kind, part: target.part, text: text))
    }

    /// Emits what `text`, the whole of a part, has more than the deltas gave.
    private mutating func wholeText(
        _ event: ResponsesEvent, _ kind: DeltaKind, _ text: Range<Int>?, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        guard let text else { return }
        let item = try item(for: event, role: kind.role, toolKind: "", data)
        let partIndex = try event.part(in: data, limits)
        try complete(item, kind, [(partIndex ?? 0, text)], data, emit)
    }

    private mutating func partDone(
        _ event: ResponsesEvent, _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        guard let part = event.part, let (kind, text) = Self.text(of: part, data) else { return }
        try wholeText(event, kind, text, data, emit)
    }

    /// The text of a content part, for the types of parts that have deltas.
    private static func text(
        of part: JSONValue, _ data: Span<UInt8>
    ) -> (DeltaKind, Range<Int>)? {
        guard let type = part.member("type", in: data) else { return nil }
        func text(_ member: String, _ kind: DeltaKind) -> (DeltaKind, Range<Int>)? {
            part.member(member, in: data)?.contents.map { (kind, $0) }
        }
        if type.equals("output_text", in: data) { return text("text", .text) }
        if type.equals("refusal", in: data) { return text("refusal", .refusal) }
        if type.equals("reasoning_text", in: data) { return text("text", .reasoning) }
        return nil
    }

    /// Emits what whole texts of an item have more than its deltas gave.
    private mutating func complete(
        _ item: Int, _ kind: DeltaKind?, _ texts: [(part: Int, text: Range<Int>)],
        _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        // Deltas without a part index are all in part 0, whichever part they belong to.
        if let joined = parts.firstIndex(where: {
            $0.item == item && $0.kind == kind && $0.isUnindexed
        }), !texts.isEmpty {
            return complete(joined, texts.map(\.text), data, emit)
        }
        for (partIndex, text) in texts {
            if text.isEmpty, !hasPart(item, kind, partIndex) { continue }
            if let other = strayPart(item, kind, partIndex, text, data) {
                complete(other, [text], data, emit)
            } else {
                complete(try part(item, kind, partIndex), [text], data, emit)
            }
        }
    }

    /// Emits what `texts`, joined, have more than the deltas of a part.
    private mutating func complete(
        _ part: Int, _ texts: [Range<Int>], _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) {
        let mark = texts.count == 1 ? WholeTextMark(data, texts[0]) : nil
        let given = parts[part].fingerprint
        if let mark, let seen = parts[part].seenWhole, seen == (mark, given.units) { return }
        var read = TextFingerprint()
        var rest: [Range<Int>] = []
        for text in texts {
            if let more = given.continuation(of: data, text, read: &read) {
                // Once all that was given has been seen again, everything else is new.
                if !more.isEmpty { rest.append(more) }
            }
        }
        guard read == given else {
            if !parts[part].isMismatched { counters.textMismatches += 1 }
            parts[part].isMismatched = true
            return
        }
        if rest.isEmpty, !parts[part].isMismatched {
            parts[part].seenWhole = mark.map { ($0, given.units) }
        }
        guard !rest.isEmpty, !parts[part].isMismatched else { return }
        counters.textsCompleted += 1
        let index = items[parts[part].item].index
        for text in rest {
            parts[part].fingerprint.feed(data, text)
            if let kind = parts[part].kind {
                emit(.delta(index: index, kind: kind, part: parts[part].part, text: text))
            } else {
                let kind = items[parts[part].item].toolKind
                emit(.toolDelta(index: index, kind: kind, part: parts[part].part, text: text))
            }
        }
    }

    /// A part filled by deltas that named no item, when `text` of another item is its whole.
    ///
    /// Without it, a server that leaves out `output_index` in deltas only would have its text
    /// repeated when the item is done.
    private func strayPart(
        _ item: Int, _ kind: DeltaKind?, _ partIndex: Int, _ text: Range<Int>, _ data: Span<UInt8>
    ) -> Int? {
        if hasPart(item, kind, partIndex) { return nil }
        return parts.firstIndex { part in
            guard part.kind == kind, items[part.item].isUnindexed, part.fingerprint.units > 0 else {
                return false
            }
            var read = TextFingerprint()
            return part.fingerprint.continuation(of: data, text, read: &read) != nil
        }
    }

    private func hasPart(_ item: Int, _ kind: DeltaKind?, _ partIndex: Int) -> Bool {
        parts.contains { $0.item == item && $0.kind == kind && $0.part == partIndex }
    }

    /// The place in `parts` of one text, made when it is new.
    @inline(__always)
    private mutating func part(
        _ item: Int, _ kind: DeltaKind?, _ partIndex: Int
    ) throws(ResponsesFailure) -> Int {
        if latestPart < parts.count {
            let latest = latestPart
            if parts[latest].item == item, parts[latest].kind == kind,
                parts[latest].part == partIndex
            {
                return latest
            }
        }
        return try otherPart(item, kind, partIndex)
    }

    @inline(never)
    private mutating func otherPart(
        _ item: Int, _ kind: DeltaKind?, _ partIndex: Int
    ) throws(ResponsesFailure) -> Int {
        let known = parts.lastIndex {
            $0.item == item && $0.kind == kind && $0.part == partIndex
        }
        if let known {
            latestPart = known
            return known
        }
        guard parts.count < limits.maximumParts else {
            throw .limitExceeded(.parts, limit: limits.maximumParts)
        }
        latestPart = parts.count
        parts.append(ResponsesTextPart(item: item, kind: kind, part: partIndex))
        return latestPart
    }
}

// MARK: Tools

extension ResponsesReducer {
    private mutating func toolDelta(
        _ event: ResponsesEvent, _ stream: ToolStream, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        guard let text = event.delta?.contents else {
            if let delta = event.delta, delta.kind != .null {
                emit(.upstreamEvent(index: try clientIndex(event, data)))
            }
            return
        }
        if try forward(event, data, emit) { return }
        let item = try item(for: event, role: .tool, toolKind: stream.kind, data)
        let part = try part(item, nil, try event.part(in: data, limits) ?? 0)
        parts[part].fingerprint.feed(data, text)
        startTool(item, emit)
        guard !text.isEmpty else { return }
        let known = items[item]
        emit(
            .toolDelta(
                index: known.index, kind: known.toolKind, part: parts[part].part, text: text))
    }

    private mutating func wholeArguments(
        _ event: ResponsesEvent, _ stream: ToolStream, _ text: Range<Int>?, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        guard let text, try !forward(event, data, emit) else { return }
        let item = try item(for: event, role: .tool, toolKind: stream.kind, data)
        startTool(item, emit)
        try complete(item, nil, [(try event.part(in: data, limits) ?? 0, text)], data, emit)
    }

    private mutating func toolStatus(
        _ event: ResponsesEvent, _ status: ToolStatus, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        let type = event.type?.decoded(in: data) ?? []
        guard let range = ResponsesEventType.hostedKind(type.span, 0..<type.count) else { return }
        guard range.count <= limits.maximumIdentifierBytes else {
            throw .limitExceeded(.identifierBytes, limit: limits.maximumIdentifierBytes)
        }
        if try forward(event, data, emit) { return }
        let kind = String(decoding: type[range], as: UTF8.self)
        let item = try item(for: event, role: .tool, toolKind: kind, data)
        if status.isFinal {
            // Told with the finished item, which has the arguments and the output.
            startTool(item, emit)
            items[item].finalStatus = status
        } else if items[item].toolStatus != status {
            emitTool(item, status, emit)
        }
    }

    /// Forwards a tool's event that belongs to an item which is no call, such as a request for
    /// approval: it must not make a call that never was.
    private mutating func forward(
        _ event: ResponsesEvent, _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) -> Bool {
        guard let wireIndex = try event.output(in: data, limits) else { return false }
        if latestItem < items.count, items[latestItem].isTool,
            items[latestItem].wireIndex == wireIndex
        {
            return false
        }
        var isOther = false
        for item in items where item.wireIndex == wireIndex {
            if item.isTool { return false }
            if case .other = item.role { isOther = true }
        }
        guard isOther else { return false }
        emit(.upstreamEvent(index: try clientIndex(event, data)))
        return true
    }

    /// Announces a tool call that nothing has announced yet.
    private mutating func startTool(_ item: Int, _ emit: (ResponsesOutput) -> Void) {
        if items[item].isTool, items[item].toolStatus == nil {
            emitTool(item, .inProgress, emit)
        }
    }

    private mutating func emitTool(
        _ item: Int, _ status: ToolStatus, arguments: Range<Int>? = nil, output: Range<Int>? = nil,
        _ emit: (ResponsesOutput) -> Void
    ) {
        if let earlier = items[item].toolStatus, earlier.isFinal { return }
        items[item].toolStatus = status
        let known = items[item]
        emit(
            .tool(
                ToolUpdate(
                    index: known.index, kind: known.toolKind, status: status,
                    callID: known.callID, name: known.name, arguments: arguments,
                    output: output)))
    }

    /// Gives every open tool call its final status.
    private mutating func closeTools(
        as status: ToolStatus, _ emit: (ResponsesOutput) -> Void
    ) {
        for item in items.indices where items[item].isTool {
            emitTool(item, items[item].finalStatus ?? status, emit)
        }
    }
}

// MARK: Items

extension ResponsesReducer {
    private mutating func itemAdded(
        _ event: ResponsesEvent, _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        let wireIndex = try event.output(in: data, limits)
        guard let value = event.item, value.kind == .object else { return }
        let facts = try ItemFacts(value, in: data, limits: limits)
        let item: Int
        if let known = find(facts, at: wireIndex, adding: true) {
            if items[known].isDone {
                counters.repeatedItems += 1
                return
            }
            item = known
        } else {
            item = try addItem(facts.role, at: wireIndex)
        }
        let isRepeated = items[item].isAnnounced
        learn(item, facts)
        items[item].isAnnounced = true
        if isRepeated { counters.repeatedItems += 1 }
        switch facts.role {
        case .message, .unknown: break
        case .tool: if !isRepeated { emitTool(item, .inProgress, emit) }
        case .reasoning, .other:
            if !isRepeated { emit(.upstreamEvent(index: items[item].index)) }
        }
    }

    private mutating func itemDone(
        _ event: ResponsesEvent, _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        let wireIndex = try event.output(in: data, limits)
        guard let value = event.item, value.kind == .object else { return }
        let facts = try ItemFacts(value, in: data, limits: limits)
        let item: Int
        if let known = find(facts, at: wireIndex, adding: false) {
            if items[known].isDone {
                counters.repeatedItems += 1
                return
            }
            item = known
        } else {
            item = try addItem(facts.role, at: wireIndex)
        }
        try finishItem(item, facts, as: .completed, data, emit)
    }

    /// Tells all that a finished item shows: missing text, the tool's end, the item itself.
    private mutating func finishItem(
        _ item: Int, _ facts: ItemFacts, as status: ToolStatus, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        if !items[item].isDone { learn(item, facts) }
        try completeTexts(item, facts, data, emit)
        guard !items[item].isDone else { return }
        if items[item].isTool {
            let final = facts.finalStatus ?? items[item].finalStatus ?? status
            emitTool(item, final, arguments: facts.arguments, output: facts.output, emit)
        }
        items[item].isDone = true
        emit(.item(index: items[item].index, item: facts.value.range))
    }

    private mutating func completeTexts(
        _ item: Int, _ facts: ItemFacts, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        guard facts.role == .message || facts.role == .reasoning else { return }
        for kind in [DeltaKind.reasoningSummary, .reasoning, .text, .refusal] {
            let source = kind == .reasoningSummary ? facts.summary : facts.content
            var texts: [(part: Int, text: Range<Int>)] = []
            var position = 0
            source?.forEachElement(in: data) { part in
                if kind == .reasoningSummary {
                    if let text = part.member("text", in: data)?.contents {
                        texts.append((position, text))
                    }
                } else if let (found, text) = Self.text(of: part, data), found == kind {
                    texts.append((position, text))
                }
                position += 1
            }
            guard position <= limits.maximumPartIndex + 1 else {
                throw .limitExceeded(.partIndex, limit: limits.maximumPartIndex)
            }
            try complete(item, kind, texts, data, emit)
        }
    }

    private mutating func learn(_ item: Int, _ facts: ItemFacts) {
        items[item].role = facts.role
        items[item].toolKind = facts.toolKind
        if facts.idHash != 0 { items[item].idHash = facts.idHash }
        if let callID = facts.callID { items[item].callID = callID }
        if let name = facts.name { items[item].name = name }
    }

    /// The item that an `item` object of an event belongs to; `nil` when it is a new one.
    private func find(_ facts: ItemFacts, at wireIndex: Int?, adding: Bool) -> Int? {
        func isSame(_ item: ResponsesItem) -> Bool {
            guard item.accepts(facts) else { return false }
            if let callID = item.callID, let other = facts.callID { return callID == other }
            return item.idHash != 0 && item.idHash == facts.idHash
        }
        guard let wireIndex else {
            if let same = items.lastIndex(where: isSame) { return same }
            return adding
                ? nil
                : items.lastIndex { !$0.isDone && $0.accepts(facts) }
        }
        if let same = items.lastIndex(where: { $0.wireIndex == wireIndex && isSame($0) }) {
            return same
        }
        // Ids may rotate: the open item at the index is meant, unless its kind says otherwise.
        return items.lastIndex {
            $0.wireIndex == wireIndex && !$0.isDone && $0.accepts(facts)
        }
    }

    /// The item that an event without an `item` object belongs to, made when it is new.
    @inline(__always)
    private mutating func item(
        for event: ResponsesEvent, role: ItemRole, toolKind: String, _ data: Span<UInt8>
    ) throws(ResponsesFailure) -> Int {
        let wireIndex = try event.output(in: data, limits)
        if let wireIndex, !sharesIndexes, latestItem < items.count,
            items[latestItem].wireIndex == wireIndex,
            items[latestItem].isTool == !toolKind.isEmpty
        {
            return latestItem
        }
        latestItem = try otherItem(wireIndex, role, toolKind, event, data)
        return latestItem
    }

    @inline(never)
    private mutating func otherItem(
        _ wireIndex: Int?, _ role: ItemRole, _ toolKind: String, _ event: ResponsesEvent,
        _ data: Span<UInt8>
    ) throws(ResponsesFailure) -> Int {
        let id = event.itemHash(in: data)
        let isTool = role == .tool
        // Text and arguments are never of one item, whatever the index says.
        func isMeant(_ item: ResponsesItem) -> Bool {
            item.isTool == isTool && (wireIndex == nil || item.wireIndex == wireIndex)
        }
        func fits(_ item: ResponsesItem) -> Bool {
            item.role == role && (role != .tool || item.toolKind == toolKind)
        }
        if wireIndex == nil || sharesIndexes {
            if id != 0, let same = items.lastIndex(where: { isMeant($0) && $0.idHash == id }) {
                return same
            }
            if let open = items.lastIndex(where: { isMeant($0) && !$0.isDone && fits($0) }) {
                return open
            }
        }
        if let wireIndex {
            if let known = items.lastIndex(where: isMeant) { return known }
            let added = try addItem(isTool ? .tool : .unknown, at: wireIndex)
            items[added].toolKind = toolKind
            items[added].idHash = id
            return added
        }
        if let stray = items.lastIndex(where: {
            $0.isUnindexed && !$0.isDone && $0.toolKind == toolKind
                && ($0.isTool || $0.role == .unknown)
        }) {
            return stray
        }
        let added = try addItem(isTool ? .tool : .unknown, at: nil)
        items[added].toolKind = toolKind
        items[added].idHash = id
        items[added].isUnindexed = true
        return added
    }

    /// Adds an item at upstream's index, or at the first free one when that is missing or taken.
    private mutating func addItem(
        _ role: ItemRole, at wireIndex: Int?
    ) throws(ResponsesFailure) -> Int {
        guard items.count < limits.maximumItems else {
            throw .limitExceeded(.items, limit: limits.maximumItems)
        }
        var highest = -1
        var isTaken = wireIndex == nil
        for item in items {
            highest = max(highest, item.index, item.wireIndex)
            if item.wireIndex == wireIndex { sharesIndexes = true }
            if item.index == wireIndex { isTaken = true }
        }
        let free = highest + 1
        items.append(
            ResponsesItem(
                wireIndex: wireIndex ?? free, index: isTaken ? free : wireIndex ?? free,
                role: role))
        latestItem = items.count - 1
        return latestItem
    }

    /// The index for an event that is forwarded.
    private func clientIndex(
        _ event: ResponsesEvent, _ data: Span<UInt8>
    ) throws(ResponsesFailure) -> Int? {
        guard let wireIndex = try event.output(in: data, limits) else { return nil }
        let id = event.itemHash(in: data)
        if sharesIndexes, id != 0,
            let same = items.last(where: { $0.wireIndex == wireIndex && $0.idHash == id })
        {
            return same.index
        }
        return items.last { $0.wireIndex == wireIndex }?.index ?? wireIndex
    }
}

// MARK: The response

extension ResponsesReducer {
    private mutating func report(
        _ told: ResponseProgress, _ response: JSONValue?, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) {
        var id: Range<Int>?
        var model: Range<Int>?
        var status = told
        response?.forEachMember(in: data) { member in
            if member.hasKey("id", in: data) {
                id = member.value.kind == .string ? member.value.range : nil
            } else if member.hasKey("model", in: data) {
                model = member.value.kind == .string ? member.value.range : nil
            } else if member.hasKey("status", in: data) {
                if member.value.equals("queued", in: data) { status = .queued }
            }
        }
        guard progress != status else { return }
        progress = status
        emit(.response(id: id, model: model, status: status))
    }

    /// The outcome that a response object states; `nil` when it is not at its end.
    private static func outcome(
        of response: JSONValue?, _ data: Span<UInt8>
    ) -> ResponseOutcome? {
        guard let status = response?.member("status", in: data) else { return nil }
        for outcome in [ResponseOutcome.completed, .incomplete, .failed, .cancelled]
        where status.equals(outcome.wireName, in: data) {
            return outcome
        }
        return nil
    }

    private mutating func finish(
        _ told: ResponseOutcome, _ response: JSONValue?, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        var end = ResponseEnd(status: told)
        var output: JSONValue?
        var details: JSONValue?
        var error: JSONValue?
        response?.forEachMember(in: data) { member in
            let value = member.value
            if member.hasKey("id", in: data) {
                end.responseID = value.kind == .string ? value.range : nil
            } else if member.hasKey("usage", in: data) {
                end.usage = value.kind == .object ? value.range : nil
            } else if member.hasKey("output", in: data) {
                output = value
            } else if member.hasKey("incomplete_details", in: data) {
                details = value
            } else if member.hasKey("error", in: data) {
                error = value
            }
        }
        // Of the event's name and the status inside, the worse one is true.
        switch (told, Self.outcome(of: response, data)) {
        case (.completed, let inside?): end.status = inside
        case (.incomplete, .failed): end.status = .failed
        case (.incomplete, .cancelled), (.failed, .cancelled): end.status = .cancelled
        case (.completed, nil), (.incomplete, _), (.failed, _), (.cancelled, _): break
        }
        if let reason = details?.member("reason", in: data), reason.kind == .string {
            end.reason = reason.range
        }
        if let error, error.kind != .null { end.error = readError(error, data) }
        if end.status == .failed, end.error == nil { end.error = upstreamError }

        let open: ToolStatus = end.status == .completed ? .completed : .incomplete
        if let output, output.kind == .array {
            try finishItems(output, as: open, data, emit)
        }
        closeTools(as: open, emit)
        isFinished = true
        emit(.finished(end))
    }

    /// Takes the items that the terminal event repeats.
    private mutating func finishItems(
        _ output: JSONValue, as status: ToolStatus, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        var values: [JSONValue] = []
        var count = 0
        output.forEachElement(in: data) { value in
            count += 1
            if count <= limits.maximumItems { values.append(value) }
        }
        guard count <= limits.maximumItems else {
            throw .limitExceeded(.items, limit: limits.maximumItems)
        }
        var facts: [(position: Int, facts: ItemFacts)] = []
        for (position, value) in values.enumerated() where value.kind == .object {
            facts.append((position, try ItemFacts(value, in: data, limits: limits)))
        }
        let matches = match(facts)
        for (place, (position, facts)) in facts.enumerated() {
            if let known = matches[place] {
                try finishItem(known, facts, as: status, data, emit)
            } else {
                let added = try addItem(facts.role, at: position)
                try finishItem(added, facts, as: status, data, emit)
            }
        }
    }

    /// Finds which known item each final item is: by id, then by position, then by order.
    private func match(_ finals: [(position: Int, facts: ItemFacts)]) -> [Int?] {
        var matches: [Int?] = Array(repeating: nil, count: finals.count)
        var isClaimed = Array(repeating: false, count: items.count)
        func claim(_ place: Int, _ item: Int?) {
            guard let item else { return }
            matches[place] = item
            isClaimed[item] = true
        }
        for (place, (_, facts)) in finals.enumerated() {
            let same = items.indices.filter { index in
                let item = items[index]
                guard item.role != .unknown, item.accepts(facts) else { return false }
                if facts.callID != nil, item.callID == facts.callID { return true }
                return facts.idHash != 0 && item.idHash == facts.idHash
            }
            // Some servers give all items one id: then it says nothing.
            if same.count == 1, !isClaimed[same[0]] { claim(place, same[0]) }
        }
        for (place, (position, facts)) in finals.enumerated() where matches[place] == nil {
            claim(
                place,
                items.indices.first {
                    !isClaimed[$0] && items[$0].wireIndex == position && items[$0].accepts(facts)
                })
        }
        for (place, (_, facts)) in finals.enumerated() where matches[place] == nil {
            claim(
                place,
                items.indices.filter { !isClaimed[$0] && items[$0].accepts(facts) }
                    .min { items[$0].index < items[$1].index })
        }
        return matches
    }
}

// MARK: Errors

extension ResponsesReducer {
    /// Keeps what an `error` event says, nested or flat, for the end that follows it.
    private mutating func noteError(_ root: JSONValue, _ data: Span<UInt8>) {
        if let nested = root.member("error", in: data), nested.kind != .null {
            upstreamError = readError(nested, data)
        } else {
            upstreamError = readError(root, data)
        }
    }

    private func readError(_ value: JSONValue, _ data: Span<UInt8>) -> UpstreamError {
        if value.kind == .string {
            return UpstreamError(code: nil, message: bounded(value.decoded(in: data)))
        }
        var type: JSONValue?
        var code: JSONValue?
        var message: JSONValue?
        value.forEachMember(in: data) { member in
            if member.hasKey("type", in: data) {
                type = member.value
            } else if member.hasKey("code", in: data) {
                code = member.value
            } else if member.hasKey("message", in: data) {
                message = member.value
            }
        }
        var text = bounded(code?.decoded(in: data))
        if let code, code.kind == .number {
            var digits: [UInt8] = []
            digits.append(data, code.range)
            text = bounded(digits)
        }
        if text == nil, let type, !type.equals("error", in: data),
            !type.equals("response.error", in: data)
        {
            text = bounded(type.decoded(in: data))
        }
        return UpstreamError(code: text, message: bounded(message?.decoded(in: data)))
    }

    /// Text of at most `maximumErrorBytes`, cut before a character.
    private func bounded(_ text: [UInt8]?) -> String? {
        guard let text else { return nil }
        var end = min(text.count, limits.maximumErrorBytes)
        if end < text.count {
            while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        }
        return String(decoding: text[..<end], as: UTF8.self)
    }
}

extension DeltaKind {
    /// The kind of item that has such text.
    var role: ItemRole {
        switch self {
        case .text, .refusal, .audio, .audioTranscript: .message
        case .reasoning, .reasoningSummary: .reasoning
        }
    }
}
