import Configuration
import EventLoop
import GatewayCore
import Glibc
import Synchronization
import Telemetry
import TokenSigning
import Upstream
import WebSocketServer

/// What all shards share: immutable, or guarded, or atomic.
final class GatewayContext: Sendable {
    let configuration: GatewayConfiguration
    let logger: Logger
    let keys: AccessKeys
    let tokens: SessionTokens
    let pool: UpstreamPool
    let retries: Shared<RetryPolicy>
    /// For sessions of the native protocol; those of the dialect derive theirs from it.
    let sessions: Shared<SessionSettings>
    let requests: UpstreamRequestBuilder
    let frames: ClientFrameParser
    let deadlines: Shared<UpstreamDeadlines.Limits>
    /// For an answer that comes in one piece.
    let wholeDeadlines: Shared<UpstreamDeadlines.Limits>
    let registry: MetricRegistry
    let staticFiles: StaticFiles
    let admission: Admission
    /// Where the responses of the OpenAI dialect are.
    let responses: ResponseIndex
    /// This life of every log: positions of an earlier process mean nothing here.
    let epoch: String
    let isDraining = Atomic<Bool>(false)
    let mailboxes: [Mailbox<ShardMessage>]
    let process: Mailbox<ProcessMessage>

    init(
        configuration: GatewayConfiguration, logger: Logger, mailboxes: [Mailbox<ShardMessage>],
        process: Mailbox<ProcessMessage>
    ) throws(GatewayStartError) {
        self.configuration = configuration
        self.logger = logger
        self.mailboxes = mailboxes
        self.process = process
        responses = ResponseIndex(limit: configuration.dialect.responses)
        registry = MetricRegistry()
        ProcessMetrics.register(in: registry, version: millraceVersion, logger: logger)
        keys = AccessKeys(configuration.auth)
        admission = Admission(configuration.server)
        if let path = configuration.upstream.caFile, access(path, R_OK) != 0 {
            throw GatewayStartError(
                "upstream.ca_file: cannot read \(path): \(String(cString: strerror(errno)))")
        }
        staticFiles = try StaticFiles(directory: configuration.server.webDirectory)
        do {
            epoch = "e_" + Base32.encode(try SecureRandom.bytes(5))
            tokens = SessionTokens(
                signer: try TokenSigner(keys: try Self.tokenKeys(configuration.resume)),
                shards: mailboxes.count)
            pool = try UpstreamPool(configuration, mailboxes: mailboxes)
        } catch {
            throw GatewayStartError("\(error)")
        }
        retries = Shared(RetryPolicy(configuration))
        pool.register(in: registry)
        sessions = Shared(SessionSettings(configuration))
        requests = UpstreamRequestBuilder(configuration)
        frames = ClientFrameParser(configuration)
        let limits = UpstreamDeadlines.Limits(configuration.upstream)
        deadlines = Shared(limits)
        wholeDeadlines = Shared(limits.forWholeAnswer)
    }

    private static func tokenKeys(_ resume: ResumeConfiguration) throws -> [HMACKey] {
        guard !resume.tokenKeys.isEmpty else { return [try HMACKey.ephemeral()] }
        return try resume.tokenKeys.map { try HMACKey(id: $0.id, secret: $0.bytes) }
    }

    /// The share of a limit of the whole process that one shard has.
    func share(of limit: Int) -> Int { max(1, limit / mailboxes.count) }
}

/// Why the gateway could not start; for standard error.
struct GatewayStartError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
