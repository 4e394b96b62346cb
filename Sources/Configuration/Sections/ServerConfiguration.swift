package import CommandLineOptions

/// Where the gateway listens and whom it lets in.
package struct ServerConfiguration: Sendable {
    /// Port 0 asks the system to pick one.
    package let listen: HostPort
    /// Number of event loops; `nil`: one per core.
    package let shards: Int?
    /// Directory of the web page's files; `nil`: none is served.
    package let webDirectory: String?
    /// Origins of pages that may connect besides the gateway's own; `"*"` is every origin.
    package let origins: [String]
    /// Proxies whose `X-Forwarded-For` is believed.
    package let trustedProxies: [AddressRange]
    /// Interval of pings; a peer silent for two is closed.
    package let heartbeat: Duration
    /// What a request's head, or a pause in its body, may take.
    package let requestTimeout: Duration
    /// What the head of a request may have.
    package let headBytes: Int
    /// What a client may still send after an answer that ends its connection; 0: nothing.
    package let lingerBytes: Int
    /// How long a connection is kept for another request.
    package let keepAliveTimeout: Duration
    /// What the whole body of a request may take.
    package let bodyTimeout: Duration
    /// Serves `/debug/echo`; only with a loopback address.
    package let debugEcho: Bool
    /// Connections the kernel keeps until they are accepted, per shard.
    package let backlog: Int
    /// WebSockets open at once, over all shards.
    package let connections: Int
    /// WebSockets open at once from one address; 0: no limit.
    package let connectionsPerAddress: Int
    /// File descriptors to ask the system for; `nil`: what `connections` needs.
    package let openFiles: Int?

    init(_ keys: inout ConfigurationReader) {
        keys.begin("server", "Where the gateway listens and whom it lets in.")
        let address = keys.text(
            "listen", .hostPort, default: "127.0.0.1:8080",
            "Address to listen on. Port 0 picks a free one; an IPv6 host stands in brackets.",
            .flag("listen", environment: "MILLRACE_LISTEN"))
        listen = HostPort(parsing: address) ?? HostPort(host: "127.0.0.1", port: 8080)
        shards = keys.automaticInteger(
            "shards", in: 1...256, "Event loops, one thread each. auto: one per core.",
            .flag("shards", environment: "MILLRACE_SHARDS"))
        webDirectory = keys.optionalText(
            "web_directory", .path,
            "Directory whose files are served at /. Unset: no page is served.",
            .flag("web", environment: "MILLRACE_WEB"))
        origins = keys.list(
            "origins", .origin, atMost: 256,
            "Origins of pages that may connect from another host, or \"*\" for every one. "
                + "Empty: only pages of the host they connect to. Others get 403.",
            .flag("origins", environment: "MILLRACE_ORIGINS"))
        trustedProxies = keys.list(
            "trusted_proxies", .network, atMost: 256,
            "Addresses of proxies whose X-Forwarded-For names the client. "
                + "Empty: the header is ignored."
        ).compactMap { AddressRange(parsing: $0) }
        heartbeat = keys.duration(
            "heartbeat_s", in: 1...3600, default: 25,
            "Interval of WebSocket pings. A peer that shows no sign of life for two is closed "
                + "(4409).")
        requestTimeout = keys.duration(
            "request_timeout_s", in: 1...3600, default: 20,
            "How long the head of an HTTP request, or a pause in its body, may take, and how long a "
                + "client may take nothing of an answer that is whole. Then the connection is closed."
        )
        headBytes = keys.bytes(
            "head_bytes", in: 1024...(1 << 20), default: 16 << 10,
            "What the head of an HTTP request may have. Above it: 431, or 414 for its target.")
        lingerBytes = keys.bytes(
            "linger_bytes", in: 0...(1 << 40), default: 64 << 20,
            "What is read past of a request that was answered before its end, for at most "
                + "server.request_timeout_s: a client that is still writing would see a reset in place of the "
                + "answer. 0: nothing.")
        keepAliveTimeout = keys.duration(
            "keepalive_timeout_s", in: 1...3600, default: 75,
            "How long an HTTP connection waits for its next request. A proxy in front should close "
                + "its idle connections sooner.")
        bodyTimeout = keys.duration(
            "body_timeout_s", in: 1...86_400, default: 300,
            "How long the whole body of a request may take. Above it: 408. Uploads to /v1/files "
                + "have server.request_timeout_s only.")
        debugEcho = keys.bool(
            "debug_echo", default: false,
            "Serve /debug/echo for conformance suites. Refused unless server.listen is loopback.",
            .flag("debug-echo"))
        backlog = keys.integer(
            "backlog", in: 1...65_535, default: 4096,
            "Connections that the kernel keeps until a shard accepts them; it may cap the number.")
        connections = keys.integer(
            "connections", in: 1...1_000_000, default: 50_000,
            "WebSockets open at once, over all shards. Above it: 503.")
        connectionsPerAddress = keys.integer(
            "connections_per_address", in: 0...1_000_000, default: 10_000,
            "WebSockets open at once from one address. Above it: 429. 0: no limit. "
                + "Behind a proxy, set server.trusted_proxies.")
        openFiles = keys.automaticInteger(
            "open_files", in: 64...4_194_304,
            "File descriptors to ask the system for. auto: what server.connections needs.")
    }
}
