import Synchronization

/// A number that only grows, written by one thread and read by any.
///
/// An increment is a load and a store without a locked instruction. Two writers would lose counts,
/// so each shard has its own, and the scrape adds them up.
package final class Counter: Sendable {
    private let total = Atomic<UInt64>(0)

    init() {}

    /// Adds `amount`, of which a negative one counts as 0; only on the owning shard's thread.
    package func increment(by amount: Int = 1) {
        let sum = total.load(ordering: .relaxed) &+ UInt64(max(0, amount))
        total.store(sum, ordering: .relaxed)
    }

    /// The current number, on any thread.
    package var value: UInt64 { total.load(ordering: .relaxed) }
}
