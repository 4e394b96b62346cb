import Synchronization

/// How often a measured duration fell into which bucket; written by one thread and read by any.
///
/// Durations are kept in nanoseconds and shown in seconds.
package final class Histogram: Sendable {
    /// Upper bounds of the buckets, which include them.
    package struct Buckets: Sendable, Equatable {
        /// Ascending, in nanoseconds; at most `maximumCount`.
        let boundsNanoseconds: [Int64]

        static let maximumCount = 31

        /// `seconds` ascending, at most 31.
        package init(seconds: [Double]) {
            boundsNanoseconds = seconds.map { Int64(($0 * 1e9).rounded()) }
            precondition(seconds.count <= Self.maximumCount, "too many buckets")
            precondition(
                zip(boundsNanoseconds, boundsNanoseconds.dropFirst()).allSatisfy(<), "not ascending"
            )
        }

        /// What a person waits for: 5 ms to 2 minutes.
        package static let waiting = Buckets(seconds: [
            0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20,
            30, 60, 120,
        ])
        /// Gaps within a stream: 0.1 ms to 30 s.
        package static let gaps = Buckets(seconds: [
            0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2,
            0.5, 1, 2, 5, 10, 30,
        ])
        /// What the machine does at once: 10 microseconds to 1 s.
        package static let instant = Buckets(seconds: [
            0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025,
            0.1, 1,
        ])
        /// Whole responses: 0.1 s to 1 hour.
        package static let responses = Buckets(seconds: [
            0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 600, 1800, 3600,
        ])
    }

    /// A moment's copy.
    struct Snapshot: Equatable {
        /// One per bound and one above them all; not cumulative.
        var counts: [UInt64]
        var sumNanoseconds: UInt64
    }

    private let buckets: Buckets
    private let counts: [32 of Atomic<UInt64>]
    private let sum = Atomic<UInt64>(0)

    init(_ buckets: Buckets) {
        self.buckets = buckets
        counts = InlineArray { _ in Atomic(0) }
    }

    /// Counts one duration, of which a negative one counts as zero; only on the owning shard's thread.
    package func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        observe(nanoseconds: seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    }

    /// Like `observe(_:)`, for a difference of two clock readings that was met `times` times.
    package func observe(nanoseconds: Int64, times: Int = 1) {
        let amount = max(0, nanoseconds)
        var low = 0
        var high = buckets.boundsNanoseconds.count
        while low < high {
            let middle = (low + high) / 2
            if buckets.boundsNanoseconds[middle] < amount {
                low = middle + 1
            } else {
                high = middle
            }
        }
        let count = UInt64(max(0, times))
        counts[low].store(counts[low].load(ordering: .relaxed) &+ count, ordering: .relaxed)
        sum.store(sum.load(ordering: .relaxed) &+ UInt64(amount) &* count, ordering: .relaxed)
    }

    /// On any thread; an observation in progress may be in one number and not yet in the other.
    var snapshot: Snapshot {
        let number = buckets.boundsNanoseconds.count + 1
        return Snapshot(
            counts: (0..<number).map { counts[$0].load(ordering: .relaxed) },
            sumNanoseconds: sum.load(ordering: .relaxed))
    }
}
