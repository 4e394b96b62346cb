/// What is written on standard error.
package struct LogConfiguration: Sendable {
    /// The least severity that is written.
    package enum Level: String, Sendable, CaseIterable {
        case debug
        case info
        case warn
        case error
    }

    /// How a line looks.
    package enum Format: String, Sendable, CaseIterable {
        /// `text` on a terminal, else `json`.
        case auto
        case json
        case text
    }

    /// The least severity that is written.
    package let level: Level
    /// How a line looks.
    package let format: Format

    init(_ keys: inout ConfigurationReader) {
        keys.begin("log", "What is written on standard error.")
        level = keys.choice(
            "level", default: .info, "The least severity that is written.", .flag("log-level"))
        format = keys.choice(
            "format", default: .auto,
            "json: one object per line. text: for people. auto: text on a terminal, else json.",
            .flag("log-format"))
    }
}
