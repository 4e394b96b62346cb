/// What one client may ask for.
package struct LimitsConfiguration: Sendable {
    /// One WebSocket message: all its fragments, all its lines.
    package let messageBytes: Int
    /// One fragment of a WebSocket message.
    package let frameBytes: Int
    /// The `input` of one message.
    package let inputBytes: Int
    /// The `options` of one message.
    package let optionsBytes: Int
    /// Lasting rate of frames per connection, per second.
    package let framesPerSecond: Int
    /// Frames that may come at once.
    package let framesBurst: Int
    /// Refused frames before the connection is closed.
    package let errorsPerConnection: Int
    /// From the upgrade to the `hello`.
    package let helloTimeout: Duration
    /// Nesting of JSON from a client.
    package let jsonDepth: Int
    /// Responses running at once, started by one connection.
    package let responsesPerConnection: Int
    /// Responses running at once in one session.
    package let responsesPerSession: Int
    /// Sessions in memory, over all shards.
    package let sessions: Int
    /// What one answer takes in the log.
    package let responseBytes: Int
    /// Events of one response.
    package let responseEvents: Int
    /// Message ids a session remembers.
    package let messagesPerSession: Int

    init(_ keys: inout ConfigurationReader) {
        keys.begin("limits", "What one client may ask for.")
        messageBytes = keys.bytes(
            "message_bytes", in: 1024...67_108_864, default: 8_388_608,
            "One WebSocket message from a client, with all its fragments. Above it: close 1009.")
        frameBytes = keys.bytes(
            "frame_bytes", in: 1024...67_108_864, default: 8_388_608,
            "One fragment of a WebSocket message. Above it: close 1009.")
        inputBytes = keys.bytes(
            "input_bytes", in: 64...67_108_864, default: 8_388_608,
            "The input of one message, images included. Above it: input_too_large.")
        optionsBytes = keys.bytes(
            "options_bytes", in: 64...16_777_216, default: 262_144,
            "The options of one message, tools included. Above it: the message is refused.")
        framesPerSecond = keys.integer(
            "frames_per_s", in: 1...100_000, default: 50,
            "Lasting rate of frames per connection; of several objects in one each counts. "
                + "Above it: rate_limited, then close 4429.")
        framesBurst = keys.integer(
            "frames_burst", in: 1...100_000, default: 100,
            "Frames that may come at once, above the lasting rate.")
        errorsPerConnection = keys.integer(
            "errors_per_connection", in: 0...1000, default: 10,
            "Frames that cannot be understood before the connection is closed (4400).")
        helloTimeout = keys.duration(
            "hello_timeout_ms", in: 100...600_000, default: 10_000,
            "From the upgrade to the first frame. Later: close 4408.")
        jsonDepth = keys.integer(
            "json_depth", in: 4...512, default: 64,
            "Nesting of JSON from a client. Deeper: the frame is refused.")
        responsesPerConnection = keys.integer(
            "responses_per_connection", in: 1...1000, default: 4,
            "Responses running at once, started by one connection. Above it: the message is "
                + "refused, retryable.")
        responsesPerSession = keys.integer(
            "responses_per_session", in: 1...1000, default: 4,
            "Responses running at once in one session. Above it: the message is refused, "
                + "retryable.")
        sessions = keys.integer(
            "sessions", in: 1...10_000_000, default: 100_000,
            "Sessions in memory, over all shards. Above it: the longest abandoned ends, or 1013.")
        responseBytes = keys.bytes(
            "response_bytes", in: 1024...1_073_741_824, default: 8_388_608,
            "What one answer takes in the log: text, arguments, items. Above it: the response fails."
        )
        responseEvents = keys.integer(
            "response_events", in: 100...100_000_000, default: 1_000_000,
            "Events of one response. Above it: the response fails.")
        messagesPerSession = keys.integer(
            "messages_per_session", in: 1...100_000, default: 1000,
            "Message ids a session remembers, so that a repeated one starts nothing. The oldest "
                + "is forgotten first.")
    }
}
