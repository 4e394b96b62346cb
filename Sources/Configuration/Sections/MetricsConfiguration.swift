/// What `/metrics` gives.
package struct MetricsConfiguration: Sendable {
    /// `/metrics` is served.
    package let isEnabled: Bool

    init(_ keys: inout ConfigurationReader) {
        keys.begin("metrics", "Measurements for Prometheus.")
        isEnabled = keys.bool("enabled", default: true, "Serve /metrics. false: it answers 404.")
    }
}
