/// When the events of a stream are due.
package struct Pacing: Equatable, Sendable {
    /// Deltas a second; 0 is flat out.
    package var deltasPerSecond: Double = 50
    /// How far a delta may move from its place, as a part of the interval (0…1).
    package var jitter: Double = 0.3
    /// From the request to the first output, in milliseconds.
    package var firstDeltaMilliseconds: Double = 0

    package init() {}

    /// The settings that any marker may carry: `rate=`, `jitter=`, `ttft=`.
    package mutating func apply(_ directives: Directives) {
        if let rate = directives.double("rate"), rate >= 0 { deltasPerSecond = rate }
        if let part = directives.double("jitter") { jitter = min(max(part, 0), 1) }
        if let wait = directives.double("ttft"), wait >= 0 { firstDeltaMilliseconds = wait }
    }

    /// Nanoseconds from the first delta to delta `index`: an even rate that never drifts, moved by jitter.
    package func offset(ofDelta index: Int, _ random: inout SeededRandom) -> UInt64 {
        guard deltasPerSecond > 0 else { return 0 }
        let interval = 1e9 / deltasPerSecond
        let moved = jitter > 0 ? random.unit() * jitter : 0
        let nanoseconds = (Double(index) + moved) * interval
        return nanoseconds < 1e18 ? UInt64(nanoseconds) : UInt64(1e18)
    }
}
