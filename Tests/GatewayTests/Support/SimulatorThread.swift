import EventLoop
import Foundation
import Simulator
import Testing

/// A simulator on a thread of its own, on a port of the system's choice.
final class SimulatorThread: Sendable {
    let port: UInt16
    private let stopping: Mailbox<Bool>
    private let thread: LoopThread

    /// Starts; `fault` strikes requests that name none, `rate` is in deltas a second, 0 flat out.
    init(
        fault: String? = nil, rate: Double = 0, replay: String? = nil,
        requestLimit: RequestLimit? = nil
    ) throws {
        let loop = try EventLoop()
        let stopping = Mailbox<Bool>(loop: loop)
        let started = Handover<UInt16>()
        self.stopping = stopping
        thread = try LoopThread(name: "simulator") {
            var simulator: Simulator?
            loop.run(started: {
                do {
                    var options = SimulatorOptions()
                    options.seed = 7
                    options.deltasPerSecond = rate
                    options.fault = fault
                    options.replay = replay
                    options.requestLimit = requestLimit
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

    var url: String { "http://127.0.0.1:\(port)/v1" }

    func stop() {
        stopping.send(true)
        thread.join()
    }

    /// What `GET /stats` says.
    var statistics: [String: Any] {
        let object = try? JSONSerialization.jsonObject(with: Data(httpGet(port, "/stats")))
        return object as? [String: Any] ?? [:]
    }

    func statistic(_ name: String) -> Int { statistics[name] as? Int ?? -1 }
}
