package import CommandLineOptions

/// Every key there is, with the ways to set it.
package struct ConfigurationSchema: Sendable {
    /// The gateway's schema, learnt from what `GatewayConfiguration` reads.
    package static let gateway: ConfigurationSchema = {
        var reader = ConfigurationReader(values: [:])
        _ = GatewayConfiguration(&reader)
        return ConfigurationSchema(sections: reader.sections)
    }()

    /// In the order of the documents.
    package let sections: [ConfigurationSection]
    private let byName: [String: ConfigurationKey]

    init(sections: [ConfigurationSection]) {
        self.sections = sections
        var byName: [String: ConfigurationKey] = [:]
        for key in sections.flatMap(\.keys) {
            let isNew = byName.updateValue(key, forKey: key.name) == nil
            precondition(isNew, "\(key.name) is declared twice")
        }
        self.byName = byName
    }

    /// All keys, in the order of the documents.
    package var keys: [ConfigurationKey] { sections.flatMap(\.keys) }

    func key(named name: String) -> ConfigurationKey? { byName[name] }

    /// Options of a command that loads a configuration: `--config`, one per key that has a flag,
    /// and `--set KEY=VALUE` for all the others.
    package var commandOptions: [CommandOption] {
        var options = [
            CommandOption(
                "config", .text, placeholder: "FILE",
                help: "Configuration file (YAML); also MILLRACE_CONFIG.", short: "c",
                defaultText: "none")
        ]
        for key in keys {
            guard let flag = key.flag else { continue }
            options.append(
                CommandOption(
                    flag, key.optionKind, placeholder: key.optionPlaceholder,
                    help: key.documentation, defaultText: key.defaultText))
        }
        options.append(
            CommandOption(
                "set", .text, placeholder: "KEY=VALUE",
                help: "Set any key of the configuration.", repeats: true))
        return options
    }
}

extension ConfigurationKey {
    fileprivate var optionKind: CommandOption.Kind {
        switch kind {
        case .bool: .negatableFlag
        case .integer(let range): .integer(range)
        case .choice(let words): .choice(words)
        case .automaticInteger, .seconds, .milliseconds, .bytes, .text, .list, .map: .text
        }
    }

    fileprivate var optionPlaceholder: String? {
        switch kind {
        case .bool, .choice: nil
        case .integer, .automaticInteger, .seconds, .milliseconds, .bytes: "N"
        case .list: "A,B,..."
        case .map: "NAME=VALUE,..."
        case .text:
            switch shortName {
            case "listen": "HOST:PORT"
            case "base_url": "URL"
            case "web_directory": "DIR"
            default: "TEXT"
            }
        }
    }

    /// The default for people: `none` where there is none.
    var defaultText: String {
        switch defaultValue {
        case .absent: "none"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .text(let value): value
        case .list(let values): values.isEmpty ? "none" : values.joined(separator: ",")
        case .map(let pairs): pairs.isEmpty ? "none" : "\(pairs.count) entries"
        }
    }
}
