import CommandLineOptions

/// Rules between keys, and what deserves a warning.
struct ConfigurationRules {
    private let configuration: GatewayConfiguration
    private let assignments: [String: ConfigurationAssignment]
    private(set) var issues: [ConfigurationIssue] = []
    private(set) var warnings: [ConfigurationWarning] = []

    init(_ configuration: GatewayConfiguration, _ assignments: [String: ConfigurationAssignment]) {
        self.configuration = configuration
        self.assignments = assignments
        checkSizes()
        checkTimes()
        checkNames()
        checkModels()
        checkFallback()
        checkAccess()
    }

    private mutating func checkSizes() {
        let (limits, replay) = (configuration.limits, configuration.replay)
        require(
            replay.lowWatermarkBytes < replay.highWatermarkBytes, "replay.low_watermark_bytes",
            "less than", "replay.high_watermark_bytes")
        require(
            replay.highWatermarkBytes <= replay.sessionBytes, "replay.high_watermark_bytes",
            "at most", "replay.session_bytes")
        require(
            replay.sessionBytes <= replay.processBytes, "replay.session_bytes", "at most",
            "replay.process_bytes")
        require(
            replay.echoBytes <= replay.sessionBytes, "replay.echo_bytes", "at most",
            "replay.session_bytes")
        require(
            limits.frameBytes <= limits.messageBytes, "limits.frame_bytes", "at most",
            "limits.message_bytes")
        require(
            limits.inputBytes <= limits.messageBytes, "limits.input_bytes", "at most",
            "limits.message_bytes")
        require(
            limits.optionsBytes <= limits.messageBytes, "limits.options_bytes", "at most",
            "limits.message_bytes")
        require(
            configuration.upstream.lineBytes <= configuration.upstream.eventBytes,
            "upstream.line_bytes", "at most", "upstream.event_bytes")
    }

    private mutating func checkTimes() {
        let (replay, resume) = (configuration.replay, configuration.resume)
        let upstream = configuration.upstream
        require(
            resume.window <= replay.sessionRetention, "resume.window_s", "at most",
            "replay.session_retention_s")
        require(
            replay.retention <= replay.sessionRetention, "replay.retention_s", "at most",
            "replay.session_retention_s")
        require(
            resume.window <= resume.tokenLifetime, "resume.window_s", "at most",
            "resume.token_ttl_s")
        require(
            upstream.silenceTimeout <= upstream.keepaliveSilence, "upstream.silence_timeout_ms",
            "at most", "upstream.keepalive_silence_ms")
        require(
            upstream.connectTimeout <= upstream.totalTimeout, "upstream.connect_timeout_ms",
            "at most", "upstream.total_timeout_ms")
        require(
            configuration.drain.spread <= configuration.drain.timeout, "drain.spread_ms",
            "at most", "drain.timeout_ms")
    }

    private mutating func checkNames() {
        for name in configuration.options.allow where OptionsConfiguration.reserved.contains(name) {
            refuse("options.allow", "the gateway sets \(quoted(name)) itself")
        }
        for pair in configuration.options.defaults
        where OptionsConfiguration.reserved.contains(pair.name) {
            refuse("options.defaults", "the gateway sets \(quoted(pair.name)) itself")
        }
        if let name = firstRepeated(configuration.auth.keys.map(\.name)) {
            refuse("auth.keys", "the name \(quoted(name)) stands for two keys")
        }
        var names: [String: String] = [:]
        for key in configuration.auth.keys {
            guard let other = names.updateValue(key.name, forKey: key.secret.reveal()),
                other != key.name
            else { continue }
            // Whoever sends it would be one of the two, and sessions of the other be nobody's.
            refuse("auth.keys", "\(quoted(other)) and \(quoted(key.name)) have the same secret")
        }
        if let id = firstRepeated(configuration.resume.tokenKeys.map(\.id)) {
            refuse("resume.token_keys", "the id \(quoted(id)) stands for two keys")
        }
        if configuration.conversation.state == .upstream, configuration.upstream.store == .false {
            refuse(
                "upstream.store",
                "expected auto or true: conversation.state is upstream, which stores responses")
        }
    }

    private mutating func checkModels() {
        let options = configuration.options
        guard !options.models.isEmpty else { return }
        if let name = firstRepeated(options.models) {
            refuse("options.models", "\(quoted(name)) is listed twice")
        }
        if let model = options.defaultModel, !options.models.contains(model) {
            refuse(
                "options.default_model", "\(quoted(model)) is none of options.models",
                or: "options.models")
        }
        if options.defaults.contains(where: { $0.name == "model" }) {
            refuse(
                "options.defaults",
                "with options.models the default for \"model\" is options.default_model")
        }
    }

