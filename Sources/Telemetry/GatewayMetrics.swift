/// What one shard counts: made once at start-up, kept as properties.
///
/// Written by the shard's thread only. What each one means stands in its help text below.
package final class GatewayMetrics: Sendable {
    package let connections: Gauge
    package let connectionsTotal: Counter
    package let sessions: Gauge
    package let responsesInFlight: Gauge
    package let responses: CounterFamily<ResponseOutcome>
    package let messages: CounterFamily<MessageResult>
    package let deltas: Counter
    package let receivedBytes: Counter
    package let sentBytes: Counter
    package let framesReceived: Counter
    package let framesSent: Counter
    package let upstreamReceivedBytes: Counter
    package let firstEvent: Histogram
    package let firstText: Histogram
    package let deltaGap: Histogram
    package let responseDuration: Histogram
    package let resumes: CounterFamily<ResumeOutcome>
    package let cancels: CounterFamily<CancelSource>
    package let cancelClose: Histogram
    package let replayLogBytes: Gauge
    package let memoryReliefs: Counter
    package let snapshots: Counter
    package let mergedDeltas: Counter
    package let upstreamPaused: Counter
    package let upstreamTransfers: Gauge
    package let upstreamConnections: Counter
    package let upstreamRequests: CounterFamily<UpstreamResult>
    package let upstreamAttempts: Counter
    package let upstreamRetries: NamedCounterFamily
    package let upstreamReattached: Counter
    package let upstreamSeams: Counter
    package let retriesDenied: Counter
    package let backgroundCancels: Counter
    package let queueTime: Histogram
    package let connectTime: Histogram
    package let headerTime: Histogram
    package let backOffTime: Histogram
    package let errors: NamedCounterFamily
    package let closes: NamedCounterFamily
    package let tokenUsage: CounterFamily<TokenKind>

    /// One instance per shard; `errorCodes` and `closeCodes` are those of the protocol, the same
    /// for every shard.
    package init(
        _ registry: MetricRegistry, errorCodes: [String], closeCodes: [UInt16],
        retryReasons: [String] = []
    ) {
        connections = registry.gauge("gateway_connections", "WebSockets open now.")
        connectionsTotal = registry.counter(
            "gateway_connections_total", "WebSockets opened since the start.")
        sessions = registry.gauge("gateway_sessions", "Sessions in memory now.")
        responsesInFlight = registry.gauge(
            "gateway_responses_in_flight", "Responses without their complete event now.")
        responses = registry.counters(
            "gateway_responses_total", "Responses ended, by the status of their complete event.",
            by: ResponseOutcome.self)
        messages = registry.counters(
            "gateway_messages_total", "Messages of clients, by what became of them.",
            by: MessageResult.self)
        deltas = registry.counter(
            "gateway_deltas_total", "Delta events logged, of every kind.")
        receivedBytes = registry.counter(
            "gateway_received_bytes_total", "Payload received over WebSockets.")
        sentBytes = registry.counter(
            "gateway_sent_bytes_total", "Payload sent over WebSockets.")
        framesReceived = registry.counter(
            "gateway_frames_received_total", "WebSocket messages received.")
        framesSent = registry.counter("gateway_frames_sent_total", "WebSocket frames sent.")
        upstreamReceivedBytes = registry.counter(
            "gateway_upstream_received_bytes_total", "Bytes of answers received from upstream.")
        firstEvent = registry.histogram(
            "gateway_first_event_seconds", "From the message to upstream's first event.", .waiting)
        firstText = registry.histogram(
            "gateway_first_text_seconds",
            "From the message to the first text delta: what a person waits for.", .waiting)
        deltaGap = registry.histogram(
            "gateway_delta_gap_seconds",
            "Between two deltas of one response, of text or any other kind.", .gaps)
        responseDuration = registry.histogram(
            "gateway_response_seconds", "From the message to its complete event.", .responses)
        resumes = registry.counters(
            "gateway_resumes_total", "Resumes asked for, by what became of them.",
            by: ResumeOutcome.self)
        cancels = registry.counters(
            "gateway_cancels_total", "Responses cancelled, by who did it.", by: CancelSource.self)
        cancelClose = registry.histogram(
            "gateway_cancel_close_seconds", "From the cancel to the closed upstream transfer.",
            .instant)
        replayLogBytes = registry.gauge(
            "gateway_replay_log_bytes", "Size of all replay logs now.")
        memoryReliefs = registry.counter(
            "gateway_memory_reliefs_total",
            "Times that logs were above replay.process_bytes and sessions were looked through for "
                + "what can go.")
        snapshots = registry.counter(
            "gateway_snapshots_total", "Snapshots sent in place of compacted events.")
        mergedDeltas = registry.counter(
            "gateway_merged_deltas_total",
            "Events that readers far behind got with adjacent deltas merged.")
        upstreamPaused = registry.counter(
            "gateway_upstream_paused_total", "Times a transfer was paused for its readers.")
        upstreamTransfers = registry.gauge(
            "gateway_upstream_transfers", "Requests to upstream open now.")
        upstreamConnections = registry.counter(
            "gateway_upstream_connections_total", "Connections to upstream opened.")
        upstreamRequests = registry.counters(
            "gateway_upstream_requests_total", "Requests to upstream ended, by how.",
            by: UpstreamResult.self)
        upstreamAttempts = registry.counter(
            "gateway_upstream_attempts_total", "Requests for a response that were sent upstream.")
        upstreamRetries = registry.counters(
            "gateway_upstream_retries_total",
            "Further attempts at a response, by what the one before failed of.", label: "reason",
            values: retryReasons)
        upstreamReattached = registry.counter(
            "gateway_upstream_reattached_total", "Reconnections to background responses.")
        upstreamSeams = registry.counter(
            "gateway_upstream_seams_total",
            "Answers that broke off in their text and went on at another upstream.")
        retriesDenied = registry.counter(
            "gateway_upstream_retries_denied_total",
            "Retries that were not made because the budget was spent.")
        backgroundCancels = registry.counter(
            "gateway_upstream_background_cancels_total",
            "Background responses that upstream was asked to cancel.")
        queueTime = registry.histogram(
            "gateway_upstream_queue_seconds", "Waiting for a place at an upstream.", .waiting)
        connectTime = registry.histogram(
            "gateway_upstream_connect_seconds",
            "From the start of an attempt to its connection, new or used before.", .waiting)
        headerTime = registry.histogram(
            "gateway_upstream_header_seconds", "From the connection to the answer's headers.",
            .waiting)
        backOffTime = registry.histogram(
            "gateway_upstream_backoff_seconds", "Pauses before further attempts.", .waiting)
        errors = registry.counters(
            "gateway_errors_total", "Errors told to clients of the native protocol, by code.",
            label: "code",
            values: errorCodes)
        closes = registry.counters(
            "gateway_closes_total", "WebSockets closed, by close code.", label: "code",
            values: closeCodes.map { "\($0)" })
        tokenUsage = registry.counters(
            "gateway_token_usage_total", "Tokens that upstream reported, by kind.",
            by: TokenKind.self)
    }
}
