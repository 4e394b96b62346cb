/// The OpenAI dialect: `/v1/responses` and what belongs to it.
package struct DialectConfiguration: Sendable {
    /// Off: its paths do not exist.
    package let isEnabled: Bool
    /// How long a response goes on whose HTTP client has left.
    package let abandon: Duration
    /// Silence on an event stream after which a comment is sent.
    package let heartbeat: Duration
    /// The body of one request.
    package let bodyBytes: Int
    /// All bodies that are being read, of all shards together.
    package let bodiesBytes: Int
    /// How long an answer is held back for a retry nobody sees, once upstream has begun it.
    package let hold: Duration
    /// One uploaded file with its form.
    package let fileBytes: Int
    /// Responses of one WebSocket that run at once.
    package let responsesPerConnection: Int
    /// Named lanes of one WebSocket.
    package let lanes: Int
    /// Requests of one WebSocket that wait for their lane.
    package let waiting: Int
    /// How long a WebSocket may last.
    package let connectionLifetime: Duration
    /// Response ids that can be asked for.
    package let responses: Int

    init(_ keys: inout ConfigurationReader) {
        keys.begin("dialect", "The OpenAI dialect: /v1/responses and what belongs to it.")
        isEnabled = keys.bool(
            "enabled", default: true,
            "Whether its paths are there: /v1/responses, /v1/models and the rest.")
        abandon = keys.duration(
            "abandon_ms", in: 0...86_400_000, default: 3000,
            "How long a response goes on after its HTTP client has left, for it to come back with "
                + "starting_after. A background response goes on to its end; a WebSocket has "
                + "resume.window_s.")
        heartbeat = keys.duration(
            "heartbeat_ms", in: 100...600_000, default: 5000,
            "Silence on an event stream after which a comment is sent.")
        bodyBytes = keys.bytes(
            "body_bytes", in: 1024...1_073_741_824, default: 16_777_216,
            "The body of one request. Above it: 413.")
        bodiesBytes = keys.bytes(
            "bodies_bytes", in: 65_536...1_099_511_627_776, default: 268_435_456,
            "All bodies that are being read at once, in equal parts for the shards. Above it: 503. "
                + "At least dialect.body_bytes for each shard.")
        hold = keys.duration(
            "hold_ms", in: 0...60_000, default: 300,
            "How long response.created waits for the first output. An upstream that fails within "
                + "that time is tried again without the client seeing it. 0: it goes out at once.")
        fileBytes = keys.bytes(
            "file_bytes", in: 1024...1_099_511_627_776, default: 536_870_912,
            "One upload to /v1/files, which is passed on as it comes. Above it: 413.")
        responsesPerConnection = keys.integer(
            "responses_per_connection", in: 1...1000, default: 16,
            "Responses of one WebSocket that run at once; further ones wait.")
        lanes = keys.integer(
            "lanes", in: 0...10_000, default: 32,
            "Named lanes (stream_id) of one WebSocket. Above it: websocket_stream_limit_reached.")
        waiting = keys.integer(
            "waiting", in: 0...10_000, default: 64,
            "Requests of one WebSocket that wait for their lane. Above it: rate_limit_exceeded.")
        connectionLifetime = keys.duration(
            "connection_lifetime_s", in: 1...604_800, default: 3600,
            "How long a WebSocket may last; then websocket_connection_limit_reached, and once "
                + "nothing runs on it, close 1001.")
        responses = keys.integer(
            "responses", in: 1...100_000_000, default: 200_000,
            "Response ids that can be asked for without asking upstream, over all shards. The "
                + "oldest is forgotten first.")
    }
}
