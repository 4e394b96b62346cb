import Configuration
import EventLoop
import Glibc
import Simulator
import Synchronization
import Telemetry
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
        let yaml = """
            server: {listen: "127.0.0.1:0", shards: \(shards), connections: 500}
            options: {default_model: sim-hello}
            upstream: {base_url: "http://127.0.0.1:\(simulator.port)/v1"}
            drain: {timeout_ms: 20000, spread_ms: 50}
            \(settings)
            """
        let configuration = try ConfigurationLoader.check(Array(yaml.utf8)).values
        let started = Handover<GatewayFixture?>()
        let ended = Handover<Bool>()
        let thread = try LoopThread(name: "gateway") {
            do {
                let process = try GatewayProcess(
                    configuration: configuration, logger: Logger(level: .error, format: .json))
                let stopper = process.stopper
                process.onListening = { started.give(GatewayFixture(port: $0, stopper: stopper)) }
                ended.give(process.run(handlesSignals: false))
            } catch {
                Issue.record(error)
                ended.give(false)
            }
            started.give(nil)
        }
        if let fixture = started.take() {
            do { try body(fixture) } catch { Issue.record(error) }
            fixture.stopper.drain()
            fixture.stopper.stop()
        } else {
            Issue.record("the gateway did not start")
        }
        #expect(ended.take())
        thread.join()
    }
}

extension GatewayFixture {
    /// Whether a gateway with this configuration starts; it is stopped at once.
    static func starts(_ yaml: String) throws -> Bool {
        let configuration = try ConfigurationLoader.check(Array(yaml.utf8)).values
        let ended = Handover<Bool>()
        let thread = try LoopThread(name: "gateway") {
            let logger = Logger(level: .error, format: .json)
            guard let process = try? GatewayProcess(configuration: configuration, logger: logger)
            else { return ended.give(false) }
            let stopper = process.stopper
            process.onListening = { _ in stopper.stop() }
            ended.give(process.run(handlesSignals: false))
        }
        thread.join()
        return ended.take()
    }
}

/// One value from one thread to another; the first counts.
final class Handover<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    func give(_ value: Value) { self.value.withLock { $0 = $0 ?? value } }

    /// Waits for the value.
    func take() -> Value {
        while true {
            if let value = value.withLock({ $0 }) { return value }
            usleep(500)
        }
    }
}

/// A simulator on a thread of its own.
final class SimulatorThread: Sendable {
    let port: UInt16
    private let stopping: Mailbox<Bool>
    private let thread: LoopThread

    init() throws {
        let loop = try EventLoop()
        let stopping = Mailbox<Bool>(loop: loop)
        let started = Handover<UInt16>()
        self.stopping = stopping
        thread = try LoopThread(name: "simulator") {
            var simulator: Simulator?
            loop.run(started: {
                do {
                    var options = SimulatorOptions()
                    options.seed = 1
                    options.deltasPerSecond = 0
                    let made = try Simulator(loop: loop, options: options)
                    simulator = made
                    stopping.setHandler { _ in
                        made.stop()
                        loop.close()
                    }
                    started.give(made.port)
                } catch {
                    Issue.record(error)
                    loop.close()
                    started.give(0)
                }
            })
            simulator?.finishStopping()
            if !loop.destroy() { Issue.record("handles were left on the simulator's loop") }
        }
        port = started.take()
    }

    func stop() {
        stopping.send(true)
        thread.join()
    }
}
