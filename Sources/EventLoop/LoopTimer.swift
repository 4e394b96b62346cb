internal import CLibuv
package import GatewayCore

/// A timer on an event loop; belongs to the loop's thread.
///
/// Arming again for a later time only notes the new deadline, so a deadline that every byte of a stream
/// pushes back costs two stores. An armed timer is kept alive by its loop.
package final class LoopTimer {
    private let queue: TimerQueue
    fileprivate let action: () -> Void
    /// When the timer is to fire; nil while disarmed.
    package fileprivate(set) var deadline: Instant?
    /// Where the wheel holds it; it may be there for an earlier tick than `deadline`.
    fileprivate var key: TimerWheel<LoopTimer>.Key?
    fileprivate var keyTick: UInt64 = 0

    init(queue: TimerQueue, action: @escaping () -> Void) {
        self.queue = queue
        self.action = action
    }

    /// True between `arm` and the moment it fires or is cancelled.
    package var isArmed: Bool { deadline != nil }

    /// Fires once, `delay` from now, rounded up to the next millisecond; replaces an earlier deadline.
    package func arm(after delay: Duration) { arm(at: Instant.monotonicNow() + delay) }

    /// Fires once at `deadline`, rounded up to the next millisecond; replaces an earlier deadline.
    package func arm(at deadline: Instant) { queue.arm(self, at: deadline) }

    /// Does not fire any more.
    package func cancel() { queue.cancel(self) }
}

/// The timer wheel of one loop, driven by a single `uv_timer_t` that is armed for the next due tick only.
final class TimerQueue {
    private var wheel: TimerWheel<LoopTimer>
    private let timer: UnsafeMutablePointer<uv_timer_t>
    private let start: Instant
    /// What the `uv_timer_t` is armed for.
    private var armedTick: UInt64?
    private var isClosed = false
    private var isFiring = false
    private var lateness = TimerLateness()
    private var due: [LoopTimer] = []

    init(loop: EventLoop) {
        start = Instant.monotonicNow()
        wheel = TimerWheel(current: 0)
        timer = .allocate(capacity: 1)
        uv_timer_init(loop.raw, timer)
        // The queue is released only in `close`'s callback, so the pointer stays good.
        timer.pointee.data = Unmanaged.passRetained(self).toOpaque()
        // Timers alone do not keep a loop alive that is shutting down.
        uv_unref(UnsafeMutableRawPointer(timer).assumingMemoryBound(to: uv_handle_t.self))
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        // Armed timers hold this queue, and the wheel holds them. Their actions are released after the swap,
        // since what goes with them may cancel other timers.
        var abandoned = TimerWheel<LoopTimer>(current: 0)
        swap(&wheel, &abandoned)
        uv_timer_stop(timer)
        uv_close(UnsafeMutableRawPointer(timer).assumingMemoryBound(to: uv_handle_t.self)) {
            handle in
            guard let handle, let data = handle.pointee.data else { return }
            UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_timer_t.self).deallocate()
            Unmanaged<TimerQueue>.fromOpaque(data).release()
        }
    }

    private func tick(of instant: Instant) -> UInt64 {
        UInt64(max(0, (instant - start).nanoseconds + 999_999) / 1_000_000)
    }

    private var currentTick: UInt64 {
        UInt64(max(0, (Instant.monotonicNow() - start).nanoseconds) / 1_000_000)
    }

    func arm(_ entry: LoopTimer, at deadline: Instant) {
        guard !isClosed else { return }
        entry.deadline = deadline
        let wanted = tick(of: deadline)
        if let key = entry.key {
            // Due there earlier anyway: it is looked at and linked again then.
            if entry.keyTick <= wanted { return }
            wheel.remove(key)
        }
        entry.keyTick = max(wanted, wheel.current)
        entry.key = wheel.insert(entry, at: wanted)
        if !isFiring { armUnderlying(noLaterThan: entry.keyTick) }
    }

    func cancel(_ entry: LoopTimer) {
        entry.deadline = nil
        guard !isClosed, let key = entry.key else { return }
        wheel.remove(key)
        entry.key = nil
    }

    private func armUnderlying(noLaterThan tick: UInt64) {
        if let armedTick, armedTick <= tick { return }
        armUnderlying()
    }

    private func armUnderlying() {
        guard !isClosed else { return }
        guard let next = wheel.nextTick else {
            armedTick = nil
            uv_timer_stop(timer)
            return
        }
        armedTick = next
        let current = currentTick
        // libuv counts from its cached time, which may be older than ours: refresh it first.
        uv_update_time(timer.pointee.loop)
        uv_timer_start(timer, timerQueueFired, next > current ? next - current : 0, 0)
    }

    fileprivate func fire() {
        guard !isClosed else { return }
        guard !lateness.holdsBack(at: currentTick, due: armedTick) else {
            uv_timer_start(timer, timerQueueFired, 1, 0)
            return
        }
        armedTick = nil
        isFiring = true
        wheel.advance(to: currentTick, due: &due)
        var isOrdered = true
        for entry in due {
            entry.key = nil
            if let deadline = entry.deadline, tick(of: deadline) > entry.keyTick {
                isOrdered = false
            }
        }
        // One that was pushed back and is due all the same, in a late turn, stands where it was before.
        if !isOrdered { due.sort { ($0.deadline ?? start) < ($1.deadline ?? start) } }
        var index = 0
        // An action may arm, cancel or drop any timer, itself included.
        while index < due.count, !isClosed {
            let entry = due[index]
            index += 1
            guard let deadline = entry.deadline, entry.key == nil else { continue }
            if tick(of: deadline) >= wheel.current {
                arm(entry, at: deadline)
            } else {
                entry.deadline = nil
                entry.action()
            }
        }
        due.removeAll(keepingCapacity: true)
        isFiring = false
        armUnderlying()
    }
}

private func timerQueueFired(_ handle: UnsafeMutablePointer<uv_timer_t>?) {
    guard let data = handle?.pointee.data else { return }
    Unmanaged<TimerQueue>.fromOpaque(data).takeUnretainedValue().fire()
}
