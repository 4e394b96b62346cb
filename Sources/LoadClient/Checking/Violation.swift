/// A broken promise of docs/protocol.md: one of these fails the run.
package struct Violation: Equatable, Sendable, CustomStringConvertible {
    /// Which promise; stable names, used in reports.
    package enum Rule: String, Sendable, CaseIterable {
        case notJSON = "not_json"
        case frame = "frame"
        case malformed = "malformed"
        case beforeReady = "before_ready"
        case gap = "gap"
        case repeated = "repeated"
        case unknownResponse = "unknown_response"
        case afterComplete = "after_complete"
        case completedTwice = "completed_twice"
        case textHash = "text_hash"
        case textTooLong = "text_too_long"
        case deltaCount = "delta_count"
        case resumed = "resumed"
        case notRecovered = "not_recovered"
        case unfinished = "unfinished"
    }

    package let rule: Rule
    package let detail: String

    package init(_ rule: Rule, _ detail: String) {
        self.rule = rule
        self.detail = detail
    }

    package var description: String { "\(rule.rawValue): \(detail)" }

    static func textTooLong(_ maximumBytes: Int) -> Violation {
        Violation(.textTooLong, "text above \(maximumBytes) bytes (limits.response_bytes)")
    }
}
