import GatewayCore

/// What upstream says before it shows anything: logged once there is something to show, or never.
struct HeldOutputs {
    /// One event of upstream.
    struct Entry {
        /// Nil stands for the event itself, where a session logs those.
        let output: ResponsesOutput?
        let data: [UInt8]
        let at: Instant
    }

    private var entries: [Entry] = []
    private var bytes = 0

    /// What may be held back; beyond it the attempt counts as the one that wins.
    private static let maximumBytes = 64 << 10

    var isEmpty: Bool { entries.isEmpty }

    /// Keeps back what shows nothing; false when there is too much of it.
    mutating func hold(_ output: ResponsesOutput?, _ data: Span<UInt8>, at now: Instant) -> Bool {
        if case .response(_, _, let status) = output, hasTold(status) {
            return true  // A reattached stream tells it again.
        }
        guard bytes + data.count <= Self.maximumBytes else { return false }
        var copy: [UInt8] = []
        copy.append(data)
        entries.append(Entry(output: output, data: copy, at: now))
        bytes += copy.count
        return true
    }

    private func hasTold(_ status: ResponseProgress) -> Bool {
        entries.contains { entry in
            if case .response(_, _, status) = entry.output { true } else { false }
        }
    }

    /// Gives everything out, in order.
    mutating func takeAll() -> [Entry] {
        defer { discard() }
        return entries
    }

    mutating func discard() {
        entries = []
        bytes = 0
    }
}
