import Testing

@testable import Gateway

/// A simulator and a gateway in this process, on ports of the system's choice, while `body` uses them.
struct GatewayFixture: Sendable {
    let port: UInt16
    let stopper: GatewayStopper

    /// Starts both, runs `body` on the calling thread, and expects both to end without anything left.
    static func run(
        _ settings: String = "", shards: Int = 2, _ body: (GatewayFixture) throws -> Void
    ) throws {
        let simulator = try SimulatorThread()
        defer { simulator.stop() }
        let gateway = try GatewayThread(
            """
            server: {listen: "127.0.0.1:0", shards: \(shards), connections: 500}
            options: {default_model: sim-hello}
            upstream: {base_url: "\(simulator.url)"}
            drain: {timeout_ms: 20000, spread_ms: 50}
            \(settings)
            """)
        if let stopper = gateway.stopper {
            do {
                try body(GatewayFixture(port: gateway.port, stopper: stopper))
            } catch {
                Issue.record(error)
            }
            stopper.drain()
        } else {
            Issue.record("the gateway did not start")
        }
        #expect(gateway.stop())
    }

    func metric(_ name: String) -> Double { gatewayMetric(name, port) }

    /// Whether a gateway with this configuration starts; it is stopped at once.
    static func starts(_ yaml: String) throws -> Bool {
        let gateway = try GatewayThread(yaml)
        let hasStarted = gateway.stopper != nil
        return gateway.stop() && hasStarted
    }
}
