/// One figure of a report, by the name that thresholds, JSON and `--compare` know.
package struct ReportMetric {
    package let name: String
    package let help: String

    private init(_ name: String, _ help: String) {
        self.name = name
        self.help = help
    }

    /// Whether a report can have a figure named `name`.
    package static func isKnown(_ name: String) -> Bool {
        all.contains { $0.name == name } || latencyNames.contains(name)
    }

    /// Every figure but those of `latency.`; docs/load-testing.md lists the same ones.
    package static var all: [ReportMetric] { rates + totals + processes }

    private static let latencyNames = Set(
        Measurements.Latency.allCases.flatMap { kind in
            latencyFigures.map { "latency.\(kind.rawValue).\($0)" }
        })

    /// What is told of each latency, in microseconds but for the count.
    package static let latencyFigures = [
        "count", "min_us", "mean_us", "p50_us", "p90_us", "p99_us", "p999_us", "max_us",
    ]

    private static var rates: [ReportMetric] {
        [
            .init("rate.deltas_per_s", "Upstream's deltas a second, those of all readers"),
            .init("rate.frames_per_s", "Text frames a second"),
            .init("rate.bytes_per_s", "Bytes read a second"),
            .init("rate.responses_per_s", "Responses that ended, a second"),
            .init("rate.deltas_per_frame", "Deltas in a text frame, on average"),
        ]
    }

    private static var totals: [ReportMetric] {
        [
            .init("totals.violations", "Broken promises"),
            .init("totals.errors", "Failed responses, refusals, failed connects, unasked closes"),
            .init("totals.messages", "Messages sent, each once"),
            .init("totals.unsent", "Messages due that had to wait, and were not sent in time"),
            .init("totals.responses", "Responses that ended"),
            .init("totals.deltas", "Deltas read, merged ones in full"),
            .init("totals.events", "Positions of logs read"),
            .init("totals.frames", "Text frames read"),
            .init("totals.bytes", "Bytes read"),
            .init("totals.connects", "Connections that became ready"),
            .init("totals.reconnects", "Those of them that resumed"),
            .init("totals.connect_failures", "Connections that did not become ready"),
            .init("totals.unexpected_closes", "Connections that the server ended"),
            .init("totals.drops", "Connections dropped on purpose, to resume"),
            .init("totals.cancels", "Responses cancelled, in whichever way"),
            .init("totals.left_behind", "Responses left by closing or resetting"),
            .init("totals.timestamps", "Timestamps of upstream read"),
            .init("connections.peak", "Connections open at once, at most"),
        ]
    }

    private static var processes: [ReportMetric] {
        [
            .init("client.cpu_share", "Part of a core that the client took"),
            .init("client.cpu_peak_share", "The same in its busiest second"),
            .init("client.cpu_us_per_delta", "Its CPU time for each delta"),
            .init("server.cpu_share", "Part of a core that the server took"),
            .init("server.cpu_us_per_delta", "Its CPU time for each delta read here"),
            .init("server.resident_bytes", "Its memory at the end of the measured time"),
            .init(
                "server.resident_growth_bytes_per_connection",
                "By how much it had grown since before the first connection, for each at the peak"),
            .init("server.resident_peak_bytes", "Its memory at most"),
        ]
    }
}
