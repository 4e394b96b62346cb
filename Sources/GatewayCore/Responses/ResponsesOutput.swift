/// What a piece of streamed text is.
package enum DeltaKind: UInt8, CaseIterable, Sendable {
    case text
    case refusal
    case reasoning
    case reasoningSummary
    case audio
    case audioTranscript

    /// The name in the native protocol.
    package var wireName: String {
        switch self {
        case .text: "text"
        case .refusal: "refusal"
        case .reasoning: "reasoning"
        case .reasoningSummary: "reasoning_summary"
        case .audio: "audio"
        case .audioTranscript: "audio_transcript"
        }
    }
}

/// How far a tool call is.
package enum ToolStatus: CaseIterable, Equatable, Sendable {
    case inProgress
    case queued
    case searching
    case interpreting
    case generating
    case calling
    case completed
    case failed
    case incomplete

    /// The name in the native protocol, which is upstream's.
    package var wireName: String {
        switch self {
        case .inProgress: "in_progress"
        case .queued: "queued"
        case .searching: "searching"
        case .interpreting: "interpreting"
        case .generating: "generating"
        case .calling: "calling"
        case .completed: "completed"
        case .failed: "failed"
        case .incomplete: "incomplete"
        }
    }

    /// Whether it is the last one of its call.
    package var isFinal: Bool {
        switch self {
        case .completed, .failed, .incomplete: true
        case .inProgress, .queued, .searching, .interpreting, .generating, .calling: false
        }
    }
}

/// News of one tool call.
package struct ToolUpdate: Equatable, Sendable {
    /// The item's place in the output.
    package var index: Int
    /// The item's type without `_call` or `_tool_call`: plain text, to be escaped when written.
    package var kind: String
    /// How far the call is.
    package var status: ToolStatus
    /// Upstream's `call_id`, raw JSON with its quotes.
    package var callID: [UInt8]?
    /// The function's name, raw JSON with its quotes.
    package var name: [UInt8]?
    /// The whole arguments (or input, code, patch), raw JSON in `data`; only when final.
    package var arguments: Range<Int>?
    /// What the tool gave, where upstream ran it, raw JSON in `data`; only when final.
    package var output: Range<Int>?
}

/// An error that upstream told inside its answer: decoded, without the key, cut to a bounded size.
package struct ToldError: Equatable, Sendable {
    /// The `code` (a number as its digits), else the `type`; `nil` when there was neither.
    package var code: String?
    /// The `message`, for people.
    package var message: String?

    /// States an error.
    package init(code: String?, message: String?) {
        self.code = code
        self.message = message
    }
}

/// How far a response is before its end.
package enum ResponseProgress: Equatable, Sendable {
    case queued
    case inProgress

    /// The name in the native protocol, which is upstream's.
    package var wireName: String {
        switch self {
        case .queued: "queued"
        case .inProgress: "in_progress"
        }
    }
}

/// How a response ended, in upstream's words.
package enum ResponseOutcome: Equatable, Sendable {
    case completed
    case incomplete
    case failed
    case cancelled

    /// The name in the native protocol, which is upstream's.
    package var wireName: String {
        switch self {
        case .completed: "completed"
        case .incomplete: "incomplete"
        case .failed: "failed"
        case .cancelled: "cancelled"
        }
    }
}

/// The terminal event of a response.
package struct ResponseEnd: Equatable, Sendable {
    /// How it ended.
    package var status: ResponseOutcome
    /// `incomplete_details.reason`, raw JSON string in `data`.
    package var reason: Range<Int>?
    /// The response's error, or what an `error` event said before it.
    package var error: ToldError?
    /// The `usage` object, raw JSON in `data`.
    package var usage: Range<Int>?
    /// The response's `id`, raw JSON string in `data`.
    package var responseID: Range<Int>?
}

/// What one upstream event means for a client.
///
/// Ranges point into the `data` of the call that emitted them, and hold raw JSON as upstream wrote
/// it: whole values with quotes and brackets, except `text`, which is a string's contents without
/// its quotes.
package enum ResponsesOutput: Equatable, Sendable {
    /// The response exists, or its status changed.
    case response(id: Range<Int>?, model: Range<Int>?, status: ResponseProgress)
    /// A piece of text; `part` is the content or summary index within the item.
    case delta(index: Int, kind: DeltaKind, part: Int, text: Range<Int>)
    /// A piece of a tool's arguments, code, input, command or patch.
    ///
    /// `kind` is that of ``ToolUpdate``; `part` is the command index of a shell call, else 0.
    case toolDelta(index: Int, kind: String, part: Int, text: Range<Int>)
    /// News of a tool call; exactly one per index is final.
    case tool(ToolUpdate)
    /// A finished output item, whole.
    case item(index: Int, item: Range<Int>)
    /// An event to be forwarded as it is: the whole `data`.
    case upstreamEvent(index: Int?)
    /// The one end of the response; nothing follows.
    case finished(ResponseEnd)
}
