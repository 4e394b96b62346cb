/// What was counted, and what CPU time it took, between the begin and the end of measuring.
package struct UsageMeter {
    private let sampler: ProcessSampler?
    private var beginCounters = Measurements.Counters()
    private var endCounters: Measurements.Counters?
    private var beganAt: UInt64
    private var endedAt: UInt64?
    private var ownBegin = ProcessSampler.ownCPUSeconds
    private var ownEnd: Double?
    private let serverBefore: ProcessSampler.Reading?
    private var serverBegin: ProcessSampler.Reading?
    private var serverEnd: ProcessSampler.Reading?
    // The newest second, for the timeline.
    private var lastOwn = ProcessSampler.ownCPUSeconds
    private var lastServer: ProcessSampler.Reading?
    /// The largest resident size seen.
    package private(set) var serverPeakBytes = 0

    package init(sampler: ProcessSampler?, now: UInt64) {
        self.sampler = sampler
        beganAt = now
        lastServer = sampler?.read()
        serverBegin = lastServer
        serverBefore = lastServer
    }

    package mutating func begin(_ counters: Measurements.Counters, now: UInt64) {
        beginCounters = counters
        beganAt = now
        ownBegin = ProcessSampler.ownCPUSeconds
        serverBegin = sampler?.read()
    }

    package mutating func end(_ counters: Measurements.Counters, now: UInt64) {
        guard endedAt == nil else { return }
        endCounters = counters
        endedAt = now
        ownEnd = ProcessSampler.ownCPUSeconds
        serverEnd = sampler?.read()
    }

    /// CPU time of client and server since the last call, and the server's resident bytes.
    package mutating func sample() -> (own: Double, server: Double, resident: Int) {
        let own = ProcessSampler.ownCPUSeconds
        defer { lastOwn = own }
        guard let reading = sampler?.read() else { return (own - lastOwn, 0, 0) }
        let spent = reading.cpuSeconds - (lastServer?.cpuSeconds ?? reading.cpuSeconds)
        lastServer = reading
        serverPeakBytes = max(serverPeakBytes, reading.residentBytes)
        return (own - lastOwn, max(0, spent), reading.residentBytes)
    }

    package var seconds: Double { Double((endedAt ?? beganAt) - beganAt) / 1e9 }
    package var deltas: Int { (endCounters?.deltas ?? 0) - beginCounters.deltas }
    package var frames: Int { (endCounters?.frames ?? 0) - beginCounters.frames }
    package var bytes: Int { (endCounters?.bytes ?? 0) - beginCounters.bytes }
    package var responses: Int { (endCounters?.responses ?? 0) - beginCounters.responses }
    package var ownCPUSeconds: Double { (ownEnd ?? ownBegin) - ownBegin }
    package var serverCPUSeconds: Double? {
        guard let serverBegin, let serverEnd else { return nil }
        return serverEnd.cpuSeconds - serverBegin.cpuSeconds
    }
    package var serverResidentBytes: Int? { serverEnd?.residentBytes }

    /// By how much the server has grown since before the first connection.
    package var serverGrowthBytes: Int? {
        guard let serverBefore, let serverEnd else { return nil }
        return serverEnd.residentBytes - serverBefore.residentBytes
    }
}
