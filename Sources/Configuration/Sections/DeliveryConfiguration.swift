/// How events become frames.
package struct DeliveryConfiguration: Sendable {
    /// Target size of an outgoing frame; one larger event still goes whole.
    package let frameBytes: Int
    /// Events a reader may be behind before its deltas are merged.
    package let mergeAfterEvents: Int
    /// How long an event may wait for company; zero: not at all.
    package let latencyBudget: Duration

    init(_ keys: inout ConfigurationReader) {
        keys.begin("delivery", "How events become frames.")
        frameBytes = keys.bytes(
            "frame_bytes", in: 1024...1_048_576, default: 65_536,
            "Target size of an outgoing frame. An event larger than that goes in its own.")
        mergeAfterEvents = keys.integer(
            "merge_after_events", in: 1...100_000, default: 64,
            "Events a reader may be behind before adjacent deltas are merged for it, losslessly.")
        latencyBudget = keys.duration(
            "latency_budget_ms", in: 0...50, default: 0,
            "How long an event may wait so that several leave in one frame. 0: it leaves at once.")
    }
}
