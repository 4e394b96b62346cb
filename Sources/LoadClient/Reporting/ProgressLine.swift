/// The one line that a person watches while the load runs.
package struct ProgressLine {
    let stage: String
    let latency: String
    let sample: Timeline.Sample
    let errors: Int
    let violations: Int
    let connections: Int
    let active: Int
    let timeLeft: String

    package init(
        stage: String, latency: String, sample: Timeline.Sample, errors: Int, violations: Int,
        connections: Int, active: Int, timeLeft: String
    ) {
        self.stage = stage
        self.latency = latency
        self.sample = sample
        self.errors = errors
        self.violations = violations
        self.connections = connections
        self.active = active
        self.timeLeft = timeLeft
    }

    var text: String {
        let rate = Decimal.grouped(Int(sample.deltasPerSecond))
        // What is wrong comes first, then how long it lasts: a narrow terminal cuts the end.
        var parts = ["errors \(errors)"]
        if violations > 0 { parts.insert("VIOLATIONS \(violations)", at: 0) }
        parts += [
            "\(stage), \(timeLeft)", "\(rate) deltas/s", "\(connections) open", "\(active) active",
        ]
        if sample.maximum > 0 {
            let median = Decimal.duration(nanoseconds: Double(sample.median))
            let p99 = Decimal.duration(nanoseconds: Double(sample.p99))
            parts.append("\(latency) p50 \(median) p99 \(p99)")
        }
        parts.append("cpu \(Decimal.fixed(sample.clientCPU * 100, places: 0))%")
        return parts.joined(separator: " · ")
    }

    package func text(columns: Int) -> String { String(text.prefix(max(10, columns - 1))) }
}
