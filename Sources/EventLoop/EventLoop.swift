internal import CLibuv
package import GatewayCore
internal import Glibc
internal import Synchronization

/// One libuv loop and the thread that drives it; runs posted work in between.
///
/// Everything reached through it (timers, watchers, servers, transfers) belongs to the loop's thread.
/// Other threads may call only what says so: `post`, `isOnLoop` and `now`.
/// libuv itself is not thread-safe except for `uv_async_send`.
///
/// `@unchecked Sendable`: the raw pointers are used on the loop's thread only (checked by `assertOnLoop`),
/// all else is behind `inbox` or atomic.
package final class EventLoop: @unchecked Sendable {
    private typealias Work = @Sendable () -> Void

    /// What waits for the loop.
    private struct Inbox {
        var work: [Work] = []
        /// The wake-up handle is gone: nobody takes anything any more.
        var isClosed = false
    }

    let raw: UnsafeMutablePointer<uv_loop_t>
    private let wakeUp: UnsafeMutablePointer<uv_async_t>
    private let inbox = Mutex(Inbox())
    /// Loop thread only: swapped with the inbox, so that both keep their storage.
    private var taken: [Work] = []
    /// The `pthread_t` of the thread that drives the loop; 0 before `run`.
    private let thread = Atomic<UInt>(0)
    /// Loop thread only.
    private var timerQueue: TimerQueue?

    /// Makes a loop that does not run yet.
    package init() throws(EventLoopError) {
        raw = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        // All properties are set: what throws from here on, `deinit` frees.
        let status = uv_loop_init(raw)
        guard status == 0 else { throw EventLoopError(call: "uv_loop_init", status: status) }
        let asyncStatus = uv_async_init(raw, wakeUp, eventLoopWokeUp)
        guard asyncStatus == 0 else {
            uv_loop_close(raw)
            throw EventLoopError(call: "uv_async_init", status: asyncStatus)
        }
        // The loop outlives its handle: `run` returns only after the handle is closed.
        wakeUp.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    /// Drives the loop on the calling thread until no handle is left.
    ///
    /// Call once. `close` makes it return; `destroy` frees the loop after that.
    package func run(started: () -> Void = {}) {
        adoptCurrentThread()
        started()
        uv_run(raw, UV_RUN_DEFAULT)
    }

    /// Runs the loop again until handles that were closed meanwhile are gone, then frees the loop.
    ///
    /// Returns false when handles are left over, which is a leak of ours.
    package func destroy() -> Bool {
        uv_run(raw, UV_RUN_DEFAULT)
        return uv_loop_close(raw) == 0
    }

    deinit {
        raw.deallocate()
        wakeUp.deallocate()
    }

    /// Closes the loop's own handles, so that `run` returns once everyone else's are closed as well.
    package func close() {
        assertOnLoop()
        timerQueue?.close()
        timerQueue = nil
        let handle = UnsafeMutableRawPointer(wakeUp).assumingMemoryBound(to: uv_handle_t.self)
        // What waits is dropped now: it may hold this loop, which would then never be freed.
        var dropped: [Work] = []
        inbox.withLock { inbox in
            inbox.isClosed = true
            swap(&dropped, &inbox.work)
        }
        if uv_is_closing(handle) == 0 { uv_close(handle, nil) }
    }

    /// The calling thread drives this loop from now on.
    private func adoptCurrentThread() {
        thread.store(UInt(pthread_self()), ordering: .releasing)
    }

    /// True on the loop's own thread; callable from any thread.
    package var isOnLoop: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Traps off the loop's thread: a mistake of ours, never a peer's.
    package func assertOnLoop() { precondition(isOnLoop, "off the loop's thread") }

    /// The monotonic clock, read now; callable from any thread.
    package var now: Instant { Instant.monotonicNow() }

    /// Has blocks from 256 KiB on given back to the system as soon as they are freed; call it at start.
    ///
    /// Otherwise glibc raises that size with every such block, up to 32 MiB: after one long answer the
    /// buffers of all later ones would stay in the heap.
    package static func returnLargeBlocks() { millrace_return_large_blocks(256 << 10) }

    /// Processors that this process may use; callable from any thread.
    package static var availableProcessors: Int { max(1, Int(uv_available_parallelism())) }

    // MARK: Work from elsewhere

    /// Runs `work` on the loop's thread, in order of posting; callable from any thread.
    ///
    /// Posts that find the inbox non-empty wake nobody, so a burst costs one system call. What comes after
    /// `close` is dropped.
    package func post(_ work: @escaping @Sendable () -> Void) {
        inbox.withLock { inbox in
            guard !inbox.isClosed else { return }
            inbox.work.append(work)
            // Under the lock: the loop may close, and be freed, as soon as it is released.
            if inbox.work.count == 1 { uv_async_send(wakeUp) }
        }
    }

    fileprivate func runTaken() {
        inbox.withLock { swap(&$0.work, &taken) }
        for work in taken { work() }
        taken.removeAll(keepingCapacity: true)
    }

    // MARK: Timers

    /// Makes a timer that calls `action` on the loop when it fires; it starts disarmed.
    package func makeTimer(_ action: @escaping () -> Void) -> LoopTimer {
        assertOnLoop()
        let queue: TimerQueue
        if let timerQueue {
            queue = timerQueue
        } else {
            queue = TimerQueue(loop: self)
            timerQueue = queue
        }
        return LoopTimer(queue: queue, action: action)
    }
}

extension Instant {
    /// CLOCK_MONOTONIC, the same clock for all threads and processes of the machine.
    package static func monotonicNow() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

/// libuv's answer to `uv_async_send`: it merges sends, so everything in the inbox is taken.
private func eventLoopWokeUp(_ handle: UnsafeMutablePointer<uv_async_t>?) {
    guard let data = handle?.pointee.data else { return }
    Unmanaged<EventLoop>.fromOpaque(data).takeUnretainedValue().runTaken()
}

extension EventLoop {
    /// The `uv_loop_t` for libraries that run on it themselves; loop thread only.
    package var rawLoop: UnsafeMutableRawPointer { UnsafeMutableRawPointer(raw) }
}
