internal import CLibuv
internal import GatewayCore
internal import Glibc

/// Spaces the turns of a loaded loop, so that one wake-up serves what came meanwhile; loop's thread only.
///
/// Works like a network card that holds its interrupts back: while at least two pieces of work come
/// within a budget, the loop sleeps until one budget after it last woke, then polls. Nothing waits for
/// longer than the budget, and a loop with less to do never sleeps here (decision 0050).
package final class TurnPacer {
    private var handle: UnsafeMutablePointer<uv_prepare_t>?
    private let budget: Duration
    /// Called at the end of each turn, before the loop may sleep.
    private let turnEnded: () -> Void
    /// True while the loop is paced: what one turn collects had better go on at its end.
    package private(set) var isLoaded = false
    private var windowBegan: Instant
    private var workInWindow = 0
    private var lastWoke: Instant

    /// Budgets over which the load is judged.
    private static let windowBudgets = 8
    /// Pieces of work a budget from which waiting for company is worth it.
    private static let loadedFrom = 2

    /// Paces `loop` until `close`.
    package init(loop: EventLoop, budget: Duration, turnEnded: @escaping () -> Void) {
        loop.assertOnLoop()
        self.budget = budget
        self.turnEnded = turnEnded
        windowBegan = loop.now
        lastWoke = loop.now
        let handle = UnsafeMutablePointer<uv_prepare_t>.allocate(capacity: 1)
        uv_prepare_init(loop.raw, handle)
        // `close` clears the field before this object may go.
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        uv_prepare_start(handle, loopWillPoll)
        uv_unref(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self))
        self.handle = handle
    }

    deinit { close() }

    /// Counts one piece of work that would have woken an idle loop.
    package func noteWork() { workInWindow += 1 }

    /// Lets the loop run free.
    package func close() {
        guard let handle else { return }
        self.handle = nil
        handle.pointee.data = nil
        uv_close(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)) {
            handle in
            guard let handle else { return }
            UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_prepare_t.self).deallocate()
        }
    }

    fileprivate func willPoll() {
        turnEnded()
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
    guard let data = handle?.pointee.data else { return }
    Unmanaged<TurnPacer>.fromOpaque(data).takeUnretainedValue().willPoll()
}
