internal import EventLoop
package import WebSocketServer

/// An exchange that is not answered yet: for a while, for ever, or only drop by drop.
package final class HeldExchange: HTTPExchangeObserver {
    private let exchange: HTTPExchange
    private unowned let core: SimulatorCore
    private var timer: LoopTimer?
    private var rest: ArraySlice<UInt8> = []
    private var interval = Duration.zero
    private var whenDone: (() -> Void)?

    package init(exchange: HTTPExchange, core: SimulatorCore) {
        self.exchange = exchange
        self.core = core
        exchange.observer = self
        core.hold(self)
    }

    /// Calls `action` after `delay`, unless the peer has left by then.
    func wait(_ delay: Duration, then action: @escaping () -> Void) {
        // The timer keeps this object until `release`, which every way out goes through.
        timer = core.loop.makeTimer { [self] in
            guard exchange.isOpen else { return }
            release()
            action()
        }
        timer?.arm(after: delay)
    }

    /// Writes `bytes` one at a time, `interval` apart, then calls `action`.
    func drip(_ bytes: [UInt8], interval: Duration, then action: @escaping () -> Void) {
        rest = bytes[...]
        self.interval = interval
        whenDone = action
        timer = core.loop.makeTimer { [self] in drop() }
        drop()
    }

    private func drop() {
        guard exchange.isOpen else { return }
        guard let byte = rest.popFirst() else {
            let action = whenDone
            release()
            action?()
            return
        }
        exchange.writeUnframed([byte])
        timer?.arm(after: interval)
    }

    private func release() {
        timer?.cancel()
        timer = nil
        whenDone = nil
        exchange.observer = nil
        core.release(self)
    }

    package func exchangeIsClear(_ exchange: HTTPExchange) {}

    package func exchangePeerClosed(_ exchange: HTTPExchange) {
        core.statistics.note(
            Statistics.Cancellation(
                responseID: "", startedAt: 0, detectedAt: core.monotonic, events: 0, bytes: 0))
        release()
    }
}
