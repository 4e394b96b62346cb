// The response itself: its progress, and its end with the items that it repeats.

extension ResponsesReducer {
    mutating func report(
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
    static func outcome(
        of response: JSONValue?, _ data: Span<UInt8>
    ) -> ResponseOutcome? {
        outcome(named: response?.member("status", in: data), data)
    }

    private static func outcome(
        named status: JSONValue?, _ data: Span<UInt8>
    ) -> ResponseOutcome? {
        guard let status else { return nil }
        for outcome in [ResponseOutcome.completed, .incomplete, .failed, .cancelled]
        where status.equals(outcome.wireName, in: data) {
            return outcome
        }
        return nil
    }

    mutating func finish(
        _ told: ResponseOutcome, _ response: JSONValue?, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        var end = ResponseEnd(status: told)
        var output: JSONValue?
        var status: JSONValue?
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
            } else if member.hasKey("status", in: data) {
                status = value
            } else if member.hasKey("incomplete_details", in: data) {
                details = value
            } else if member.hasKey("error", in: data) {
                error = value
            }
        }
        // Of the event's name and the status inside, the worse one is true.
        switch (told, Self.outcome(named: status, data)) {
        case (.completed, let inside?): end.status = inside
        case (.incomplete, .failed): end.status = .failed
        case (.incomplete, .cancelled), (.failed, .cancelled): end.status = .cancelled
        case (.completed, nil), (.incomplete, _), (.failed, _), (.cancelled, _): break
        }
        if let reason = details?.member("reason", in: data), reason.kind == .string {
            end.reason = reason.range
        }
        if let error, error.kind != .null { end.error = readError(error, data) }
        if end.status == .failed, end.error == nil { end.error = toldError }

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
