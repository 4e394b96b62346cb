/// The server that speaks the Responses API.
package struct UpstreamConfiguration: Sendable {
    /// Whether HTTP/2 is offered.
    package enum HTTP2: String, Sendable, CaseIterable {
        /// By ALPN, over TLS.
        case auto
        case off
    }

    /// The `store` parameter of requests.
    package enum Store: String, Sendable, CaseIterable {
        /// True exactly when the conversation's state is kept upstream.
        case auto
        case `true`
        case `false`
    }

    /// Without a slash at its end; `/responses` is appended.
    package let baseURL: String
    /// Sent as bearer token; `nil`: none.
    package let apiKey: Secret?
    /// `OpenAI-Organization`.
    package let organization: String?
    /// `OpenAI-Project`.
    package let project: String?
    /// Further request headers, sorted by name.
    package let headers: [Header]
    /// CA certificates (PEM) in place of the system's.
    package let caFile: String?
    /// Certificate and host name are verified.
    package let verifyTLS: Bool
    /// Whether HTTP/2 is offered.
    package let http2: HTTP2
    /// The proxy; `nil`: none, whatever the environment says.
    package let proxy: String?
    /// The `store` parameter of requests.
    package let store: Store
    /// Name look-up and TCP together.
    package let connectTimeout: Duration
    /// The TLS handshake.
    package let tlsTimeout: Duration
    /// From the request to the answer's headers.
    package let responseHeaderTimeout: Duration
    /// From the answer's headers to the first event.
    package let firstEventTimeout: Duration
    /// From the answer's headers to the first output that a person sees.
    package let firstTextTimeout: Duration
    /// Between two bytes of any kind.
    package let silenceTimeout: Duration
    /// Between two events, when only comments and keepalives come.
    package let keepaliveSilence: Duration
    /// The whole response.
    package let totalTimeout: Duration
    /// One line of the event stream.
    package let lineBytes: Int
    /// One event of the stream, all its lines.
    package let eventBytes: Int
    /// Transfers open at once, over all shards.
    package let connections: Int
    /// Attempts at a response, the first one included.
    package let attempts: Int
    /// Before the first retry; doubles.
    package let retryDelay: Duration
    package let maximumRetryDelay: Duration
    /// The longest `retry-after` that is waited for.
    package let maximumRetryAfter: Duration
    /// Retries as a part of the requests.
    package let retryBudgetPercent: Int
    /// Reconnections in a row to a background response that bring nothing new.
    package let reconnects: Int
    /// Attempts at one upstream at a time, over all shards.
    package let concurrency: Int
    /// Responses that may wait for a place.
    package let queue: Int
    package let queueTimeout: Duration
    /// For the POST that cancels a background response.
    package let cancelTimeout: Duration

    /// One request header.
    package struct Header: Sendable, Equatable {
        package let name: String
        package let value: Secret
    }

    init(_ keys: inout ConfigurationReader) {
        keys.begin("upstream", "The server that speaks the Responses API.")
        var base = keys.text(
            "base_url", .url, default: "https://api.openai.com/v1",
            "URL of the API, up to and without /responses.",
            .init(
                flag: "upstream", environment: ["MILLRACE_UPSTREAM"],
                weakEnvironment: ["OPENAI_BASE_URL"]))
        while base.hasSuffix("/") { base.removeLast() }
        baseURL = base
        apiKey = keys.optionalText(
            "api_key", .token, "Sent as bearer token. Better set by the environment.",
            .init(weakEnvironment: ["OPENAI_API_KEY"], isSecret: true)
        ).map { Secret($0) }
        organization = keys.optionalText(
            "organization", .token, "Sent as OpenAI-Organization.")
        project = keys.optionalText("project", .token, "Sent as OpenAI-Project.")
        headers = keys.map(
            "headers", .headerName, .headerValue, atMost: 64,
            "Further request headers, such as api-key for Azure.", .secret
        ).map { Header(name: $0.name, value: Secret($0.value)) }
        caFile = keys.optionalText(
            "ca_file", .path, "CA certificates (PEM) in place of the system's.")
        verifyTLS = keys.bool(
            "verify_tls", default: true,
            "Verify upstream's certificate and host name. false is for tests only.")
        http2 = keys.choice(
            "http2", default: .auto, "Offer HTTP/2 over TLS (auto), or speak HTTP/1.1 only (off).")
        proxy = keys.optionalText(
            "proxy", .proxy, "Proxy for requests. Unset: none, whatever http_proxy says.")
        store = keys.choice(
            "store", default: .auto,
            "The store parameter of requests. auto: true exactly when conversation.state is "
                + "upstream.")
        connectTimeout = keys.duration(
            "connect_timeout_ms", in: 10...300_000, default: 5000,
            "Name look-up and TCP together.")
        tlsTimeout = keys.duration(
            "tls_timeout_ms", in: 10...300_000, default: 5000, "The TLS handshake.")
        responseHeaderTimeout = keys.duration(
            "response_header_timeout_ms", in: 100...3_600_000, default: 60_000,
            "From the request to the headers of the answer.")
        firstEventTimeout = keys.duration(
            "first_event_timeout_ms", in: 100...3_600_000, default: 120_000,
            "From the headers to the first event.")
        firstTextTimeout = keys.duration(
            "first_text_timeout_ms", in: 100...86_400_000, default: 1_800_000,
            "From the headers to the first text or tool call; reasoning models think for minutes.")
        silenceTimeout = keys.duration(
            "silence_timeout_ms", in: 100...3_600_000, default: 120_000,
            "Longest time without any byte.")
        keepaliveSilence = keys.duration(
            "keepalive_silence_ms", in: 100...7_200_000, default: 600_000,
            "Longest time with nothing but comments and keepalives.")
        totalTimeout = keys.duration(
            "total_timeout_ms", in: 1000...86_400_000, default: 3_600_000,
            "The whole response, from the request to its end.")
        lineBytes = keys.bytes(
            "line_bytes", in: 1024...268_435_456, default: 16_777_216,
            "One line of the event stream. Longer: the response fails.")
        eventBytes = keys.bytes(
            "event_bytes", in: 1024...268_435_456, default: 16_777_216,
            "One event of the stream, all its lines. Larger: the response fails.")
        connections = keys.integer(
            "connections", in: 1...1_000_000, default: 20_000,
            "Transfers open at once, over all shards. Above it: the message is refused, "
                + "retryable.")
        attempts = keys.integer(
            "attempts", in: 1...20, default: 3,
            "Attempts at a response before its first output, the first one included; at least one "
                + "for each upstream.")
        retryDelay = keys.duration(
            "retry_delay_ms", in: 1...600_000, default: 500,
            "Pause before the first retry where upstream names none; doubles with each further "
                + "one, less up to a quarter at random.")
        maximumRetryDelay = keys.duration(
            "retry_delay_max_ms", in: 1...600_000, default: 8000, "The longest such pause.")
        maximumRetryAfter = keys.duration(
            "retry_after_max_ms", in: 0...600_000, default: 60_000,
            "The longest retry-after that is waited for. Above it the response fails, and the "
                + "client is told when to come back.")
        retryBudgetPercent = keys.integer(
            "retry_budget_percent", in: 0...1000, default: 20,
            "Retries as a part of the requests, per shard; a reserve of 10 fills up by one a "
                + "second.")
        reconnects = keys.integer(
            "reconnects", in: 0...1000, default: 8,
            "Reconnections in a row to a background response that bring nothing new.")
        concurrency = keys.integer(
            "concurrency", in: 1...1_000_000, default: 20_000,
            "Requests to one upstream at a time, over all shards. Above it responses wait, or go "
                + "to a fallback.")
        queue = keys.integer(
            "queue", in: 0...1_000_000, default: 1000,
            "Responses that may wait for a place. Above it: upstream_busy.")
        queueTimeout = keys.duration(
            "queue_timeout_ms", in: 0...600_000, default: 30_000,
            "How long a response may wait for a place.")
        cancelTimeout = keys.duration(
            "cancel_timeout_ms", in: 100...600_000, default: 5000,
            "For the request that cancels a background response.")
    }
}
