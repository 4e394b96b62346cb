/// What is kept for clients that come back.
package struct ReplayConfiguration: Sendable {
    /// One session's log.
    package let sessionBytes: Int
    /// Summaries of finished responses in one session.
    package let summaryBytes: Int
    /// All logs together.
    package let processBytes: Int
    /// How long exact events are kept after their response has ended.
    package let retention: Duration
    /// How long a session is kept without a connection.
    package let sessionRetention: Duration
    /// Unread bytes at which upstream is paused.
    package let highWatermarkBytes: Int
    /// Unread bytes at which a paused upstream goes on.
    package let lowWatermarkBytes: Int
    /// Largest `input` that is echoed to the session's other connections.
    package let echoBytes: Int

    init(_ keys: inout ConfigurationReader) {
        keys.begin("replay", "What is kept for clients that come back.")
        sessionBytes = keys.bytes(
            "session_bytes", in: 65_536...1_073_741_824, default: 4_194_304,
            "One session's log. Above it, finished responses are compacted, then the oldest are "
                + "dropped.")
        summaryBytes = keys.bytes(
            "summary_bytes", in: 0...1_073_741_824, default: 131_072,
            "What stands for finished responses of one session once their exact events are gone. Above "
                + "it the oldest are forgotten; the newest always stays.")
        processBytes = keys.bytes(
            "process_bytes", in: 1_048_576...1_099_511_627_776, default: 1_073_741_824,
            "All logs together. Above it, the longest abandoned sessions end first.")
        retention = keys.duration(
            "retention_s", in: 0...86_400, default: 120,
            "How long exact events are kept after their response has ended; then a snapshot "
                + "stands for them.")
        sessionRetention = keys.duration(
            "session_retention_s", in: 1...2_592_000, default: 600,
            "How long a session without connections is kept. Longer where conversation.state is "
                + "gateway: what was said ends with the session.")
        highWatermarkBytes = keys.bytes(
            "high_watermark_bytes", in: 1024...1_073_741_824, default: 262_144,
            "Bytes that no reader has taken yet at which the upstream transfer is paused.")
        lowWatermarkBytes = keys.bytes(
            "low_watermark_bytes", in: 0...1_073_741_824, default: 65_536,
            "Bytes that no reader has taken yet at which a paused transfer goes on.")
        echoBytes = keys.bytes(
            "echo_bytes", in: 0...16_777_216, default: 65_536,
            "Largest input that is echoed in the message event. Above it only its size is.")
    }
}
