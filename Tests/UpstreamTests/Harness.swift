import EventLoop
import GatewayCore
import Testing

@testable import Upstream

/// Records what one transfer says, and lets a test step in.
final class Recorder: UpstreamTransferDelegate {
    private(set) var connectedCount = 0
    private(set) var head: UpstreamResponseHead?
    private(set) var bytes: [UInt8] = []
    private(set) var byteCount = 0
    private(set) var outcomes: [UpstreamOutcome] = []
    /// False counts bytes only.
    var keepsBytes = true
    var onConnected: (UpstreamTransfer) -> Void = { _ in }
    var onHead: (UpstreamTransfer) -> Void = { _ in }
    var onBytes: (UpstreamTransfer) -> UpstreamFlow = { _ in .proceed }
    var onEnd: (UpstreamTransfer) -> Void = { _ in }
    /// True while a call into the worker is under way, when no delegate method may come.
    var isCalling = false

    /// Drops the closures, which hold what holds this object.
    func forgetClosures() {
        onConnected = { _ in }
        onHead = { _ in }
        onBytes = { _ in .proceed }
        onEnd = { _ in }
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var isFinished: Bool { if case .finished? = outcomes.last { true } else { false } }
    var failure: UpstreamFailure? {
        if case .failed(let failure)? = outcomes.last { failure } else { nil }
    }

    func transferConnected(_ transfer: UpstreamTransfer) {
        #expect(!isCalling)
        connectedCount += 1
        onConnected(transfer)
    }

    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead) {
        #expect(!isCalling)
        #expect(self.head == nil)
        self.head = head
        onHead(transfer)
    }

    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow {
        #expect(!isCalling)
        #expect(outcomes.isEmpty)
        byteCount += bytes.count
        if keepsBytes { for index in bytes.indices { self.bytes.append(bytes[index]) } }
        return onBytes(transfer)
    }

    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome) {
        #expect(!isCalling)
        outcomes.append(outcome)
        onEnd(transfer)
    }
}

/// A loop on the test's own thread with one worker; checks that nothing is left behind.
final class Harness {
    let loop: EventLoop
    let worker: UpstreamWorker
    private var guardTimer: LoopTimer?
    private var recorders: [Recorder] = []
    private var repetitions: [LoopTimer] = []

    private init(loop: EventLoop, options: UpstreamOptions) throws {
        self.loop = loop
        worker = try UpstreamWorker(loop: loop, options: options)
    }

    /// Runs `body`, which starts things, until `finish` is called; fails after 30 seconds.
    static func run(
        options: UpstreamOptions = .init(), sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (Harness) throws -> Void
    ) throws {
        let loop = try EventLoop()
        var used: Harness?
        defer { used?.forgetClosures() }
        var failure: (any Error)?
        loop.run(started: {
            do {
                let harness = try Harness(loop: loop, options: options)
                used = harness
                let timer = loop.makeTimer {
                    Issue.record("nothing more happened", sourceLocation: sourceLocation)
                    harness.finish()
                }
                timer.arm(after: .seconds(30))
                harness.guardTimer = timer
                try body(harness)
            } catch {
                failure = error
                loop.close()
            }
        })
        #expect(loop.destroy(), "the loop kept a handle", sourceLocation: sourceLocation)
        if let failure { throw failure }
    }

    /// Ends the test; callable from a delegate.
    func finish() {
        worker.shutDown()
        guardTimer?.cancel()
        guardTimer = nil
        loop.close()
    }

    /// Calls `body` every so often, until it says false.
    func every(_ period: Duration, _ body: @escaping () -> Bool) {
        let index = repetitions.count
        let timer = loop.makeTimer { [weak self] in
            guard body(), let self, index < repetitions.count else { return }
            repetitions[index].arm(after: period)
        }
        repetitions.append(timer)
        timer.arm(after: period)
    }

    private func forgetClosures() {
        for timer in repetitions { timer.cancel() }
        repetitions.removeAll()
        for recorder in recorders { recorder.forgetClosures() }
    }

    @discardableResult
    func start(_ request: UpstreamRequest, _ recorder: Recorder) throws -> UpstreamTransfer {
        recorders.append(recorder)
        recorder.isCalling = true
        defer { recorder.isCalling = false }
        return try worker.start(request, delegate: recorder)
    }

    /// One exchange to its end.
    static func exchange(
        _ request: UpstreamRequest, options: UpstreamOptions = .init(),
        recorder: Recorder = Recorder(), sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (recorder: Recorder, transfer: UpstreamTransfer) {
        var transfer: UpstreamTransfer?
        try run(options: options, sourceLocation: sourceLocation) { harness in
            let previous = recorder.onEnd
            recorder.onEnd = {
                previous($0)
                harness.finish()
            }
            transfer = try harness.start(request, recorder)
        }
        #expect(recorder.outcomes.count == 1, sourceLocation: sourceLocation)
        return (recorder, try #require(transfer, sourceLocation: sourceLocation))
    }
}

extension UpstreamRequest {
    /// A streaming POST to a plain server.
    static func stream(_ url: String, body: String = "{}") throws -> UpstreamRequest {
        var options = UpstreamServer.Options(baseURL: url)
        options.authentication = .bearer("sk-test-0123456789")
        return UpstreamRequest(
            .post, "/responses", to: try UpstreamServer(options), body: Array(body.utf8))
    }
}
