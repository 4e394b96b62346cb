/// What a run found, as values: every rendering and comparison starts here.
package struct RunReport {
    package enum Stop: String, Sendable {
        case finished
        case interrupted
        case violations
        /// Every session gave up after some had been there: the gateway went away.
        case lost
        /// Nobody was ever ready.
        case unavailable
    }

    /// What the run says about the gateway, the worst first.
    package enum Outcome: String, Sendable {
        /// A promise was broken, a threshold failed, or the gateway went away.
        case failed
        /// Nobody was ever ready, so nothing was tried.
        case unreached
        /// A signal ended it before it could show anything but a violation.
        case interrupted
        case passed
    }

    package struct ViolationRecord {
        package let violation: Violation
        package let session: Int
        package let reader: Int
        package let seconds: Double
        package let transcript: [String]
    }

    package struct Metric: Equatable {
        package let name: String
        package let value: Double
    }

    package struct Latency {
        package let kind: Measurements.Latency
        package let histogram: Histogram
    }

    package struct Verdict {
        package let threshold: Threshold
        package let value: Double?
        package var holds: Bool { threshold.holds(for: value) }
    }

    package let scenario: Scenario
    package let startedWallSeconds: Int
    package let stop: Stop
    /// The signal that interrupted it.
    package let signal: Int32?
    package let measuredSeconds: Double
    /// Those that were measured at all.
    package let latencies: [Latency]
    package let metrics: [Metric]
    package let tallies: [(name: String, count: Int)]
    package let samples: [Timeline.Sample]
    package let violations: [ViolationRecord]
    package let violationCount: Int
    package let verdicts: [Verdict]
    package let notes: [String]

    package init(
        scenario: Scenario, startedWallSeconds: Int, stop: Stop, signal: Int32?,
        measuredSeconds: Double,
        measurements: Measurements, metrics: [Metric], samples: [Timeline.Sample],
        violations: [ViolationRecord], violationCount: Int, notes: [String]
    ) {
        self.scenario = scenario
        self.startedWallSeconds = startedWallSeconds
        self.stop = stop
        self.signal = signal
        self.measuredSeconds = measuredSeconds
        latencies = Measurements.Latency.allCases.map { kind in
            Latency(kind: kind, histogram: measurements[kind])
        }.filter { $0.histogram.count > 0 }
        var all = metrics
        for latency in latencies { all += latency.metrics }
        self.metrics = all
        tallies = measurements.tallies.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        self.samples = samples
        self.violations = violations
        self.violationCount = violationCount
        verdicts = scenario.boundingThresholds.map { threshold in
            Verdict(
                threshold: threshold,
                value: all.first { $0.name == threshold.metric }?.value)
        }
        self.notes = notes
    }

    package func metric(_ name: String) -> Double? { metrics.first { $0.name == name }?.value }

    /// A violation comes before everything: who breaks a promise was reached.
    package var outcome: Outcome {
        guard violationCount == 0 else { return .failed }
        switch stop {
        case .unavailable: return .unreached
        case .lost, .violations: return .failed
        case .interrupted: return .interrupted
        case .finished: return verdicts.allSatisfy(\.holds) ? .passed : .failed
        }
    }

    package var passed: Bool { outcome == .passed }
}

extension RunReport.Latency {
    /// The percentiles of the tables and the JSON.
    static let shares: [(name: String, share: Double)] = [
        ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999),
    ]

    fileprivate var metrics: [RunReport.Metric] {
        let prefix = "latency.\(kind.rawValue)."
        var list = [
            RunReport.Metric(name: prefix + "count", value: Double(histogram.count)),
            RunReport.Metric(name: prefix + "min_us", value: Double(histogram.minimum) / 1e3),
            RunReport.Metric(name: prefix + "mean_us", value: histogram.mean / 1e3),
        ]
        for (name, share) in Self.shares {
            let value = Double(histogram.percentile(share)) / 1e3
            list.append(RunReport.Metric(name: "\(prefix)\(name)_us", value: value))
        }
        let maximum = Double(histogram.maximum) / 1e3
        return list + [RunReport.Metric(name: prefix + "max_us", value: maximum)]
    }
}
