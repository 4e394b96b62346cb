internal import EventLoop
internal import GatewayCore

/// Keeps one background response going and wakes who listens; belongs to the loop's thread.
package final class BackgroundDriver {
    package let response: BackgroundResponse
    /// Strikes the connections that listen, not the response.
    package let fault: Fault?
    /// How long the response is kept after its end.
    private let retention: Duration
    private unowned let core: SimulatorCore
    private var timer: LoopTimer?
    private var listeners: [ObjectIdentifier: StreamingExchange] = [:]
    private var whenOver: ((BackgroundResponse) -> Void)?

    package init(
        _ response: BackgroundResponse, fault: Fault?, retention: Duration, core: SimulatorCore,
        whenOver: @escaping (BackgroundResponse) -> Void
    ) {
        self.response = response
        self.fault = fault
        self.retention = retention
        self.core = core
        self.whenOver = whenOver
        timer = core.loop.makeTimer { [weak self] in self?.advance() }
    }

    /// Makes what is due and plans the next step.
    package func advance() {
        response.advance(to: core.moment)
        for listener in Array(listeners.values) { listener.pump() }
        if response.isOver {
            over()
        } else {
            timer?.arm(at: .init(nanoseconds: Int64(clamping: response.nextDue)))
        }
    }

    /// Ends the response where it is.
    package func cancel() {
        response.cancel()
        for listener in Array(listeners.values) { listener.pump() }
        over()
    }

    private func over() {
        guard let whenOver else { return }
        self.whenOver = nil
        timer?.cancel()
        whenOver(response)
        timer = core.loop.makeTimer { [unowned core, id = response.stream.responseID] in
            core.drivers[id] = nil
            core.store.remove(id)
        }
        timer?.arm(after: retention)
    }

    /// Wakes `listener` whenever there is more, until it ends.
    package func add(_ listener: StreamingExchange) {
        listeners[ObjectIdentifier(listener)] = listener
        listener.onEnd = { [weak self, unowned listener] in
            self?.listeners[ObjectIdentifier(listener)] = nil
        }
    }
}
