// What the texts of an answer say: deltas, and wholes that complete them.

extension ResponsesReducer {
    @inline(__always)
    mutating func delta(
        _ event: ResponsesEvent, _ kind: DeltaKind, _ data: Span<UInt8>, lead: Span<UInt8>,
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
        template.keep(data, event, text: text, target: target, lead: lead)
        add(text, to: target, data, emit)
    }

    @inline(__always)
    mutating func add(
        _ text: Range<Int>, to target: DeltaTemplate.Target, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) {
        // Audio is not repeated as a whole anywhere, so there is nothing to compare.
        if target.kind != .audio { parts[target.place].fingerprint.feed(data, text) }
        guard !text.isEmpty else { return }
        emit(.delta(index: target.index, kind: target.kind, part: target.part, text: text))
    }

    /// Emits what `text`, the whole of a part, has more than the deltas gave.
    mutating func wholeText(
        _ event: ResponsesEvent, _ kind: DeltaKind, _ text: Range<Int>?, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        guard let text else { return }
        let item = try item(for: event, role: kind.role, toolKind: "", data)
        let partIndex = try event.part(in: data, limits)
        try complete(item, kind, [(partIndex ?? 0, text)], data, emit)
    }

    mutating func partDone(
        _ event: ResponsesEvent, _ data: Span<UInt8>, _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        guard let part = event.part, let (kind, text) = Self.text(of: part, data) else { return }
        try wholeText(event, kind, text, data, emit)
    }

    /// The text of a content part, for the types of parts that have deltas.
    static func text(
        of part: JSONValue, _ data: Span<UInt8>
    ) -> (DeltaKind, Range<Int>)? {
        var type: JSONValue?
        var text: JSONValue?
        var refusal: JSONValue?
        part.forEachMember(in: data) { member in
            if member.hasKey("type", in: data) {
                type = member.value
            } else if member.hasKey("text", in: data) {
                text = member.value
            } else if member.hasKey("refusal", in: data) {
                refusal = member.value
            }
        }
        guard let type else { return nil }
        if type.equals("output_text", in: data) { return text?.contents.map { (.text, $0) } }
        if type.equals("refusal", in: data) { return refusal?.contents.map { (.refusal, $0) } }
        if type.equals("reasoning_text", in: data) {
            return text?.contents.map { (.reasoning, $0) }
        }
        return nil
    }

    /// Emits what whole texts of an item have more than its deltas gave.
    mutating func complete(
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
    mutating func complete(
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
            parts[part].isMismatched = true
            return
        }
        if rest.isEmpty, !parts[part].isMismatched {
            parts[part].seenWhole = mark.map { ($0, given.units) }
        }
        guard !rest.isEmpty, !parts[part].isMismatched else { return }
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
    mutating func part(
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

extension DeltaKind {
    /// The kind of item that has such text.
    var role: ItemRole {
        switch self {
        case .text, .refusal, .audio, .audioTranscript: .message
        case .reasoning, .reasoningSummary: .reasoning
        }
    }
}
