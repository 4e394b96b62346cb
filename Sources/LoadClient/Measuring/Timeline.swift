/// One line of the report's plots per interval; the interval doubles when there are too many.
package struct Timeline {
    package struct Sample: Equatable {
        /// Seconds since the run began, at the end of the interval.
        package var time = 0.0
        package var seconds = 0.0
        package var deltas = 0
        package var bytes = 0
        package var connections = 0
        package var active = 0
        package var median = UInt64(0)
        package var p99 = UInt64(0)
        package var maximum = UInt64(0)
        package var errors = 0
        package var clientCPUSeconds = 0.0
        package var serverCPUSeconds = 0.0
        package var serverResidentBytes = 0

        package init() {}

        package var deltasPerSecond: Double { seconds > 0 ? Double(deltas) / seconds : 0 }
        package var clientCPU: Double { seconds > 0 ? clientCPUSeconds / seconds : 0 }
        package var serverCPU: Double { seconds > 0 ? serverCPUSeconds / seconds : 0 }
    }

    package static let maximumSamples = 1_200
    package private(set) var samples: [Sample] = []
    private var perSample = 1
    private var pending: [Sample] = []

    package init() {}

    package mutating func add(_ sample: Sample) {
        pending.append(sample)
        guard pending.count >= perSample else { return }
        samples.append(Self.merge(pending))
        pending.removeAll(keepingCapacity: true)
        guard samples.count >= Self.maximumSamples else { return }
        samples = stride(from: 0, to: samples.count, by: 2).map { start in
            Self.merge(Array(samples[start..<min(start + 2, samples.count)]))
        }
        perSample *= 2
    }

    /// Sums what adds up; of latencies the worst, which errs on the honest side.
    private static func merge(_ parts: [Sample]) -> Sample {
        guard var whole = parts.last, parts.count > 1 else { return parts.last ?? Sample() }
        for part in parts.dropLast() {
            whole.seconds += part.seconds
            whole.deltas += part.deltas
            whole.bytes += part.bytes
            whole.errors += part.errors
            whole.median = max(whole.median, part.median)
            whole.p99 = max(whole.p99, part.p99)
            whole.maximum = max(whole.maximum, part.maximum)
            whole.clientCPUSeconds += part.clientCPUSeconds
            whole.serverCPUSeconds += part.serverCPUSeconds
        }
        return whole
    }
}
