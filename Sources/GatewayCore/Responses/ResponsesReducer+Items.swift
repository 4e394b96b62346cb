// Output items: which one an event is about, and what is known of it.

extension ResponsesReducer {
    mutating func itemAdded(
        _ event: ResponsesEvent, _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        let wireIndex = try event.output(in: data, limits)
        guard let value = event.item, value.kind == .object else { return }
        let facts = try ItemFacts(value, in: data, limits: limits)
        let item: Int
        if let known = find(facts, at: wireIndex, adding: true) {
            guard !items[known].isDone else { return }
            item = known
        } else {
            item = try addItem(facts.role, at: wireIndex)
        }
        let isRepeated = items[item].isAnnounced
        learn(item, facts)
        items[item].isAnnounced = true
        guard !isRepeated else { return }
        switch facts.role {
        case .message, .unknown: break
        case .tool: emitTool(item, .inProgress, emit)
        case .reasoning, .other: emit(.upstreamEvent(index: items[item].index))
        }
    }

    mutating func itemDone(
        _ event: ResponsesEvent, _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        let wireIndex = try event.output(in: data, limits)
        guard let value = event.item, value.kind == .object else { return }
        let facts = try ItemFacts(value, in: data, limits: limits)
        let item: Int
        if let known = find(facts, at: wireIndex, adding: false) {
            guard !items[known].isDone else { return }
            item = known
        } else {
            item = try addItem(facts.role, at: wireIndex)
        }
        try finishItem(item, facts, as: .completed, data, emit)
    }

    /// Tells all that a finished item shows: missing text, the tool's end, the item itself.
    mutating func finishItem(
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
        // Each list is gone through once: its text may be most of the event.
        let summary = try texts(of: facts.summary, data) { part in
            part.member("text", in: data)?.contents.map { (.reasoningSummary, $0) }
        }
        let content = try texts(of: facts.content, data) { Self.text(of: $0, data) }
        for kind in [DeltaKind.reasoningSummary, .reasoning, .text, .refusal] {
            let texts = (kind == .reasoningSummary ? summary : content)
                .compactMap { $0.kind == kind ? (part: $0.part, text: $0.text) : nil }
            try complete(item, kind, texts, data, emit)
        }
    }

    /// The texts in a list of parts, with their places in it.
    private func texts(
        of list: JSONValue?, _ data: Span<UInt8>,
        text: (JSONValue) -> (DeltaKind, Range<Int>)?
    ) throws(ResponsesFailure) -> [(part: Int, kind: DeltaKind, text: Range<Int>)] {
        var texts: [(part: Int, kind: DeltaKind, text: Range<Int>)] = []
        var position = 0
        list?.forEachElement(in: data) { part in
            if let (kind, text) = text(part) { texts.append((position, kind, text)) }
            position += 1
        }
        guard position <= limits.maximumPartIndex + 1 else {
            throw .limitExceeded(.partIndex, limit: limits.maximumPartIndex)
        }
        return texts
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
    mutating func item(
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
    mutating func addItem(
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
    func clientIndex(
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
