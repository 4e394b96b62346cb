// Tool calls: their pieces, wholes and states.

extension ResponsesReducer {
    mutating func toolDelta(
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

    mutating func wholeArguments(
        _ event: ResponsesEvent, _ stream: ToolStream, _ text: Range<Int>?, _ data: Span<UInt8>,
        _ emit: (ResponsesOutput) -> Void
    ) throws(ResponsesFailure) {
        guard let text, try !forward(event, data, emit) else { return }
        let item = try item(for: event, role: .tool, toolKind: stream.kind, data)
        startTool(item, emit)
        try complete(item, nil, [(try event.part(in: data, limits) ?? 0, text)], data, emit)
    }

    mutating func toolStatus(
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

    mutating func emitTool(
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
    mutating func closeTools(
        as status: ToolStatus, _ emit: (ResponsesOutput) -> Void
    ) {
        for item in items.indices where items[item].isTool {
            emitTool(item, items[item].finalStatus ?? status, emit)
        }
    }
}