    private mutating func checkFallback() {
        let fallback = configuration.fallback
        let names = fallback.upstreams.map(\.name)
        if names.contains(FallbackConfiguration.primary) {
            refuse("fallback.urls", "primary is the name of the section upstream")
        }
        let placed = fallback.equals + fallback.order
        for (key, used) in [
            ("fallback.equals", fallback.equals), ("fallback.order", fallback.order),
            ("fallback.api_keys", fallback.namesWithKeys),
        ] {
            for name in used where !names.contains(name) {
                refuse(key, "\(quoted(name)) has no URL in fallback.urls")
            }
        }
        for name in fallback.namesWithWeights + fallback.models.map(\.upstream)
        where !names.contains(name) && name != FallbackConfiguration.primary {
            refuse(
                fallback.namesWithWeights.contains(name) ? "fallback.weights" : "fallback.models",
                "\(quoted(name)) has no URL in fallback.urls")
        }
        for name in names where !placed.contains(name) && name != FallbackConfiguration.primary {
            refuse(
                "fallback.urls",
                "\(quoted(name)) stands neither in fallback.order nor in fallback.equals")
        }
        if fallback.seams > 0, names.isEmpty {
            warn("fallback.seams", "no effect without fallback.urls")
        }
        if let name = firstRepeated(placed) {
            refuse("fallback.order", "\(quoted(name)) has two places")
        }
        require(
            configuration.breaker.openTime <= configuration.breaker.maximumOpenTime,
            "breaker.open_ms", "at most", "breaker.open_max_ms")
        require(
            configuration.upstream.retryDelay <= configuration.upstream.maximumRetryDelay,
            "upstream.retry_delay_ms", "at most", "upstream.retry_delay_max_ms")
    }

    private mutating func checkAccess() {
        let (server, upstream) = (configuration.server, configuration.upstream)
        if server.debugEcho, !server.listen.isLoopback {
            refuse(
                "server.debug_echo",
                "expected false, because server.listen is \(server.listen), not loopback")
        }
        if configuration.resume.tokenKeys.isEmpty {
            warn("resume.token_keys", "none is set: a restart makes every resume token worthless")
        }
        if configuration.auth.keys.isEmpty, !server.listen.isLoopback {
            warn("auth.keys", "none is set: everyone who reaches \(server.listen) may use upstream")
        }
        if server.origins.contains("*") {
            warn(
                "server.origins", "\"*\" lets every web page use the gateway in its visitor's name")
        }
        if !upstream.verifyTLS {
            warn("upstream.verify_tls", "off: anyone on the way can read and change everything")
        }
        if upstream.apiKey != nil, isRemoteCleartext(upstream.baseURL) {
            warn("upstream.base_url", "http sends the API key over the network unencrypted")
        }
    }

    private func isRemoteCleartext(_ url: String) -> Bool {
        guard url.hasPrefix("http://") else { return false }
        let authority = String(url.dropFirst(7).prefix { $0 != "/" })
        let address = HostPort(parsing: authority) ?? HostPort(parsing: "\(authority):80")
        return address?.isLoopback != true
    }

    private func firstRepeated(_ names: [String]) -> String? {
        var seen: Set<String> = []
        return names.first { !seen.insert($0).inserted }
    }

    private mutating func require(
        _ holds: Bool, _ key: String, _ relation: String, _ other: String
    ) {
        guard !holds else { return }
        refuse(
            key, "expected \(relation) \(other) (\(valueText(other))), found \(valueText(key))",
            or: other)
    }

    private mutating func refuse(_ key: String, _ reason: String, or other: String? = nil) {
        let origin = assignments[key]?.origin ?? other.flatMap { assignments[$0]?.origin }
        issues.append(ConfigurationIssue(origin: origin, key: key, reason: reason))
    }

    private mutating func warn(_ key: String, _ text: String) {
        warnings.append(ConfigurationWarning(key: key, text: text))
    }

    private func valueText(_ name: String) -> String {
        let value =
            assignments[name]?.value
            ?? ConfigurationSchema.gateway.key(named: name)?.defaultValue
        if case .integer(let number) = value { return "\(number)" }
        return "?"
    }
}
