/// Everything a run counts and times.
package struct Measurements {
    /// A duration that is measured, in the order of the report.
    package enum Latency: String, CaseIterable {
        case connect
        case ready
        case firstText = "first_text"
        case firstTextAdded = "first_text_added"
        case delivery
        case response
        case cancel
        case upstreamClosed = "upstream_closed"
        case reconnect
        case catchUp = "catch_up"
        case sendLag = "send_lag"

        package var meaning: String {
            switch self {
            case .connect: "attempt due → upgraded"
            case .ready: "attempt due → ready, first time"
            case .firstText: "message due → first text"
            case .firstTextAdded: "sent → at upstream, plus first text written there → read"
            case .delivery: "upstream's write → read here"
            case .response: "message due → complete"
            case .cancel: "cancel sent → complete"
            case .upstreamClosed: "cancel arrived → upstream closed, says the gateway"
            case .reconnect: "attempt due → ready, resuming"
            case .catchUp: "hello sent → last missed event"
            case .sendLag: "message due → sent"
            }
        }
    }

    package struct Counters: Equatable {
        package var connects = 0
        package var reconnects = 0
        package var connectFailures = 0
        package var drops = 0
        package var unexpectedCloses = 0
        package var messages = 0
        package var responses = 0
        package var cancels = 0
        package var leftBehind = 0
        package var errors = 0
        package var deltas = 0
        package var events = 0
        package var frames = 0
        package var bytes = 0
        package var timestamps = 0
        package var foreignTimestamps = 0
    }

    package var counters = Counters()
    /// How often each close code, error code or terminal status was seen.
    package private(set) var tallies: [String: Int] = [:]
    private var histograms: [Histogram]
    /// The latency that is followed over time.
    private let followed: Latency
    /// The newest second of it, for progress and the timeline.
    package var recent = Histogram()
    package var isMeasuring = false

    package init(following followed: Latency) {
        self.followed = followed
        histograms = Latency.allCases.map { _ in Histogram() }
    }

    package mutating func tally(_ name: String) {
        // Names come from a server: bounded in number.
        guard tallies[name] != nil || tallies.count < 64 else { return }
        tallies[name, default: 0] += 1
    }

    package mutating func record(_ latency: Latency, _ nanoseconds: UInt64) {
        guard isMeasuring || latency == .connect || latency == .ready else { return }
        histograms[latency.position].record(nanoseconds)
        if latency == followed { recent.record(nanoseconds) }
    }

    package subscript(latency: Latency) -> Histogram { histograms[latency.position] }
}

extension Measurements.Latency {
    fileprivate var position: Int {
        switch self {
        case .connect: 0
        case .ready: 1
        case .firstText: 2
        case .firstTextAdded: 3
        case .delivery: 4
        case .response: 5
        case .cancel: 6
        case .upstreamClosed: 7
        case .reconnect: 8
        case .catchUp: 9
        case .sendLag: 10
        }
    }
}
