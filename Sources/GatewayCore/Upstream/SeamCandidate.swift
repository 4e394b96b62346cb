/// Whether an answer that breaks off could go on at another upstream: what was asked for, and what was shown; pure.
///
/// Only text can be gone on with, after reasoning or without it: docs/decisions/0031-seam.md says why.
package struct SeamCandidate: Equatable, Sendable {
    private let isAllowed: Bool
    private var hasText = false
    private var hasMore = false

    /// Begins with nothing shown.
    ///
    /// `isNative` is false for sessions that log upstream's own events.
    package init(_ request: UpstreamRequestBody, isNative: Bool) {
        isAllowed =
            isNative && !request.isBackground && !request.isTied && !request.wantsStructure
    }

    /// True while nothing but text and reasoning was shown, and some text.
    package var isContinuable: Bool { isAllowed && hasText && !hasMore }

    /// True unless nothing that may yet come would make it continuable.
    package var mayBeContinuable: Bool { isAllowed && !hasMore }

    /// Takes what a client has been shown; ranges point into `data`.
    package mutating func show(_ output: ResponsesOutput, _ data: Span<UInt8>) {
        switch output {
        case .delta(_, .text, _, _): hasText = true
        case .delta(_, .reasoning, _, _), .delta(_, .reasoningSummary, _, _): break
        case .delta, .toolDelta, .tool: hasMore = true
        case .item(_, let item):
            let type = JSONValue(kind: .object, range: item).member("type", in: data)
            let isPlain =
                type?.equals("message", in: data) == true
                || type?.equals("reasoning", in: data) == true
            if !isPlain { hasMore = true }
        // Annotations, and the beginnings of items that show themselves in other outputs.
        case .response, .upstreamEvent, .finished: break
        }
    }
}
