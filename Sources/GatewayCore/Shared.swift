/// What many have in common and nobody changes: one object, which each of them refers to.
///
/// Held in place, settings and limits take memory of every session and every answer, which is not in the processor's
/// cache when a delta comes.
package final class Shared<Value: Sendable>: Sendable {
    package let value: Value

    /// Shares `value`.
    package init(_ value: Value) { self.value = value }
}
