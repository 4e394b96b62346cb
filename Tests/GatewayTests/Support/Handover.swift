import Foundation

/// One value from one thread to another; the first counts.
final class Handover<Value: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    /// Under the condition's lock.
    private var value: Value?

    func give(_ value: Value) {
        condition.withLock {
            self.value = self.value ?? value
            condition.broadcast()
        }
    }

    /// Waits for the value.
    func take() -> Value {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let value { return value }
            condition.wait()
        }
    }
}
