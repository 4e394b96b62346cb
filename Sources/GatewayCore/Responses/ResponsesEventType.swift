/// A stream of arguments that upstream sends piece by piece for one kind of tool.
enum ToolStream {
    case functionArguments
    case customInput
    case interpreterCode
    case mcpArguments
    case shellCommand
    case patchDiff

    var kind: String {
        switch self {
        case .functionArguments: "function"
        case .customInput: "custom"
        case .interpreterCode: "code_interpreter"
        case .mcpArguments: "mcp"
        case .shellCommand: "shell"
        case .patchDiff: "apply_patch"
        }
    }

    /// The member of the `.done` event that holds the whole.
    var wholeMember: String {
        switch self {
        case .functionArguments, .mcpArguments: "arguments"
        case .customInput: "input"
        case .interpreterCode: "code"
        case .shellCommand: "command"
        case .patchDiff: "diff"
        }
    }
}

/// What the `type` of an upstream event asks for.
enum ResponsesEventType {
    case delta(DeltaKind)
    /// A text is whole; it stands in `member`.
    case textDone(DeltaKind, member: String)
    case partDone
    case summaryPartDone
    case toolDelta(ToolStream)
    case toolDone(ToolStream)
    /// A hosted tool's status; ``hostedKind(_:)`` tells whose.
    case toolStatus(ToolStatus)
    case itemAdded
    case itemDone
    case progress(ResponseProgress)
    case terminal(ResponseOutcome)
    /// `response.done`, which some servers send instead of or after a terminal event.
    case responseDone
    case error
    /// Carries nothing that another event does not carry too.
    case redundant
    /// Documented, and forwarded as it is.
    case forwarded
    case unknown

    /// Recognises the plain text of a `type`, at `range`.
    static func recognise(_ bytes: Span<UInt8>, _ range: Range<Int>) -> ResponsesEventType {
        func has(_ name: String) -> Bool { ByteScan.equal(bytes, range, name) }
        switch range.count {
        case 5 where has("error"): return .error
        case 9 where has("keepalive"): return .redundant
        case 13 where has("response.done"): return .responseDone
        case 14 where has("response.error"): return .error
        case 15:
            if has("response.queued") { return .progress(.queued) }
            if has("response.failed") { return .terminal(.failed) }
        case 16 where has("response.created"): return .progress(.inProgress)
        case 18:
            if has("response.completed") { return .terminal(.completed) }
            if has("response.cancelled") { return .terminal(.cancelled) }
        case 19:
            if has("response.incomplete") { return .terminal(.incomplete) }
            if has("response.audio.done") { return .redundant }
        case 20:
            if has("response.in_progress") { return .progress(.inProgress) }
            if has("response.audio.delta") { return .delta(.audio) }
        case 21 where has("response.refusal.done"):
            return .textDone(.refusal, member: "refusal")
        case 22 where has("response.refusal.delta"): return .delta(.refusal)
        case 25 where has("response.output_text.done"): return .textDone(.text, member: "text")
        case 26:
            if has("response.output_text.delta") { return .delta(.text) }
            if has("response.output_item.done") { return .itemDone }
        default: break
        }
        return recogniseLong(bytes, range)
    }

    private static func recogniseLong(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) -> ResponsesEventType {
        for (name, type) in table where name.utf8.count == range.count {
            if ByteScan.equal(bytes, range, name) { return type }
        }
        return hostedStatus(bytes, range) ?? .unknown
    }

    private static let table: [(String, ResponsesEventType)] = [
        ("response.reasoning_text.delta", .delta(.reasoning)),
        ("response.reasoning_text.done", .textDone(.reasoning, member: "text")),
        ("response.reasoning_summary_text.delta", .delta(.reasoningSummary)),
        ("response.reasoning_summary_text.done", .textDone(.reasoningSummary, member: "text")),
        ("response.audio.transcript.delta", .delta(.audioTranscript)),
        ("response.audio.transcript.done", .textDone(.audioTranscript, member: "transcript")),
        ("response.function_call_arguments.delta", .toolDelta(.functionArguments)),
        ("response.function_call_arguments.done", .toolDone(.functionArguments)),
        ("response.custom_tool_call_input.delta", .toolDelta(.customInput)),
        ("response.custom_tool_call_input.done", .toolDone(.customInput)),
        ("response.code_interpreter_call_code.delta", .toolDelta(.interpreterCode)),
        ("response.code_interpreter_call_code.done", .toolDone(.interpreterCode)),
        ("response.mcp_call_arguments.delta", .toolDelta(.mcpArguments)),
        ("response.mcp_call_arguments.done", .toolDone(.mcpArguments)),
        ("response.shell_call_command.added", .redundant),
        ("response.shell_call_command.delta", .toolDelta(.shellCommand)),
        ("response.shell_call_command.done", .toolDone(.shellCommand)),
        ("response.apply_patch_call_operation_diff.delta", .toolDelta(.patchDiff)),
        ("response.apply_patch_call_operation_diff.done", .toolDone(.patchDiff)),
        ("response.output_item.added", .itemAdded),
        ("response.output_item.done", .itemDone),
        ("response.content_part.added", .redundant),
        ("response.content_part.done", .partDone),
        ("response.reasoning_summary_part.added", .redundant),
        ("response.reasoning_summary_part.done", .summaryPartDone),
        ("response.output_text.annotation.added", .forwarded),
        ("response.image_generation_call.partial_image", .forwarded),
        ("response.mcp_list_tools.in_progress", .forwarded),
        ("response.mcp_list_tools.completed", .forwarded),
        ("response.mcp_list_tools.failed", .forwarded),
        ("response.compaction.compacting", .forwarded),
        ("response.shell_call_output_content.delta", .forwarded),
        ("response.shell_call_output_content.done", .forwarded),
    ]

    /// `response.X_call.STATUS`, with a status word that is known.
    private static func hostedStatus(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) -> ResponsesEventType? {
        guard let kind = hostedKind(bytes, range) else { return nil }
        var word = kind.upperBound
        while bytes[word] != UInt8(ascii: ".") { word += 1 }
        for status in ToolStatus.allCases
        where ByteScan.equal(bytes, (word + 1)..<range.upperBound, status.wireName) {
            return .toolStatus(status)
        }
        return nil
    }

    /// The kind of tool in `response.KIND_call.STATUS`.
    static func hostedKind(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        let prefix = "response."
        let start = range.lowerBound + prefix.utf8.count
        guard start < range.upperBound, ByteScan.equal(bytes, range.lowerBound..<start, prefix)
        else { return nil }
        var dot = start
        while dot < range.upperBound, bytes[dot] != UInt8(ascii: ".") { dot += 1 }
        return dot < range.upperBound ? toolKind(bytes, start..<dot) : nil
    }

    /// The kind of tool call that an item type names: what stands before `_call` or `_tool_call`.
    static func toolKind(_ bytes: Span<UInt8>, _ type: Range<Int>) -> Range<Int>? {
        for suffix in ["_tool_call", "_call"] {
            let end = type.upperBound - suffix.utf8.count
            if end > type.lowerBound, ByteScan.equal(bytes, end..<type.upperBound, suffix) {
                return type.lowerBound..<end
            }
        }
        return nil
    }
}
