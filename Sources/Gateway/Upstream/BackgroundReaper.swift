import Configuration
import EventLoop
import GatewayCore
import Telemetry
import Upstream

/// Cancels a background response that was given up before upstream had told its id.
///
/// Closing the connection would leave it running, and billed. So its transfer is read on, unseen, until the
/// id comes or `upstream.cancel_timeout_ms` is over. The transfer keeps it alive.
final class BackgroundReaper: UpstreamTransferDelegate {
    /// Outlives all transfers: it ends them when it stops.
    private unowned let shard: ShardCore
    private let server: UpstreamServer
    private var parser: ServerSentEventParser
    private var transfer: UpstreamTransfer?
    private var timer: LoopTimer?

    private init(_ parser: ServerSentEventParser, at server: UpstreamServer, shard: ShardCore) {
        self.parser = parser
        self.server = server
        self.shard = shard
    }

    /// Takes over a transfer from its owner; `parser` is where its stream is.
    static func take(
        _ transfer: UpstreamTransfer, _ parser: ServerSentEventParser, at server: UpstreamServer,
        shard: ShardCore
    ) {
        let reaper = BackgroundReaper(parser, at: server, shard: shard)
        reaper.transfer = transfer
        let timer = shard.loop.makeTimer { [weak reaper] in reaper?.timedOut() }
        timer.arm(after: shard.context.configuration.upstream.cancelTimeout)
        reaper.timer = timer
        transfer.handOver(to: reaper)
        transfer.resume()
    }

    private func timedOut() {
        shard.logger.warn("background response not cancelled: upstream told no id in time")
        close()
    }

    private func close() {
        timer?.cancel()
        guard let transfer else { return }
        self.transfer = nil
        transfer.cancel()
        shard.metrics.transferEnded(.cancelled)
    }

    func transferConnected(_ transfer: UpstreamTransfer) {}

    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead) {}

    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow {
        var found: String?
        try? parser.feed(bytes) { data, _ in
            found = Self.responseID(in: data)
            return found == nil ? .proceed : .stop
        }
        if let found {
            close()
            BackgroundCancel.start(found, at: server, shard: shard)
        }
        return .proceed
    }

    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome) {
        self.transfer = nil
        timer?.cancel()
        shard.metrics.transferEnded(UpstreamResult(outcome))
    }

    /// The id of the response that a lifecycle event is about.
    private static func responseID(in data: Span<UInt8>) -> String? {
        let reader = JSONReader(maximumDepth: JSONReader.upstreamMaximumDepth)
        guard let root = try? reader.read(data),
            let id = root.member("response", in: data)?.member("id", in: data)?.decoded(in: data)
        else { return nil }
        let text = String(decoding: id, as: UTF8.self)
        return text.isEmpty ? nil : text
    }
}
