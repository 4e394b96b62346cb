import CommandLineOptions

/// A rule between keys: its row in docs/configuration.md, and what finds where it is broken.
struct ConfigurationRule: Sendable {
    /// Where a configuration breaks the rule.
    enum Breach {
        /// The value of `key` is not `relation` (than) that of `other`.
        case order(_ key: String, _ relation: String, _ other: String)
        /// `other` may be at fault where `key` was not set.
        case value(_ key: String, _ reason: String, or: String? = nil)
    }

    /// What must be otherwise where the rule is broken.
    let keys: [String]
    /// What holds of them, as Markdown.
    let statement: String
    let breaches: @Sendable (GatewayConfiguration) -> [Breach]

    private init(
        _ keys: [String], _ statement: String,
        _ breaches: @escaping @Sendable (GatewayConfiguration) -> [Breach]
    ) {
        self.keys = keys
        self.statement = statement
        self.breaches = breaches
    }

    /// `value` is less than, or at most, `bound`.
    private static func order<Value: Comparable & SendableMetatype>(
        _ key: String, _ relation: Relation, _ other: String,
        _ value: @escaping @Sendable (GatewayConfiguration) -> Value,
        _ bound: @escaping @Sendable (GatewayConfiguration) -> Value
    ) -> ConfigurationRule {
        ConfigurationRule([key], "\(relation.rawValue) `\(other)`") { configuration in
            let (value, bound) = (value(configuration), bound(configuration))
            let holds = relation == .lessThan ? value < bound : value <= bound
            return holds ? [] : [.order(key, relation.rawValue, other)]
        }
    }

    private enum Relation: String {
        case lessThan = "less than"
        case atMost = "at most"
    }

    /// In the order in which breaches are told.
    static let all = sizes + times + names + models + fallback + pauses + access

    private static let sizes: [ConfigurationRule] = [
        .order(
            "replay.low_watermark_bytes", .lessThan, "replay.high_watermark_bytes",
            { $0.replay.lowWatermarkBytes }, { $0.replay.highWatermarkBytes }),
        .order(
            "replay.high_watermark_bytes", .atMost, "replay.session_bytes",
            { $0.replay.highWatermarkBytes }, { $0.replay.sessionBytes }),
        .order(
            "replay.session_bytes", .atMost, "replay.process_bytes",
            { $0.replay.sessionBytes }, { $0.replay.processBytes }),
        .order(
            "replay.echo_bytes", .atMost, "replay.session_bytes",
            { $0.replay.echoBytes }, { $0.replay.sessionBytes }),
        .order(
            "limits.frame_bytes", .atMost, "limits.message_bytes",
            { $0.limits.frameBytes }, { $0.limits.messageBytes }),
        .order(
            "limits.input_bytes", .atMost, "limits.message_bytes",
            { $0.limits.inputBytes }, { $0.limits.messageBytes }),
        .order(
            "limits.options_bytes", .atMost, "limits.message_bytes",
            { $0.limits.optionsBytes }, { $0.limits.messageBytes }),
        .order(
            "upstream.line_bytes", .atMost, "upstream.event_bytes",
            { $0.upstream.lineBytes }, { $0.upstream.eventBytes }),
    ]

    private static let times: [ConfigurationRule] = [
        .order(
            "resume.window_s", .atMost, "replay.session_retention_s",
            { $0.resume.window }, { $0.replay.sessionRetention }),
        .order(
            "replay.retention_s", .atMost, "replay.session_retention_s",
            { $0.replay.retention }, { $0.replay.sessionRetention }),
        .order(
            "resume.window_s", .atMost, "resume.token_ttl_s",
            { $0.resume.window }, { $0.resume.tokenLifetime }),
        .order(
            "upstream.silence_timeout_ms", .atMost, "upstream.keepalive_silence_ms",
            { $0.upstream.silenceTimeout }, { $0.upstream.keepaliveSilence }),
        .order(
            "upstream.connect_timeout_ms", .atMost, "upstream.total_timeout_ms",
            { $0.upstream.connectTimeout }, { $0.upstream.totalTimeout }),
        .order(
            "drain.spread_ms", .atMost, "drain.timeout_ms",
            { $0.drain.spread }, { $0.drain.timeout }),
    ]

    private static let pauses: [ConfigurationRule] = [
        .order(
            "breaker.open_ms", .atMost, "breaker.open_max_ms",
            { $0.breaker.openTime }, { $0.breaker.maximumOpenTime }),
        .order(
            "upstream.retry_delay_ms", .atMost, "upstream.retry_delay_max_ms",
            { $0.upstream.retryDelay }, { $0.upstream.maximumRetryDelay }),
    ]

