/// What a run does: how many sessions, when they speak, what goes wrong on purpose, what passes.
///
/// Every field has a dotted key (``ScenarioKey``) that a YAML file and `--set` share.
package struct Scenario: Equatable, Sendable {
    /// How a connection is ended by the client.
    package enum Ending: String, CaseIterable, Sendable {
        /// A close frame, then TCP's own goodbye.
        case close
        /// A TCP reset: what a lost network looks like.
        case reset
    }

    package enum CancelBy: String, CaseIterable, Sendable {
        case message, close, reset
    }

    package enum Arrival: String, CaseIterable, Sendable {
        case even, poisson
    }

    /// An inclusive span of milliseconds to draw from.
    package struct Span: Equatable, Sendable {
        package var lowest: Double
        package var highest: Double

        package init(lowest: Double, highest: Double) {
            self.lowest = lowest
            self.highest = highest
        }
    }

    package struct Messages: Equatable, Sendable {
        package var share = 1.0
        package var perSession = 0
        package var perSecond = 0.0
        package var everyMilliseconds = 0.0
        package var thinkMilliseconds = Span(lowest: 0, highest: 0)
        package var spreadMilliseconds = 1_000.0
        package var inFlight = 1
        package var arrival = Arrival.even
        package var duringRamp = false
    }

    package struct Request: Equatable, Sendable {
        package var model = "sim-paced"
        package var input = "deltas=50 rate=50 bytes=20"
        package var timestamps = true
        package var options = ""
        package var expectedDeltas = 0
    }

    package struct Drop: Equatable, Sendable {
        package var share = 0.0
        package var atDeltas: [Int] = []
        package var how = Ending.reset
        package var awayMilliseconds = Span(lowest: 100, highest: 100)
    }

    package struct Storm: Equatable, Sendable {
        package var everySeconds = 0.0
        package var share = 1.0
        package var how = Ending.reset
        package var awayMilliseconds = Span(lowest: 0, highest: 0)
    }

    package struct Cancel: Equatable, Sendable {
        package var share = 0.0
        package var atDeltas = 5
        package var how = CancelBy.message
    }

    package struct Slow: Equatable, Sendable {
        package var share = 0.0
        package var bytesPerSecond = 1_024
        package var receiveBufferBytes = 4_096
    }

    package struct Limits: Equatable, Sendable {
        package var responseTimeoutSeconds = 60.0
        package var connectTimeoutSeconds = 10.0
        package var frameBytes = 16 << 20
        package var responseBytes = 16 << 20
        package var transcriptBytes = 4_096
        package var connectsInFlight = 256
        package var reconnects = 20
        package var violations = 10
    }

    package var name = "flags"
    package var description = ""
    package var wireProtocol = WireProtocol.native
    /// Without a path, the protocol's own.
    package var url = "ws://127.0.0.1:8080"
    package var sessions = 10
    package var readers = 1
    package var durationSeconds = 10.0
    package var rampSeconds = 1.0
    package var warmupSeconds = 0.0
    package var drainSeconds = 30.0
    package var sources = 0
    package var seed = 1
    package var messages = Messages()
    package var request = Request()
    package var drop = Drop()
    package var storm = Storm()
    package var cancel = Cancel()
    package var slow = Slow()
    package var limits = Limits()
    package var thresholds: [Threshold] = []

    package init() {}

    /// Idle scenarios only hold their connections.
    package var sendsMessages: Bool { !request.input.isEmpty }

    package var connections: Int { sessions * readers }

    /// What progress and plots show over time: without timestamps nothing is known of single deltas.
    package var followedLatency: Measurements.Latency {
        request.timestamps ? .delivery : .firstText
    }

    /// What must hold: where no threshold bounds the errors, there may be none.
    package var boundingThresholds: [Threshold] {
        thresholds.contains { $0.metric == Threshold.noErrors.metric }
            ? thresholds : thresholds + [.noErrors]
    }
}
