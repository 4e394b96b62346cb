/// A configuration with the source of every value.
package struct LoadedConfiguration: Sendable {
    /// What the gateway reads.
    package let values: GatewayConfiguration
    /// What works but deserves a look; log each once at start.
    package let warnings: [ConfigurationWarning]
    let assignments: [String: ConfigurationAssignment]

    /// Where the value of the key named `name` came from; `nil` for a default.
    package func origin(of name: String) -> ConfigurationOrigin? { assignments[name]?.origin }
}

/// One value that a source gave.
struct ConfigurationAssignment: Sendable, Equatable {
    let value: ConfigurationValue
    let origin: ConfigurationOrigin
}
