internal import CLibuv
internal import GatewayCore
internal import Glibc

/// Ends the turns of a loop and, with a budget, spaces those of a loaded one; loop's thread only.
///
/// Spacing works like a network card that holds its interrupts back: while at least two pieces of work come
/// within a budget, the loop sleeps until one budget after it last woke, then polls. Nothing waits for
/// longer than the budget, and a loop with less to do never sleeps here (decision 0050).
package final class TurnPacer {
    private var handle: LoopHandle<uv_prepare_t>?
    /// Zero never sleeps.
    private let budget: Duration
    /// Called at the end of each turn, before the loop may sleep.
    private let turnEnded: () -> Void
    private var isLoaded = false
    private var windowBegan: Instant
    private var workInWindow = 0
    private var lastWoke: Instant

    /// Budgets over which the load is judged.
    private static let windowBudgets = 8
    /// Pieces of work a budget from which waiting for company is worth it.
    private static let loadedFrom = 2

    /// Ends and paces the turns of `loop` until `close`.
    package init(
        loop: EventLoop, budget: Duration, turnEnded: @escaping () -> Void
    ) throws(EventLoopError) {
        loop.assertOnLoop()
        self.budget = budget
        self.turnEnded = turnEnded
        windowBegan = loop.now
        lastWoke = loop.now
        let handle = try LoopHandle(of: self, "uv_prepare_init") { uv_prepare_init(loop.raw, $0) }
        uv_prepare_start(handle.raw, loopWillPoll)
        // It waits for nothing: the loop may end while it is there.
        handle.unreference()
        self.handle = consume handle
    }

    /// Counts one piece of work that would have woken an idle loop.
    package func noteWork() { workInWindow += 1 }

    /// Lets the loop run free.
    package func close() { handle = nil }

    fileprivate func willPoll() {
        turnEnded()
        guard budget > .zero else { return }
        let now = Instant.monotonicNow()
        let passed = now - windowBegan
        if passed >= budget * Self.windowBudgets {
            isLoaded = budget * workInWindow >= passed * Self.loadedFrom
            windowBegan = now
            workInWindow = 0
        }
        guard isLoaded else { return }
        let wakesAt = lastWoke + budget
        if now < wakesAt {
            // To a point in time: a signal that interrupts it only makes this turn come earlier.
            var until = timespec(
                tv_sec: Int(wakesAt.nanoseconds / 1_000_000_000),
                tv_nsec: Int(wakesAt.nanoseconds % 1_000_000_000))
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nil)
            lastWoke = wakesAt
        } else {
            lastWoke = now
        }
    }
}

private func loopWillPoll(_ handle: UnsafeMutablePointer<uv_prepare_t>?) {
    LoopHandle.owner(of: handle, as: TurnPacer.self)?.willPoll()
}
