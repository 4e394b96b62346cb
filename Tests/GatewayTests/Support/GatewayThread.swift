import Configuration
import EventLoop
import Telemetry
import Testing

@testable import Gateway

/// A gateway on a thread of its own, as a process would run it.
final class GatewayThread: Sendable {
    /// 0 when it did not start.
    let port: UInt16
    let stopper: GatewayStopper?
    private let thread: LoopThread
    private let ended = Handover<Bool>()

    /// Starts with a configuration as a file has it.
    init(
        _ yaml: String, logger: Logger = Logger(level: .error, format: .json)
    ) throws {
        let configuration = try ConfigurationLoader.check(Array(yaml.utf8)).values
        let started = Handover<(port: UInt16, stopper: GatewayStopper?)>()
        let ended = ended
        thread = try LoopThread(name: "gateway") {
            do {
                let process = try GatewayProcess(configuration: configuration, logger: logger)
                let stopper = process.stopper
                process.onListening = { started.give((port: $0, stopper: stopper)) }
                ended.give(process.run(handlesSignals: false))
            } catch {
                ended.give(false)
            }
            started.give((port: 0, stopper: nil))
        }
        (port, stopper) = started.take()
    }

    /// Stops, or waits for what was begun; true when nothing was left.
    func stop() -> Bool {
        stopper?.stop()
        thread.join()
        return ended.take()
    }
}
