extension LoadedConfiguration {
    /// The configuration in force as YAML, for `millrace check-config`.
    ///
    /// Secrets are masked; each value that is no default has its source behind it.
    package func renderEffective() -> String {
        var text = ""
        for section in ConfigurationSchema.gateway.sections {
            text += "\(section.name):\n"
            for key in section.keys {
                let assignment = assignments[key.name]
                let value = assignment?.value ?? key.defaultValue
                text += "  \(key.shortName): \(YAMLText.value(key.masked(value)))"
                if let assignment, assignment.value != key.defaultValue {
                    text += "  # \(assignment.origin)"
                }
                text += "\n"
            }
        }
        return text
    }
}

extension ConfigurationKey {
    /// Names in front of a colon and names of headers are public, the rest is not.
    func masked(_ value: ConfigurationValue) -> ConfigurationValue {
        guard isSecret else { return value }
        switch value {
        case .absent: return .absent
        case .bool, .integer, .text: return .text(Secret.mask)
        case .list(let items):
            return .list(
                items.map {
                    NamedSecret.split($0).map { "\($0.name):\(Secret.mask)" } ?? Secret.mask
                })
        case .map(let pairs): return .map(pairs.map { .init(name: $0.name, value: Secret.mask) })
        }
    }
}
