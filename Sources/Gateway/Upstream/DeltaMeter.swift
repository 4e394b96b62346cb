import GatewayCore

/// Counts the deltas of a run and the time between them, a read at a time.
struct DeltaMeter {
    /// What one read of upstream's bytes has brought.
    struct Read: Equatable {
        let deltas: Int
        /// Since the read before it that brought some; nil for the first.
        let gapNanoseconds: Int64?
    }

    private var last: Instant?
    private var deltas = 0

    /// Counts deltas of the present read.
    mutating func add(_ count: Int = 1) { deltas += count }

    /// Ends the read; nil when it has brought no delta.
    mutating func takeRead(at now: Instant) -> Read? {
        guard deltas > 0 else { return nil }
        let gap = last.map { now.nanoseconds - $0.nanoseconds }
        defer {
            last = now
            deltas = 0
        }
        return Read(deltas: deltas, gapNanoseconds: gap)
    }
}
