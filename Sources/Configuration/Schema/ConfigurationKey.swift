/// One key of the configuration: all that is known about it, in one place.
package struct ConfigurationKey: Sendable {
    /// Section and name: `server.listen`.
    package let name: String
    /// What it takes.
    package let kind: ConfigurationKind
    /// What holds when no source sets it.
    package let defaultValue: ConfigurationValue
    /// Never shown: not in errors, not in the effective configuration.
    package let isSecret: Bool
    /// One sentence or two: what it decides and what happens at the limit.
    package let documentation: String
    /// Names of the environment variables that set it, the strongest first.
    package let environment: [String]
    /// The long option that sets it, without `--`.
    package let flag: String?

    /// The part of the name before the dot.
    package var section: String { String(name.prefix { $0 != "." }) }
    /// The part of the name after the dot.
    package var shortName: String { String(name.drop { $0 != "." }.dropFirst()) }
}

/// A group of keys.
package struct ConfigurationSection: Sendable {
    /// The top-level name in the file.
    package let name: String
    /// One sentence.
    package let documentation: String
    /// In the order in which the documents list them.
    package fileprivate(set) var keys: [ConfigurationKey]
}

/// Gives each section's initialiser its values, and learns the schema from what they ask for.
///
/// So a key is declared exactly once: where its value is read.
struct ConfigurationReader {
    private let values: [String: ConfigurationValue]
    private(set) var sections: [ConfigurationSection] = []

    init(values: [String: ConfigurationValue]) { self.values = values }

    mutating func begin(_ name: String, _ documentation: String) {
        sections.append(ConfigurationSection(name: name, documentation: documentation, keys: []))
    }

    /// What a key may have besides its kind and default.
    struct Extras {
        var flag: String?
        var environment: [String] = []
        var weakEnvironment: [String] = []
        var isSecret = false

        static func flag(_ name: String, environment: String...) -> Extras {
            Extras(flag: name, environment: environment)
        }
        static let none = Extras()
        static let secret = Extras(isSecret: true)
    }

    mutating func bool(
        _ name: String, default value: Bool, _ documentation: String, _ extras: Extras = .none
    ) -> Bool {
        guard case .bool(let result) = read(name, .bool, .bool(value), documentation, extras) else {
            return value
        }
        return result
    }

    mutating func integer(
        _ name: String, in range: ClosedRange<Int>, default value: Int, _ documentation: String,
        _ extras: Extras = .none
    ) -> Int {
        integer(read(name, .integer(range), .integer(value), documentation, extras)) ?? value
    }

    /// `nil` is `auto`.
    mutating func automaticInteger(
        _ name: String, in range: ClosedRange<Int>, _ documentation: String,
        _ extras: Extras = .none
    ) -> Int? {
        integer(read(name, .automaticInteger(range), .text("auto"), documentation, extras))
    }

    mutating func bytes(
        _ name: String, in range: ClosedRange<Int>, default value: Int, _ documentation: String
    ) -> Int {
        precondition(name.hasSuffix("bytes"), "\(name) does not name its unit")
        return integer(read(name, .bytes(range), .integer(value), documentation, .none)) ?? value
    }

    /// The name's suffix, `_ms` or `_s`, is the unit of range and default.
    mutating func duration(
        _ name: String, in range: ClosedRange<Int>, default value: Int, _ documentation: String
    ) -> Duration {
        if name.hasSuffix("_ms") {
            let read = read(name, .milliseconds(range), .integer(value), documentation, .none)
            return .milliseconds(integer(read) ?? value)
        }
        precondition(name.hasSuffix("_s"), "\(name) does not name its unit")
        let read = read(name, .seconds(range), .integer(value), documentation, .none)
        return .seconds(integer(read) ?? value)
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, default value: Choice, _ documentation: String, _ extras: Extras = .none
    ) -> Choice {
        let words = Choice.allCases.map(\.rawValue)
        let read = read(name, .choice(words), .text(value.rawValue), documentation, extras)
        return text(read).flatMap { Choice(rawValue: $0) } ?? value
    }

    mutating func text(
        _ name: String, _ rule: TextRule, default value: String, _ documentation: String,
        _ extras: Extras = .none
    ) -> String {
        text(read(name, .text(rule), .text(value), documentation, extras)) ?? value
    }

    mutating func optionalText(
        _ name: String, _ rule: TextRule, _ documentation: String, _ extras: Extras = .none
    ) -> String? {
        text(read(name, .text(rule), .absent, documentation, extras))
    }

    mutating func list(
        _ name: String, _ rule: TextRule, atMost maximumCount: Int, default value: [String] = [],
        _ documentation: String, _ extras: Extras = .none
    ) -> [String] {
        let kind = ConfigurationKind.list(rule, maximumCount: maximumCount)
        guard case .list(let result) = read(name, kind, .list(value), documentation, extras) else {
            return value
        }
        return result
    }

    mutating func map(
        _ name: String, _ nameRule: TextRule, _ valueRule: TextRule, atMost maximumCount: Int,
        _ documentation: String, _ extras: Extras = .none
    ) -> [ConfigurationValue.Pair] {
        let kind = ConfigurationKind.map(
            name: nameRule, value: valueRule, maximumCount: maximumCount)
        guard case .map(let result) = read(name, kind, .map([]), documentation, extras) else {
            return []
        }
        return result
    }

    private func integer(_ value: ConfigurationValue) -> Int? {
        if case .integer(let result) = value { result } else { nil }
    }

    private func text(_ value: ConfigurationValue) -> String? {
        if case .text(let result) = value { result } else { nil }
    }

    private mutating func read(
        _ name: String, _ kind: ConfigurationKind, _ defaultValue: ConfigurationValue,
        _ documentation: String, _ extras: Extras
    ) -> ConfigurationValue {
        precondition(!sections.isEmpty, "a key needs a section")
        let section = sections[sections.count - 1].name
        let full = "\(section).\(name)"
        let canonical = "MILLRACE_\(section)_\(name)".uppercased()
        sections[sections.count - 1].keys.append(
            ConfigurationKey(
                name: full, kind: kind, defaultValue: defaultValue, isSecret: extras.isSecret,
                documentation: documentation,
                environment: extras.environment + [canonical] + extras.weakEnvironment,
                flag: extras.flag))
        return values[full] ?? defaultValue
    }
}