    private static let names: [ConfigurationRule] = [
        ConfigurationRule(["options.allow", "options.defaults"], "none of \(reserved)") {
            let (allowed, defaults) = ($0.options.allow, $0.options.defaults.map(\.name))
            let isReserved = OptionsConfiguration.reserved.contains
            return allowed.filter(isReserved).map {
                .value("options.allow", "the gateway sets \(quoted($0)) itself")
            }
                + defaults.filter(isReserved).map {
                    .value("options.defaults", "the gateway sets \(quoted($0)) itself")
                }
        },
        ConfigurationRule(["auth.keys"], "no name twice") {
            firstRepeated($0.auth.keys.map(\.name)).map {
                [.value("auth.keys", "the name \(quoted($0)) stands for two keys")]
            } ?? []
        },
        // Whoever sends it would be one of the two, and the sessions of the other be nobody's.
        ConfigurationRule(["auth.keys"], "no secret under two names") {
            var names: [String: String] = [:]
            return $0.auth.keys.compactMap { key in
                guard let other = names.updateValue(key.name, forKey: key.secret.reveal()),
                    other != key.name
                else { return nil }
                let pair = "\(quoted(other)) and \(quoted(key.name))"
                return .value("auth.keys", "\(pair) have the same secret")
            }
        },
        ConfigurationRule(["resume.token_keys"], "no id twice") {
            firstRepeated($0.resume.tokenKeys.map(\.id)).map {
                [.value("resume.token_keys", "the id \(quoted($0)) stands for two keys")]
            } ?? []
        },
        ConfigurationRule(["upstream.store"], "not `false` with `conversation.state` `upstream`") {
            guard $0.conversation.state == .upstream, $0.upstream.store == .false else { return [] }
            return [
                .value(
                    "upstream.store",
                    "expected auto or true: conversation.state is upstream, which stores responses")
            ]
        },
    ]

    private static let models: [ConfigurationRule] = [
        ConfigurationRule(["options.models"], "no model twice") {
            firstRepeated($0.options.models).map {
                [.value("options.models", "\(quoted($0)) is listed twice")]
            } ?? []
        },
        ConfigurationRule(
            ["options.default_model"], "one of `options.models`, where those are listed"
        ) {
            let options = $0.options
            guard !options.models.isEmpty, let model = options.defaultModel,
                !options.models.contains(model)
            else { return [] }
            return [
                .value(
                    "options.default_model", "\(quoted(model)) is none of options.models",
                    or: "options.models")
            ]
        },
        ConfigurationRule(["options.defaults"], "no `model` with `options.models`") {
            guard !$0.options.models.isEmpty,
                $0.options.defaults.contains(where: { $0.name == "model" })
            else { return [] }
            return [
                .value(
                    "options.defaults",
                    "with options.models the default for \"model\" is options.default_model")
            ]
        },
    ]

    private static let primary = FallbackConfiguration.primary

    private static let fallback: [ConfigurationRule] = [
        ConfigurationRule(
            ["fallback.urls"], "no upstream named `\(primary)`: that is the section `upstream`"
        ) {
            guard $0.fallback.upstreams.contains(where: { $0.name == primary }) else { return [] }
            return [.value("fallback.urls", "primary is the name of the section upstream")]
        },
        ConfigurationRule(
            ["fallback.equals", "fallback.order", "fallback.api_keys"],
            "only names that have a URL in `fallback.urls`"
        ) { configuration in
            let fallback = configuration.fallback
            let names = fallback.upstreams.map(\.name)
            return [
                ("fallback.equals", fallback.equals), ("fallback.order", fallback.order),
                ("fallback.api_keys", fallback.namesWithKeys),
            ].flatMap { key, used in
                used.filter { !names.contains($0) }.map { withoutURL(key, $0) }
            }
        },
        ConfigurationRule(
            ["fallback.weights", "fallback.models"],
            "only `\(primary)`, and names that have a URL in `fallback.urls`"
        ) { configuration in
            let fallback = configuration.fallback
            let names = fallback.upstreams.map(\.name) + [primary]
            return (fallback.namesWithWeights + fallback.models.map(\.upstream))
                .filter { !names.contains($0) }
                .map {
                    let hasWeight = fallback.namesWithWeights.contains($0)
                    return withoutURL(hasWeight ? "fallback.weights" : "fallback.models", $0)
                }
        },
        ConfigurationRule(
            ["fallback.urls"], "each name stands in `fallback.order` or `fallback.equals`"
        ) { configuration in
            let placed = configuration.fallback.equals + configuration.fallback.order + [primary]
            return configuration.fallback.upstreams.map(\.name).filter { !placed.contains($0) }
                .map {
                    .value(
                        "fallback.urls",
                        "\(quoted($0)) stands neither in fallback.order nor in fallback.equals")
                }
        },
        ConfigurationRule(["fallback.order", "fallback.equals"], "no name twice") {
            firstRepeated($0.fallback.equals + $0.fallback.order).map {
                [.value("fallback.order", "\(quoted($0)) has two places")]
            } ?? []
        },
    ]

    private static let access: [ConfigurationRule] = [
        ConfigurationRule(["server.debug_echo"], "only with a loopback `server.listen`") {
            guard $0.server.debugEcho, !$0.server.listen.isLoopback else { return [] }
            return [
                .value(
                    "server.debug_echo",
                    "expected false, because server.listen is \($0.server.listen), not loopback")
            ]
        }
    ]

    private static var reserved: String {
        OptionsConfiguration.reserved.sorted().map { "`\($0)`" }.joined(separator: ", ")
    }

    private static func withoutURL(_ key: String, _ name: String) -> Breach {
        .value(key, "\(quoted(name)) has no URL in fallback.urls")
    }

    private static func firstRepeated(_ names: [String]) -> String? {
        var seen: Set<String> = []
        return names.first { !seen.insert($0).inserted }
    }
}
