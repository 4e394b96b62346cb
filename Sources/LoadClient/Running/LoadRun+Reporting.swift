internal import CommandLineOptions

extension LoadRun {
    /// Once a second: one sample for the plots.
    func takeSample() {
        let usage = meter.sample()
        var sample = Timeline.Sample()
        let previous = sampled
        let counters = measurements.counters
        sample.time = Double(now - startedAt) / 1e9
        sample.seconds = Double(now - sampledAt) / 1e9
        sample.deltas = counters.deltas - previous.deltas
        sample.bytes = counters.bytes - previous.bytes
        sample.errors = counters.errors - previous.errors
        sample.connections = openCount
        sample.active = activeCount
        sample.median = measurements.recent.percentile(0.5)
        sample.p99 = measurements.recent.percentile(0.99)
        sample.maximum = measurements.recent.maximum
        sample.clientCPUSeconds = usage.own
        sample.serverCPUSeconds = usage.server
        sample.serverResidentBytes = usage.resident
        measurements.recent.reset()
        sampled = counters
        sampledAt = now
        newest = sample
        peakConnections = max(peakConnections, openCount)
        if stage == .measured { peakClientCPU = max(peakClientCPU, sample.clientCPU) }
        timeline.add(sample)
    }

    func showProgress() {
        lastProgressAt = now
        let line = ProgressLine(
            stage: stage.rawValue, latency: scenario.followedLatency.rawValue, sample: newest,
            errors: measurements.counters.errors,
            violations: violationCount, connections: openCount, active: activeCount,
            timeLeft: timeLeft)
        switch settings.progress {
        case .none: break
        case .lines: StandardStream.error.write(line.text + "\n")
        case .terminal(let columns):
            StandardStream.error.write("\r" + line.text(columns: columns) + "\u{1B}[K")
        }
    }

    /// Until the end of the measured time; the drain ends as soon as all is answered.
    private var timeLeft: String {
        let ofStage = Double(stageEndsAt > now ? stageEndsAt - now : 0) / 1e9
        let later: Double =
            switch stage {
            case .ramp: scenario.warmupSeconds + scenario.durationSeconds
            case .warmup: scenario.durationSeconds
            case .measured, .drain: 0
            }
        let seconds = Decimal.fixed(ofStage + later, places: 0)
        return stage == .drain ? "at most \(seconds) s" : "\(seconds) s left"
    }

    /// Closes what is open and puts the report together.
    func finish() -> RunReport {
        now = MonotonicClock.now
        if stage != .drain { meter.end(measurements.counters, now: now) }
        takeSample()
        if case .terminal = settings.progress { StandardStream.error.write("\r\u{1B}[K") }
        for connection in connections.compactMap({ $0 }) { end(connection, .close) }
        return RunReport(
            scenario: scenario, startedWallSeconds: startedWallSeconds,
            stop: wasReached || stop == .interrupted ? stop ?? .finished : .unavailable,
            signal: stop == .interrupted ? interruptedBy : nil, measuredSeconds: meter.seconds,
            measurements: measurements, metrics: metrics, samples: timeline.samples,
            violations: violations, violationCount: violationCount, notes: notes)
    }

    private var metrics: [RunReport.Metric] {
        let counters = measurements.counters
        let seconds = max(meter.seconds, 1e-9)
        let deltas = Double(meter.deltas)
        var list: [(String, Double)] = [
            ("rate.deltas_per_s", deltas / seconds),
            ("rate.frames_per_s", Double(meter.frames) / seconds),
            ("rate.bytes_per_s", Double(meter.bytes) / seconds),
            ("rate.responses_per_s", Double(meter.responses) / seconds),
            ("rate.deltas_per_frame", meter.frames > 0 ? deltas / Double(meter.frames) : 0),
            ("totals.violations", Double(violationCount)),
            ("totals.errors", Double(counters.errors)),
            ("totals.messages", Double(counters.messages)),
            ("totals.unsent", Double(unsentCount)),
            ("totals.responses", Double(counters.responses)),
            ("totals.deltas", Double(counters.deltas)),
            ("totals.events", Double(counters.events)),
            ("totals.frames", Double(counters.frames)),
            ("totals.bytes", Double(counters.bytes)),
            ("totals.connects", Double(counters.connects)),
            ("totals.reconnects", Double(counters.reconnects)),
            ("totals.connect_failures", Double(counters.connectFailures)),
            ("totals.unexpected_closes", Double(counters.unexpectedCloses)),
            ("totals.drops", Double(counters.drops)),
            ("totals.cancels", Double(counters.cancels)),
            ("totals.left_behind", Double(counters.leftBehind)),
            ("totals.timestamps", Double(counters.timestamps)),
            ("connections.peak", Double(peakConnections)),
            ("client.cpu_share", meter.ownCPUSeconds / seconds),
            ("client.cpu_peak_share", peakClientCPU),
        ]
        if deltas > 0 {
            list.append(("client.cpu_us_per_delta", meter.ownCPUSeconds * 1e6 / deltas))
        }
        if let server = meter.serverCPUSeconds {
            list.append(("server.cpu_share", server / seconds))
            if deltas > 0 { list.append(("server.cpu_us_per_delta", server * 1e6 / deltas)) }
            list.append(("server.resident_bytes", Double(meter.serverResidentBytes ?? 0)))
            if let growth = meter.serverGrowthBytes, peakConnections > 0 {
                let share = Double(growth) / Double(peakConnections)
                list.append(("server.resident_growth_bytes_per_connection", share))
            }
            list.append(("server.resident_peak_bytes", Double(meter.serverPeakBytes)))
        }
        return list.map { RunReport.Metric(name: $0.0, value: $0.1) }
    }

    private var notes: [String] {
        var notes: [String] = []
        if peakClientCPU > 0.9 {
            notes.append(
                "The client itself was saturated (\(Decimal.fixed(peakClientCPU * 100, places: 0)) %"
                    + " of a core in its busiest second): latencies include its own queue.")
        }
        let counters = measurements.counters
        if scenario.request.timestamps, counters.deltas > 0, counters.timestamps == 0 {
            notes.append(
                "No delta carried a timestamp, so `delivery` could not be measured: upstream is"
                    + " no millrace-sim, or the gateway drops options.metadata.")
        }
        if counters.foreignTimestamps > 0 {
            notes.append(
                "\(counters.foreignTimestamps) timestamps came from another clock: `delivery`"
                    + " needs the simulator on this machine.")
        }
        let failed = counters.connectFailures + counters.unexpectedCloses
        if !wasReached, failed > 0 {
            notes.append(
                "Nobody was ever ready at \(target): \(Decimal.grouped(failed)) attempts failed,"
                    + " the last one with \(lastConnectFailure).")
        }
        if wasReached, unsentCount > 0 {
            notes.append(
                "Messages due and not sent when the time was over: \(Decimal.grouped(unsentCount))."
                    + " Their sessions had no connection, or as many responses as"
                    + " messages.in_flight allows; what they waited is in no latency.")
        }
        if stop == .interrupted {
            notes.append(
                "Interrupted: the report covers the run so far, and what was running was not"
                    + " waited for, so nothing has passed.")
        }
        return notes
    }
}
