import Foundation
import Synchronization
import Telemetry
import Testing

/// A gateway in this process, with short pauses, no breaker, and deadlines that no busy machine meets.
///
/// A test that is about a deadline makes that one short.
final class FaultyWorld: Sendable {
    /// Keeps what the gateway logs.
    private final class Lines: LogSink {
        let all = Mutex<[[UInt8]]>([])
        var droppedLines: Int { 0 }
        func write(_ line: [UInt8]) { all.withLock { $0.append(line) } }
    }

    private let gateway: GatewayThread
    private let log = Lines()
    let port: UInt16

    private static let quick = [
        "response_header_timeout_ms: 60000", "first_event_timeout_ms: 60000",
        "silence_timeout_ms: 60000", "keepalive_silence_ms: 60000", "retry_delay_ms: 5",
        "retry_delay_max_ms: 20", "retry_budget_percent: 1000", "concurrency: 20000",
    ]

    /// Starts; `upstream`, `fallback` and `more` are lines of the configuration.
    ///
    /// `keepsLog` keeps all that is logged, and so grows with every response.
    init(
        primary: String, upstream: [String] = [], fallback: String = "{}",
        breaker: String = "{enabled: false}", more: String = "", shards: Int = 1,
        keepsLog: Bool = false
    ) throws {
        let named = Set(upstream.map { $0.prefix { $0 != ":" } })
        let lines =
            ["base_url: \"\(primary)\""] + upstream
            + Self.quick.filter { line in !named.contains(line.prefix { $0 != ":" }) }
        gateway = try GatewayThread(
            """
            server: {listen: "127.0.0.1:0", shards: \(shards), connections: 500}
            limits: {responses_per_connection: 100, responses_per_session: 100, frames_per_s: 10000, frames_burst: 10000}
            options: {default_model: sim-hello, allow: [model, background, tools, metadata, text]}
            upstream: {\(lines.joined(separator: ", "))}
            fallback: \(fallback)
            breaker: \(breaker)
            drain: {timeout_ms: 200, spread_ms: 0}
            \(more)
            """, logger: Logger(level: keepsLog ? .info : .error, format: .json, sink: log))
        port = gateway.port
        try #require(port != 0, "the gateway did not start")
    }

    func stop() { #expect(gateway.stop()) }

    /// A world of a simulator and a gateway with one client, while `body` uses them; nothing is left after it.
    static func run(
        upstream: [String] = [], more: String = "", shards: Int = 1,
        _ body: (FaultyWorld, ChatClient) throws -> Void
    ) throws {
        let simulator = try SimulatorThread()
        defer { simulator.stop() }
        let world = try FaultyWorld(
            primary: simulator.url, upstream: upstream, more: more, shards: shards)
        defer { world.stop() }
        try body(world, try ChatClient(port: world.port))
        world.expectNothingLeft()
    }

    /// All that was logged.
    var wholeLog: String {
        log.all.withLock { $0 }.map { String(decoding: $0, as: UTF8.self) }.joined()
    }

    /// The attributes of the lines with that body, in order.
    func logged(_ body: String) -> [[String: Any]] {
        log.all.withLock { $0 }.compactMap { line in
            let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
            guard object?["body"] as? String == body else { return nil }
            return object?["attributes"] as? [String: Any]
        }
    }

    /// A metric without a label, or with the label as `name{label="value"}`.
    func metric(_ name: String) -> Double {
        gatewayMetric(name, port)
    }

    /// Looks at a metric until it has the value; each look is a turn of the gateway's own loop.
    @discardableResult
    func wait(for name: String, toBe value: Double) -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while metric(name) != value {
            guard ContinuousClock.now < deadline else {
                Issue.record("\(name) is \(metric(name)), not \(value)")
                return false
            }
        }
        return true
    }

    /// Waits until nothing is open any more.
    func expectNothingLeft() {
        for gauge in [
            "gateway_upstream_transfers", "gateway_responses_in_flight", "gateway_upstream_queue",
            "gateway_upstream_in_flight{upstream=\"primary\"}",
        ] { wait(for: gauge, toBe: 0) }
    }
}
