import Configuration
import GatewayCore
import TokenSigning
import Upstream

// The configuration as the parts want it: one place where names of keys meet names of parameters.

extension SessionSettings {
    init(_ configuration: GatewayConfiguration) {
        self.init { text in
            // The digest fails only when OpenSSL has no memory left; an empty one proves nothing.
            Array(((try? SHA256Digest.hex(of: text)) ?? "").utf8)
        }
        responsesPerSession = configuration.limits.responsesPerSession
        responsesPerConnection = configuration.limits.responsesPerConnection
        messagesPerSession = configuration.limits.messagesPerSession
        responseBytes = configuration.limits.responseBytes
        responseEvents = configuration.limits.responseEvents
        sessionBytes = configuration.replay.sessionBytes
        summaryBytes = configuration.replay.summaryBytes
        echoBytes = configuration.replay.echoBytes
        retention = configuration.replay.retention
        sessionRetention = configuration.replay.sessionRetention
        highWatermarkBytes = configuration.replay.highWatermarkBytes
        lowWatermarkBytes = configuration.replay.lowWatermarkBytes
        resumeWindow = configuration.resume.window
        abandonPolicy = configuration.resume.onAbandon == .cancel ? .cancel : .proceed
        conversationBytes = configuration.conversation.bytes
        conversation = ConversationState(configuration.conversation.state)
    }

    /// The same for a session of the OpenAI dialect.
    func forDialect(_ dialect: DialectConfiguration, _ kind: DialectSessionKind) -> SessionSettings
    {
        var settings = self
        settings.fidelity = .full
        settings.conversation = .none
        settings.activeResponses = dialect.responsesPerConnection
        settings.namedLanes = dialect.lanes
        settings.waitingRequests = dialect.waiting
        switch kind {
        case .request: settings.resumeWindow = dialect.abandon
        case .background: settings.abandonPolicy = .proceed
        case .connection: settings.keepsTurns = true
        }
        return settings
    }
}

/// What a session of the OpenAI dialect was made for.
enum DialectSessionKind {
    /// One HTTP request, whose client is expected to stay.
    case request
    /// One HTTP request that said `background: true`.
    case background
    /// One WebSocket.
    case connection
}

extension SessionSettings.ConversationState {
    init(_ state: ConversationConfiguration.State) {
        switch state {
        case .upstream: self = .upstream
        case .gateway: self = .gateway
        case .none: self = .none
        }
    }
}

extension UpstreamRequestBuilder {
    init(_ configuration: GatewayConfiguration) {
        self.init()
        storesResponses = configuration.storesUpstream
        conversation = SessionSettings.ConversationState(configuration.conversation.state)
        defaults = configuration.options.defaults.map {
            RequestOption(name: $0.name, value: Array($0.value.utf8))
        }
        models = OfferedModels(configuration.options.models)
        if let model = configuration.options.defaultModel {
            defaults.append(RequestOption(name: "model", text: model))
        }
        if let instructions = configuration.options.instructions {
            defaults.append(RequestOption(name: "instructions", text: instructions))
        }
    }
}

extension RequestOption {
    init(name: String, text: String) {
        var value: [UInt8] = []
        value.append(jsonString: text)
        self.init(name: name, value: value)
    }
}

extension ClientFrameParser {
    init(_ configuration: GatewayConfiguration) {
        var limits = Limits()
        limits.depth = configuration.limits.jsonDepth
        limits.inputBytes = configuration.limits.inputBytes
        limits.optionsBytes = configuration.limits.optionsBytes
        self.init(limits: limits, allowedOptions: Set(configuration.options.allow))
    }
}

extension UpstreamDeadlines.Limits {
    init(_ upstream: UpstreamConfiguration) {
        self.init()
        responseHeader = upstream.responseHeaderTimeout
        firstEvent = upstream.firstEventTimeout
        firstText = upstream.firstTextTimeout
        silence = upstream.silenceTimeout
        keepaliveSilence = upstream.keepaliveSilence
        total = upstream.totalTimeout
    }
}

extension CircuitBreaker.Settings {
    init(_ breaker: BreakerConfiguration) {
        self.init()
        isEnabled = breaker.isEnabled
        window = breaker.window
        minimumCalls = breaker.minimumCalls
        failurePercent = breaker.failurePercent
        slowPercent = breaker.slowPercent
        slowCall = breaker.slowCall
        unreachable = breaker.unreachable
        openTime = breaker.openTime
        maximumOpenTime = breaker.maximumOpenTime
        probes = breaker.probes
    }
}

extension RetryPolicy {
    init(_ configuration: GatewayConfiguration) {
        self.init()
        let upstream = configuration.upstream
        maximumSeams = configuration.fallback.seams
        maximumAttempts = upstream.attempts
        firstDelay = upstream.retryDelay
        maximumDelay = upstream.maximumRetryDelay
        maximumRetryAfter = upstream.maximumRetryAfter
        maximumReconnects = upstream.reconnects
    }
}

extension UpstreamServer.Options {
    /// The primary upstream.
    init(_ upstream: UpstreamConfiguration) {
        self.init(
            baseURL: upstream.baseURL, key: upstream.apiKey, reachedLike: upstream)
        organization = upstream.organization
        project = upstream.project
        extraHeaders = upstream.headers.map { ($0.name, $0.value.reveal()) }
    }

    /// A further upstream, which has an account of its own.
    ///
    /// The primary's headers name the primary's, or hold its key.
    init(_ other: FallbackConfiguration.Upstream, reachedLike upstream: UpstreamConfiguration) {
        self.init(baseURL: other.baseURL, key: other.apiKey, reachedLike: upstream)
    }

    private init(baseURL: String, key: Secret?, reachedLike upstream: UpstreamConfiguration) {
        self.init(baseURL: baseURL)
        if let key { authentication = .bearer(key.reveal()) }
        authorityFile = upstream.caFile
        verifiesTLS = upstream.verifyTLS
        allowsHTTP2 = upstream.http2 == .auto
        proxy = upstream.proxy
        connectTimeout = upstream.connectTimeout
        tlsTimeout = upstream.tlsTimeout
    }
}

extension GatewayConfiguration {
    /// Bytes of one answer that are handed on to its readers together, and at most one read more.
    ///
    /// No more than surely fit into one frame, since an event is shorter for a client than it came; and no more than a
    /// quarter of the high watermark, which is looked at only when bytes are handed on.
    var handOnBytes: Int { max(1, min(delivery.frameBytes, replay.highWatermarkBytes / 4)) }
}
