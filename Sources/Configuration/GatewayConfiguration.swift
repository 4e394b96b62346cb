/// The whole configuration, checked: what the rest of the gateway reads.
///
/// Immutable. Made by `ConfigurationLoader`; `GatewayConfiguration()` is the defaults.
package struct GatewayConfiguration: Sendable {
    package let server: ServerConfiguration
    package let auth: AuthConfiguration
    package let limits: LimitsConfiguration
    package let delivery: DeliveryConfiguration
    package let replay: ReplayConfiguration
    package let resume: ResumeConfiguration
    package let conversation: ConversationConfiguration
    package let options: OptionsConfiguration
    package let dialect: DialectConfiguration
    package let upstream: UpstreamConfiguration
    package let fallback: FallbackConfiguration
    package let breaker: BreakerConfiguration
    package let drain: DrainConfiguration
    package let log: LogConfiguration
    package let metrics: MetricsConfiguration

    /// The defaults.
    package init() {
        var reader = ConfigurationReader(values: [:])
        self.init(&reader)
    }

    init(_ reader: inout ConfigurationReader) {
        server = ServerConfiguration(&reader)
        auth = AuthConfiguration(&reader)
        limits = LimitsConfiguration(&reader)
        delivery = DeliveryConfiguration(&reader)
        replay = ReplayConfiguration(&reader)
        resume = ResumeConfiguration(&reader)
        conversation = ConversationConfiguration(&reader)
        options = OptionsConfiguration(&reader)
        dialect = DialectConfiguration(&reader)
        upstream = UpstreamConfiguration(&reader)
        fallback = FallbackConfiguration(&reader)
        breaker = BreakerConfiguration(&reader)
        drain = DrainConfiguration(&reader)
        log = LogConfiguration(&reader)
        metrics = MetricsConfiguration(&reader)
    }

    /// The `store` parameter that requests carry.
    package var storesUpstream: Bool {
        switch upstream.store {
        case .auto: conversation.state == .upstream
        case .true: true
        case .false: false
        }
    }
}
