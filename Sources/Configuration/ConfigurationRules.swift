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
        for rule in ConfigurationRule.all {
            for breach in rule.breaches(configuration) { refuse(breach) }
        }
        findWarnings()
    }

    private mutating func findWarnings() {
        let (server, upstream) = (configuration.server, configuration.upstream)
        if configuration.fallback.seams > 0, configuration.fallback.upstreams.isEmpty {
            warn("fallback.seams", "no effect without fallback.urls")
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

    private mutating func refuse(_ breach: ConfigurationRule.Breach) {
        switch breach {
        case .order(let key, let relation, let other):
            refuse(
                key, "expected \(relation) \(other) (\(valueText(other))), found \(valueText(key))",
                or: other)
        case .value(let key, let reason, let other): refuse(key, reason, or: other)
        }
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
