/// One key of a scenario: its dotted name, what it takes, and where it goes.
package struct ScenarioKey {
    package enum Field {
        case text(WritableKeyPath<Scenario, String>)
        case flag(WritableKeyPath<Scenario, Bool>)
        case integer(WritableKeyPath<Scenario, Int>, ClosedRange<Int>)
        case number(WritableKeyPath<Scenario, Double>, ClosedRange<Double>)
        case integers(WritableKeyPath<Scenario, [Int]>, ClosedRange<Int>)
        case span(WritableKeyPath<Scenario, Scenario.Span>)
        case wireProtocol
        case arrival
        case ending(WritableKeyPath<Scenario, Scenario.Ending>)
        case cancelBy
        case thresholds
    }

    package let name: String
    package let field: Field
    package let help: String

    private init(_ name: String, _ field: Field, _ help: String) {
        self.name = name
        self.field = field
        self.help = help
    }

    private static let day = 86_400.0
    private static let share = 0.0...1.0

    /// Every key; docs/load-testing.md lists the same ones.
    package static var all: [ScenarioKey] {
        load + messages + faults + limits
    }

    private static var load: [ScenarioKey] {
        [
            .init("name", .text(\.name), "Name in the reports"),
            .init("description", .text(\.description), "One sentence for the reports"),
            .init("protocol", .wireProtocol, "millrace.v1, or openai for its WebSocket mode"),
            .init(
                "url", .text(\.url),
                "ws:// or wss:// address of the gateway; without a path, the protocol's own"),
            .init("sessions", .integer(\.sessions, 1...200_000), "Chats at once"),
            .init("readers", .integer(\.readers, 1...100), "Connections of each session"),
            .init("duration_s", .number(\.durationSeconds, 0.1...day), "Time after the ramp"),
            .init("ramp_s", .number(\.rampSeconds, 0...day), "Time over which sessions connect"),
            .init("warmup_s", .number(\.warmupSeconds, 0...day), "Start that is not measured"),
            .init("drain_s", .number(\.drainSeconds, 0...day), "Wait for the last responses"),
            .init(
                "sources", .integer(\.sources, 0...250),
                "Source addresses 127.0.0.x for a loopback target; 0: one per 5,000 connections"),
            .init("seed", .integer(\.seed, 0...Int.max), "Seed of everything random"),
        ]
    }

    private static var messages: [ScenarioKey] {
        [
            .init(
                "messages.share", .number(\.messages.share, share),
                "Share of the sessions that speak; the others hold idle connections"),
            .init(
                "messages.per_session", .integer(\.messages.perSession, 0...1_000_000),
                "Messages of each session; 0: until the time is over"),
            .init(
                "messages.per_s", .number(\.messages.perSecond, 0...1_000_000),
                "Open loop: messages a second of all sessions together"),
            .init(
                "messages.every_ms", .number(\.messages.everyMilliseconds, 0...86_400_000),
                "Open loop: time between two messages of one session"),
            .init(
                "messages.think_ms", .span(\.messages.thinkMilliseconds),
                "Without an open loop: pause after an answer, one number or [lowest, highest]"),
            .init(
                "messages.spread_ms", .number(\.messages.spreadMilliseconds, 0...86_400_000),
                "Without an open loop: time over which first messages are spread; 0: all at once"),
            .init(
                "messages.in_flight", .integer(\.messages.inFlight, 1...64),
                "Responses of one session at once; further messages wait, and the wait counts"),
            .init("messages.arrival", .arrival, "even or poisson, for an open loop"),
            .init(
                "messages.during_ramp", .flag(\.messages.duringRamp),
                "Sessions speak as soon as they are connected"),
            .init("request.model", .text(\.request.model), "Model to ask for"),
            .init("request.input", .text(\.request.input), "Input text; empty: send nothing"),
            .init(
                "request.timestamps", .flag(\.request.timestamps),
                "Ask the simulator for a timestamp in each delta"),
            .init(
                "request.options", .text(\.request.options),
                "More request options, as a JSON object"),
            .init(
                "request.expect_deltas", .integer(\.request.expectedDeltas, 0...10_000_000),
                "Deltas of a completed response; 0: any number"),
        ]
    }

    private static var faults: [ScenarioKey] {
        [
            .init("drop.share", .number(\.drop.share, share), "Share of responses dropped within"),
            .init(
                "drop.at_deltas", .integers(\.drop.atDeltas, 0...10_000_000),
                "Deltas after which the connection is dropped, a list"),
            .init("drop.how", .ending(\.drop.how), "close or reset"),
            .init("drop.away_ms", .span(\.drop.awayMilliseconds), "Time until it resumes"),
            .init(
                "storm.every_s", .number(\.storm.everySeconds, 0...day),
                "Time between reconnect storms; 0: none"),
            .init("storm.share", .number(\.storm.share, share), "Share of connections dropped"),
            .init("storm.how", .ending(\.storm.how), "close or reset"),
            .init("storm.away_ms", .span(\.storm.awayMilliseconds), "Time until they resume"),
            .init(
                "cancel.share", .number(\.cancel.share, share), "Share of responses cancelled"),
            .init(
                "cancel.at_deltas", .integer(\.cancel.atDeltas, 0...10_000_000),
                "Deltas after which they are; 0: right after sending"),
            .init("cancel.how", .cancelBy, "message, or close or reset of the connection"),
            .init(
                "slow.share", .number(\.slow.share, share), "Share of connections that read slowly"),
            .init(
                "slow.bytes_per_s", .integer(\.slow.bytesPerSecond, 10...1_000_000_000),
                "How fast a slow one reads"),
            .init(
                "slow.receive_buffer_bytes",
                .integer(\.slow.receiveBufferBytes, 1_024...1 << 24),
                "Its SO_RCVBUF, so that the server feels it"),
        ]
    }

    private static var limits: [ScenarioKey] {
        [
            .init(
                "limits.response_timeout_s", .number(\.limits.responseTimeoutSeconds, 0.1...day),
                "A response without its end after this is a violation"),
            .init(
                "limits.connect_timeout_s", .number(\.limits.connectTimeoutSeconds, 0.1...3_600),
                "From the first SYN to ready"),
            .init(
                "limits.frame_bytes", .integer(\.limits.frameBytes, 1_024...1 << 30),
                "Largest message taken from the server"),
            .init(
                "limits.response_bytes", .integer(\.limits.responseBytes, 1_024...1 << 30),
                "Largest text of a response that can be checked"),
            .init(
                "limits.transcript_bytes", .integer(\.limits.transcriptBytes, 0...1 << 20),
                "Last bytes kept of each connection; 0: none"),
            .init(
                "limits.connects_in_flight", .integer(\.limits.connectsInFlight, 1...100_000),
                "Connections being opened at once"),
            .init(
                "limits.reconnects", .integer(\.limits.reconnects, 0...1_000_000),
                "Failed connects in a row until a reader gives up"),
            .init(
                "limits.violations", .integer(\.limits.violations, 1...10_000),
                "Violations after which the run stops"),
            .init(
                "thresholds", .thresholds,
                "What must hold, a list like 'latency.delivery.p99_us <= 5000'; without totals.errors, that is 0"
            ),
        ]
    }
}
