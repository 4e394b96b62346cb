import Configuration
import Upstream
import WebSocketServer

extension ServerOptions {
    /// Room for requests that are about to be refused with an answer.
    private static let socketsBeyondConnections = 256

    /// What the configuration says to one shard's server.
    init(_ context: GatewayContext) {
        self.init()
        let configuration = context.configuration
        maximumMessageBytes = configuration.limits.messageBytes
        maximumHeadBytes = configuration.server.headBytes
        maximumBodyBytes = configuration.dialect.bodyBytes
        maximumCollectedBytes = max(
            configuration.dialect.bodyBytes, context.share(of: configuration.dialect.bodiesBytes))
        bodyTimeout = configuration.server.bodyTimeout
        requestTimeoutSeconds = Self.seconds(configuration.server.requestTimeout)
        keepAliveSeconds = Self.seconds(configuration.server.keepAliveTimeout)
        lingerBytes = configuration.server.lingerBytes
        backlog = Int32(clamping: configuration.server.backlog)
        maximumSockets = configuration.server.connections + Self.socketsBeyondConnections
    }

    private static func seconds(_ duration: Duration) -> UInt32 {
        UInt32(clamping: duration.components.seconds)
    }
}

extension UpstreamOptions {
    /// What the configuration says to one shard's worker.
    init(_ context: GatewayContext) {
        self.init()
        maximumTransfers = context.share(of: context.configuration.upstream.connections)
        maximumConnections = maximumTransfers
    }
}
