/// How much a log line matters; names and numbers are OpenTelemetry's.
package enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    /// For developers; off by default.
    case debug = 5
    /// What happened, once per rare event.
    case info = 9
    /// Somebody should look, nothing is broken.
    case warn = 13
    /// Something failed that should not.
    case error = 17

    /// `severity_text`.
    package var name: String {
        switch self {
        case .debug: "DEBUG"
        case .info: "INFO"
        case .warn: "WARN"
        case .error: "ERROR"
        }
    }

    package static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.rawValue < right.rawValue
    }
}
