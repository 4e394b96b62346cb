/// How far a response has come, as its object says it.
package enum ResponseStatus: String, Sendable {
    case queued
    case inProgress = "in_progress"
    case completed
    case incomplete
    case failed
    case cancelled
}
