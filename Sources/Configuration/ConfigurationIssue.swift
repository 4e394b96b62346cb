/// Where a value came from.
package enum ConfigurationOrigin: Sendable, Equatable, CustomStringConvertible {
    /// `line` from 1; 0 stands for the whole file.
    case file(String, line: Int)
    case environment(String)
    /// As spelled: `--listen`, `--set`.
    case flag(String)

    package var description: String {
        switch self {
        case .file(let name, 0): name
        case .file(let name, let line): "\(name):\(line)"
        case .environment(let name): "environment variable \(name)"
        case .flag(let name): "option \(name)"
        }
    }
}

/// One reason to refuse a configuration: where, which key, what was expected.
package struct ConfigurationIssue: Error, Sendable, Equatable, CustomStringConvertible {
    /// `nil` for a rule that only defaults break.
    package let origin: ConfigurationOrigin?
    /// The dotted name, where there is one.
    package let key: String?
    /// What was expected and what was found; never a secret.
    package let reason: String

    package var description: String {
        [origin?.description, key, reason].compactMap { $0 }.joined(separator: ": ")
    }
}

/// Everything that is wrong with a configuration; leads to exit code 3.
package struct ConfigurationFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// At least one; at most `maximumIssues`.
    package let issues: [ConfigurationIssue]

    static let maximumIssues = 20

    /// One line per issue.
    package var description: String { issues.map(\.description).joined(separator: "\n") }
}

/// Something that works but deserves a look.
package struct ConfigurationWarning: Sendable, Equatable, CustomStringConvertible {
    /// The key to change.
    package let key: String
    /// What it means.
    package let text: String

    package var description: String { "\(key): \(text)" }
}
