import Synchronization

/// A number that goes up and down, written by one thread and read by any.
package final class Gauge: Sendable {
    private let current = Atomic<Int>(0)

    init() {}

    /// Replaces the number; only on the owning shard's thread.
    package func set(_ number: Int) { current.store(number, ordering: .relaxed) }

    /// Adds `amount`, which may be negative; only on the owning shard's thread.
    package func add(_ amount: Int) {
        current.store(current.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// Adds 1; only on the owning shard's thread.
    package func increment() { add(1) }

    /// Takes 1 away; only on the owning shard's thread.
    package func decrement() { add(-1) }

    /// The current number, on any thread.
    package var value: Int { current.load(ordering: .relaxed) }
}
