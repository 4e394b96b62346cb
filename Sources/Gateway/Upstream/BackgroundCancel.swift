import Configuration
import EventLoop
import GatewayCore
import Telemetry
import Upstream

/// Asks upstream to cancel one background response: a POST of its own, with its own deadline.
///
/// Nobody waits for it: the response has ended for its clients. What may pass is tried once more, no answer in time
/// is not. The worker that runs it keeps it alive.
final class BackgroundCancel: UpstreamTransferDelegate {
    /// Outlives all transfers: it ends them when it stops.
    private unowned let shard: ShardCore
    private let server: UpstreamServer
    private let id: String
    private var transfer: UpstreamTransfer?
    private var timer: LoopTimer?
    private var triesLeft = 2

    private init(_ id: String, at server: UpstreamServer, shard: ShardCore) {
        self.id = id
        self.server = server
        self.shard = shard
    }

    static func start(_ id: String, at server: UpstreamServer, shard: ShardCore) {
        shard.metrics.backgroundCancels.increment()
        BackgroundCancel(id, at: server, shard: shard).send()
    }

    private func send() {
        triesLeft -= 1
        let request = UpstreamRequest(
            .post, BackgroundPosition.path(of: id) + "/cancel", to: server, expecting: .document)
        do {
            transfer = try shard.worker.start(request, delegate: self)
        } catch {
            return failed("\(error)")
        }
        let timer = shard.loop.makeTimer { [weak self] in self?.timedOut() }
        timer.arm(after: shard.context.configuration.upstream.cancelTimeout)
        self.timer = timer
    }

    private func timedOut() {
        transfer?.cancel()
        transfer = nil
        failed("no answer in time (upstream.cancel_timeout_ms)")
    }

    private func failed(_ reason: String) {
        timer?.cancel()
        shard.logger.warn(
            "background response not cancelled",
            ["gen_ai.response.id": .text(id), "error.message": .text(reason)])
    }

    func transferConnected(_ transfer: UpstreamTransfer) {
        shard.metrics.transferConnected(transfer)
    }

    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead) {}

    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow {
        .proceed
    }

    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome) {
        self.transfer = nil
        timer?.cancel()
        guard case .failed(let failure) = outcome else { return }
        if failure.isRetryable, triesLeft > 0 { return send() }
        // A response that has ended meanwhile cannot be cancelled any more: that is as good.
        guard failure.status != 400, failure.status != 404 else { return }
        failed(failure.message)
    }
}
