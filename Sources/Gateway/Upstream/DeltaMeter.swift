import GatewayCore
import Telemetry

/// Measures how the deltas of a run come: how many, and with what gaps between them.
struct DeltaMeter {
    private var last: Instant?
    /// Those of the present read.
    private var count = 0

    mutating func add(_ deltas: Int = 1) { count += deltas }

    /// The read is over: all its deltas but the first came with no gap between them.
    mutating func readEnds(at now: Instant, in metrics: GatewayMetrics) {
        guard count > 0 else { return }
        metrics.deltas.increment(by: count)
        if let last {
            metrics.deltaGap.observe(nanoseconds: now.nanoseconds - last.nanoseconds)
        }
        if count > 1 { metrics.deltaGap.observe(nanoseconds: 0, times: count - 1) }
        count = 0
        last = now
    }
}
