/// The one line that a person watches while the load runs.
package struct ProgressLine {
    let stage: String
    let sample: Timeline.Sample
    let errors: Int
    let violations: Int
    let connections: Int
    let active: Int
    let secondsLeft: Double

    var text: String {
        let rate = Decimal.grouped(Int(sample.deltasPerSecond))
        var parts = [
            stage, "\(rate) deltas/s", "\(connections) open", "\(active) active",
        ]
        if sample.maximum > 0 {
            let median = Decimal.duration(nanoseconds: Double(sample.median))
            let p99 = Decimal.duration(nanoseconds: Double(sample.p99))
            parts.append("p50 \(median) p99 \(p99)")
        }
        parts.append("errors \(errors)")
        if violations > 0 { parts.append("VIOLATIONS \(violations)") }
        parts.append("cpu \(Decimal.fixed(sample.clientCPU * 100, places: 0))%")
        parts.append("\(Decimal.fixed(secondsLeft, places: 0)) s left")
        return parts.joined(separator: " · ")
    }

    func text(columns: Int) -> String { String(text.prefix(max(10, columns - 1))) }
}
