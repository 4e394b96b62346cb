internal import CLibcurl
package import EventLoop
internal import GatewayCore
internal import Glibc

/// Runs a shard's transfers: owns a libcurl multi handle, its connections, and their place on the loop.
///
/// Belongs to the loop's thread. libcurl goes on with its transfers in four places only: when a socket is ready,
/// when a timer fires, in the loop's next turn, in which what was started or resumed meanwhile is handed over, and in
/// `startWaiting`, for a caller who does not want to wait for that turn. What libcurl forbids inside its callbacks
/// (removing a handle above all) is put off to the sweep right after it returns. So delegates are called from the loop,
/// and from inside one call of the caller's own: `startWaiting`.
package final class UpstreamWorker {
    let options: UpstreamOptions
    private let loop: EventLoop
    /// Nil once the worker is shut down.
    private var multi: UnsafeMutableRawPointer?
    private var nextTurn: NextTurn?
    private var timer: LoopTimer?
    private var sockets: [Int32: FileDescriptorWatcher] = [:]
    /// Those of them whose connection waits for its next request (HTTP/1.1).
    private var resting: Set<Int32> = []
    /// What all of them call.
    private lazy var socketIsReady: (Int32, FileDescriptorWatcher.Events) -> Void = {
        [unowned self] descriptor, ready in
        if resting.contains(descriptor) { return spoil(descriptor) }
        var mask: Int32 = 0
        if ready.contains(.readable) { mask |= CURL_CSELECT_IN }
        if ready.contains(.writable) { mask |= CURL_CSELECT_OUT }
        act(on: descriptor, mask)
    }
    private let tlsSessions: TLSSessions
    private var idleHandles: [EasyHandle] = []
    /// Servers, by endpoint, whose last answers brought much at a time; as few as configuration has.
    private var fastServers: Set<String> = []

    /// All that are starting or running, and those that libcurl is yet to give back.
    private var transfers: [ObjectIdentifier: UpstreamTransfer] = [:]
    private let chores = WorkerChores()
    /// Whose bytes libcurl has handed over since it was entered: the newest, before it its `readBefore`, and so on.
    ///
    /// A list through the transfers, since every read comes by here: each look into an array would cost a check
    /// for exclusive access (decision 57).
    private var lastRead: UpstreamTransfer?

    /// A call into libcurl is on the stack: its handles must be left alone.
    private var isInsideCurl = false
    /// `sweep` is on the stack.
    private var isSweeping = false
    /// libcurl wants to be called for its timeout in the loop's next turn.
    private var isTimeoutDue = false
    /// `shutDown` was called.
    private var isShutDownWanted = false

    /// Makes a worker on `loop`, on whose thread it must be called.
    package init(loop: EventLoop, options: UpstreamOptions) throws(UpstreamError) {
        loop.assertOnLoop()
        try CurlGlobal.initialize()
        self.loop = loop
        self.options = options
        tlsSessions = try TLSSessions()
        guard let multi = curl_multi_init() else {
            throw .libcurl("curl_multi_init", CURLE_OUT_OF_MEMORY)
        }
        self.multi = multi
        do {
            nextTurn = try NextTurn(loop: loop) { [unowned self] in runTurn() }
        } catch {
            throw .loopFailed(error.description)
        }
        timer = loop.makeTimer { [unowned self] in act(on: MILLRACE_SOCKET_TIMEOUT, 0) }
        try configure(multi)
    }

    deinit { shutDown() }

    private func configure(_ multi: UnsafeMutableRawPointer) throws(UpstreamError) {
        // The multi is freed by `shutDown`, at the latest in `deinit`: the pointer is good until then.
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(
            "CURLMOPT_SOCKETFUNCTION",
            millrace_multi_set_socket_function(multi, workerSocketChanged))
        try check(
            "CURLMOPT_SOCKETDATA",
            millrace_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context))
        try check(
            "CURLMOPT_TIMERFUNCTION", millrace_multi_set_timer_function(multi, workerTimerChanged))
        try check(
            "CURLMOPT_TIMERDATA", millrace_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context))
        try check(
            "CURLMOPT_MAXCONNECTS",
            millrace_multi_set_long(multi, CURLMOPT_MAXCONNECTS, options.maximumConnections))
        try check(
            "CURLMOPT_PIPELINING",
            millrace_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX)))
    }

    private func check(_ call: String, _ code: CURLMcode) throws(UpstreamError) {
        guard code == CURLM_OK else { throw .libcurl(call, multi: code) }
    }

    // MARK: For the caller

    /// Transfers that are starting or running.
    package var transferCount: Int { transfers.count - chores.abandonedCount }

    /// Connections that libcurl wants watched now: in use, or being made.
    package var watchedSocketCount: Int { sockets.count - resting.count }

    /// Begins an exchange; the delegate hears from it from the loop's next turn on, or from `startWaiting` on,
    /// and is kept until its end.
    package func start(
        _ request: UpstreamRequest, delegate: any UpstreamTransferDelegate
    ) throws(UpstreamError) -> UpstreamTransfer {
        loop.assertOnLoop()
        guard multi != nil, !isShutDownWanted else { throw .shutDown }
        guard transferCount < options.maximumTransfers else {
            throw .tooManyTransfers(limit: options.maximumTransfers)
        }
        let easy =
            if let idle = idleHandles.popLast() { idle } else {
                try EasyHandle(resuming: tlsSessions)
            }
        let transfer = UpstreamTransfer(
            request: request, easy: easy, delegate: delegate, worker: self)
        do {
            try easy.configure(
                request, options: options,
                isFast: fastServers.contains(request.server.endpoint),
                context: Unmanaged.passUnretained(transfer).toOpaque(),
                worker: Unmanaged.passUnretained(self).toOpaque())
        } catch {
            recycle(transfer.end())
            throw error
        }
        transfers[ObjectIdentifier(transfer)] = transfer
        chores.start(transfer)
        nextTurn?.request()
        return transfer
    }

    /// Starts now what would start in the loop's next turn; does nothing inside a delegate's call.
    ///
    /// A request on a connection that stands is written before this returns. Delegates are called meanwhile, of any
    /// transfer of this worker: call it last.
    package func startWaiting() {
        guard !isInsideCurl, !isSweeping, chores.hasStarting else { return }
        addStarting()
        if isTimeoutDue { act(on: MILLRACE_SOCKET_TIMEOUT, 0) }
    }

    /// Ends all transfers without a word to their delegates and gives everything back to loop and system.
    ///
    /// Inside a call to a delegate that happens right after the call. Idempotent. The loop frees the last
    /// handles itself in its next turns.
    package func shutDown() {
        guard multi != nil else { return }
        isShutDownWanted = true
        for transfer in transfers.values { transfer.silence() }
        if !isInsideCurl { tearDown() }
    }

    private func tearDown() {
        guard let multi else { return }
        for transfer in transfers.values { detach(transfer) }
        chores.removeAll()
        while takeRead() != nil {}
        idleHandles.removeAll()
        insideCurl { curl_multi_cleanup(multi) }
        self.multi = nil
        for socket in sockets.values { socket.close() }
        sockets.removeAll()
        resting.removeAll()
        timer?.cancel()
        timer = nil
        nextTurn?.close()
        nextTurn = nil
    }

    // MARK: For transfers

    func cancel(_ transfer: UpstreamTransfer) {
        loop.assertOnLoop()
        if isInsideCurl {
            transfer.silence()
            chores.abandon(transfer)
        } else {
            detach(transfer)
            requestTurnIfNeeded()
        }
    }

    func isReading(_ transfer: UpstreamTransfer) {
        transfer.readBefore = lastRead
        lastRead = transfer
    }

    private func takeRead() -> UpstreamTransfer? {
        guard let transfer = lastRead else { return nil }
        lastRead = transfer.readBefore
        transfer.readBefore = nil
        return transfer
    }

    func resume(_ transfer: UpstreamTransfer) {
        chores.resume(transfer)
        nextTurn?.request()
    }

    /// Ends a running transfer with an outcome, from outside libcurl.
    func stop(_ transfer: UpstreamTransfer) {
        chores.stop(transfer)
        sweep()
    }

    func makeTimer(_ action: @escaping () -> Void) -> LoopTimer { loop.makeTimer(action) }

    // MARK: Into libcurl

    /// Calls libcurl, whose callbacks then find `isInsideCurl`.
    @discardableResult
    private func insideCurl<Result>(_ call: () -> Result) -> Result {
        isInsideCurl = true
        defer { isInsideCurl = false }
        return call()
    }

    private func runTurn() {
        if chores.hasStarting { addStarting() }
        if chores.hasResuming { resumeWaiting() }
        if isTimeoutDue { act(on: MILLRACE_SOCKET_TIMEOUT, 0) }
    }

    /// Serves those that wait now: one that pauses and resumes while it is served comes next turn.
    private func resumeWaiting() {
        for transfer in chores.takeResuming() where multi != nil {
            insideCurl { transfer.unhold() }
            sweep()
        }
    }

    private func addStarting() {
        for transfer in chores.takeStarting() where transfer.state == .starting {
            guard let multi, let easy = transfer.easy else { continue }
            transfer.started()
            let code = insideCurl { curl_multi_add_handle(multi, easy.raw) }
            if code != CURLM_OK {
                transfer.cannotRun(String(cString: curl_multi_strerror(code)))
                chores.stop(transfer)
            }
        }
        // Adding handles makes a timeout of zero due, which `runTurn` serves next.
        sweep()
    }

    private func act(on socket: curl_socket_t, _ events: Int32) {
        guard let multi else { return }
        if socket == MILLRACE_SOCKET_TIMEOUT { isTimeoutDue = false }
        var running: Int32 = 0
        insideCurl { curl_multi_socket_action(multi, socket, events, &running) }
        sweep()
    }

    /// Does what had to wait until libcurl returned.
    ///
    /// Delegates that hear of their end here may call anything.
    private func sweep() {
        guard !isSweeping else { return }
        isSweeping = true
        defer { isSweeping = false }
        if isShutDownWanted { return tearDown() }
        // Before anyone hears of an end: the bytes came first.
        while let transfer = takeRead() { transfer.wasRead() }
        if isShutDownWanted { return tearDown() }
        if !chores.isEmpty {
            while let transfer = chores.takeAbandoned() { detach(transfer) }
            while let transfer = chores.takeStopped() { finish(transfer, CURLE_OK) }
        }
        var remaining: Int32 = 0
        while let multi, let message = curl_multi_info_read(multi, &remaining) {
            guard message.pointee.msg == CURLMSG_DONE, let raw = message.pointee.easy_handle else {
                continue
            }
            let code = message.pointee.data.result
            if let transfer = transfer(of: raw) { finish(transfer, code) }
        }
        requestTurnIfNeeded()
    }

    private func requestTurnIfNeeded() {
        let isChoreLeft = chores.settle()
        if isChoreLeft || isTimeoutDue { nextTurn?.request() }
    }

    private func finish(_ transfer: UpstreamTransfer, _ code: CURLcode) {
        guard transfer.state == .running else { return }
        let (outcome, delegate) = transfer.conclusion(code)
        detach(transfer)
        delegate?.transfer(transfer, ended: outcome)
    }

    /// Takes the handle from libcurl, which closes what is unfinished, and keeps it for another transfer.
    private func detach(_ transfer: UpstreamTransfer) {
        let wasStarting = transfer.state == .starting
        guard let easy = transfer.end() else { return }
        if !wasStarting, let multi {
            insideCurl { curl_multi_remove_handle(multi, easy.raw) }
        }
        transfers[ObjectIdentifier(transfer)] = nil
        if let isFast = transfer.pace.isFast {
            if isFast {
                fastServers.insert(transfer.server.endpoint)
            } else {
                fastServers.remove(transfer.server.endpoint)
            }
        }
        recycle(easy)
    }

    private func recycle(_ easy: EasyHandle?) {
        guard let easy, !isShutDownWanted, idleHandles.count < options.maximumIdleHandles else {
            return
        }
        // One whose exchange ended before its connection stood may keep its buffer, and then takes no
        // size for it any more (7.88): it would refuse its next request.
        guard easy.reset(receiveBufferBytes: options.receiveBufferBytes) else { return }
        idleHandles.append(easy)
    }

    /// The transfer that has a handle; nil for libcurl's own handles, which close connections.
    private func transfer(of easy: UnsafeMutableRawPointer?) -> UpstreamTransfer? {
        var context: UnsafeMutableRawPointer?
        if let easy { millrace_easy_get_pointer(easy, CURLINFO_PRIVATE, &context) }
        return context.map {
            Unmanaged<UpstreamTransfer>.fromOpaque($0).takeUnretainedValue()
        }
    }

    // MARK: From libcurl

    func socketChanged(
        _ easy: UnsafeMutableRawPointer?, _ descriptor: Int32, _ what: Int32
    ) {
        if what == CURL_POLL_REMOVE {
            let isLeft = transfer(of: easy)?.leavesConnection == true
            return isLeft ? rest(descriptor) : unwatch(descriptor)
        }
        resting.remove(descriptor)
        var events: FileDescriptorWatcher.Events = []
        if what & CURL_POLL_IN != 0 {
            events.insert(.readable)
            transfer(of: easy)?.waitsForBytes()
        }
        if what & CURL_POLL_OUT != 0 { events.insert(.writable) }
        if let watcher = sockets[descriptor] { return watcher.watch(events) }
        do {
            let watcher = try FileDescriptorWatcher(
                loop: loop, descriptor: descriptor, socketIsReady)
            sockets[descriptor] = watcher
            watcher.watch(events)
        } catch {
            // An error answer here would make libcurl give up the whole multi handle.
            guard let transfer = transfer(of: easy) else { return }
            transfer.cannotRun(error.description)
            chores.stop(transfer)
        }
    }

    /// Watches a connection that libcurl keeps for another request.
    private func rest(_ descriptor: Int32) {
        resting.insert(descriptor)
        sockets[descriptor]?.watch(.readable)
        var byte: UInt8 = 0
        // What is there already might not be seen before the next request is.
        if recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0 {
            spoil(descriptor)
        }
    }

    /// Ends a connection to which something came while it was at rest: its server's end, or what answers no request.
    ///
    /// libcurl (7.88) would read the latter as the answer to the next request, which may be somebody else's. It knows
    /// a connection that is at its end; one with bytes in it is none to it.
    private func spoil(_ descriptor: Int32) {
        unwatch(descriptor)
        shutdown(descriptor, Int32(SHUT_RDWR))
        withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 1) { buffer in
            // Of more than that the next request fails when it is written, and libcurl sends it elsewhere.
            var reads = 0
            while reads < 16,
                recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT)) > 0
            {
                reads += 1
            }
        }
    }

    private func unwatch(_ descriptor: Int32) {
        resting.remove(descriptor)
        sockets.removeValue(forKey: descriptor)?.close()
    }

    /// Closes a connection's socket, which may have been at rest.
    func close(_ descriptor: Int32) -> Int32 {
        unwatch(descriptor)
        return Glibc.close(descriptor)
    }

    /// Zero means "as soon as you have returned from this callback", which is the next turn.
    func timerChanged(_ milliseconds: Int) {
        isTimeoutDue = milliseconds == 0
        if milliseconds > 0 {
            timer?.arm(after: .milliseconds(milliseconds))
        } else {
            timer?.cancel()
        }
    }
}
