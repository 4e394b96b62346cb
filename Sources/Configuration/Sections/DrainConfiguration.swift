/// What happens at SIGTERM.
package struct DrainConfiguration: Sendable {
    /// How long running responses may go on.
    package let timeout: Duration
    /// Over which the clients' reconnects are spread.
    package let spread: Duration

    init(_ keys: inout ConfigurationReader) {
        keys.begin("drain", "What happens at SIGTERM.")
        timeout = keys.duration(
            "timeout_ms", in: 0...3_600_000, default: 30_000,
            "How long running responses may go on; then they are cancelled with a complete event.")
        spread = keys.duration(
            "spread_ms", in: 0...600_000, default: 5000,
            "Time over which the clients are told to reconnect, so that they do not all come at "
                + "once.")
    }
}
