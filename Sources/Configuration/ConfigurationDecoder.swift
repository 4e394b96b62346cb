import CommandLineOptions

/// Turns what the sources say into checked values, and collects what is wrong with them.
///
/// Sources are taken weakest first: a later assignment replaces an earlier one.
struct ConfigurationDecoder {
    let schema: ConfigurationSchema
    private(set) var assignments: [String: ConfigurationAssignment] = [:]
    private(set) var issues: [ConfigurationIssue] = []

    init(schema: ConfigurationSchema) { self.schema = schema }

    // MARK: File

    mutating func take(file name: String, bytes: [UInt8]) {
        let root: YAMLNode?
        do { root = try YAMLDocument.parse(bytes) } catch {
            return report(.file(name, line: error.line), nil, error.reason)
        }
        switch root {
        case nil: break
        case .scalar(let scalar) where scalar.isNull: break
        case .mapping(let entries, _): takeSections(entries, file: name)
        case .scalar(let scalar): expectSections(file: name, line: scalar.line)
        case .sequence(_, let line): expectSections(file: name, line: line)
        }
    }

    private mutating func expectSections(file: String, line: Int) {
        let names = schema.sections.map(\.name).joined(separator: ", ")
        report(.file(file, line: line), nil, "expected a mapping with the sections \(names)")
    }

    private mutating func takeSections(_ entries: [YAMLNode.Entry], file: String) {
        var lines: [String: Int] = [:]
        for entry in entries {
            let name = entry.key.text
            let origin = ConfigurationOrigin.file(file, line: entry.key.line)
            guard let section = schema.sections.first(where: { $0.name == name }) else {
                guard !isFull else { return }
                let near = suggestion(for: name, among: schema.sections.map(\.name))
                report(origin, nil, "unknown section \(quoted(name))" + didYouMean(near))
                continue
            }
            if let first = lines.updateValue(entry.key.line, forKey: name) {
                report(origin, name, "set twice, first in line \(first)")
                continue
            }
            switch entry.value {
            case .mapping(let keys, _): takeKeys(keys, of: section, file: file)
            case .scalar(let scalar) where scalar.isNull: break
            case .scalar, .sequence:
                report(
                    origin, name,
                    "expected a mapping of keys to values, found \(entry.value.kindName)")
            }
        }
    }

    private mutating func takeKeys(
        _ entries: [YAMLNode.Entry], of section: ConfigurationSection, file: String
    ) {
        var lines: [String: Int] = [:]
        for entry in entries {
            let name = "\(section.name).\(entry.key.text)"
            let origin = ConfigurationOrigin.file(file, line: entry.key.line)
            guard let key = schema.key(named: name) else {
                reportUnknown(key: entry.key.text, in: section, origin)
                continue
            }
            if let first = lines.updateValue(entry.key.line, forKey: name) {
                report(origin, name, "set twice, first in line \(first)")
                continue
            }
            assign(key, from: origin) { () throws(ValueError) in try key.value(of: entry.value) }
        }
    }

    private mutating func reportUnknown(
        key: String, in section: ConfigurationSection, _ origin: ConfigurationOrigin
    ) {
        // A file of nothing but unknown keys would spend seconds on suggestions nobody sees.
        guard !isFull else { return }
        let names = section.keys.map(\.shortName)
        if let near = suggestion(for: key, among: names) {
            report(origin, section.name, "unknown key \(quoted(key))" + didYouMean(near))
        } else if let other = schema.keys.first(where: { $0.shortName == key }) {
            // The right name in the wrong section.
            report(origin, section.name, "unknown key \(quoted(key))" + didYouMean(other.name))
        } else {
            report(
                origin, section.name,
                "unknown key \(quoted(key)); expected one of \(names.joined(separator: ", "))")
        }
    }

    // MARK: Environment

    /// An empty variable counts as unset; other programs' variables are not looked at.
    mutating func take(environment: [String: String]) {
        var known = Set(["MILLRACE_CONFIG"])
        for key in schema.keys {
            known.formUnion(key.environment)
            let given = key.environment.filter { environment[$0]?.isEmpty == false }
            guard let name = given.first, let text = environment[name] else { continue }
            let own = given.filter { $0.hasPrefix("MILLRACE_") }
            if own.count > 1, let other = own.last, environment[other] != text {
                report(
                    .environment(name), key.name, "\(other) sets the same key to something else")
                continue
            }
            take(text: text, for: key, from: .environment(name))
        }
        for name in environment.keys.sorted()
        where name.hasPrefix("MILLRACE_") && !known.contains(name) && !isServiceLink(name) {
            let near = suggestion(for: name, among: known.sorted())
            report(.environment(name), nil, "sets no key" + didYouMean(near))
        }
    }

    /// Kubernetes sets these for a service that is named `millrace`.
    private func isServiceLink(_ name: String) -> Bool {
        name == "MILLRACE_PORT" || name.hasPrefix("MILLRACE_PORT_")
            || name == "MILLRACE_SERVICE_HOST" || name == "MILLRACE_SERVICE_PORT"
            || name.hasPrefix("MILLRACE_SERVICE_PORT_")
    }

    // MARK: Options

    /// Each is `KEY=VALUE`, as `--set` takes it.
    mutating func take(settings: [String]) {
        for setting in settings {
            let parts = setting.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard parts.count == 2 else {
                report(.flag("--set"), nil, "expected KEY=VALUE, found \(quoted(setting))")
                continue
            }
            guard let key = schema.key(named: name) else {
                let near = suggestion(for: name, among: schema.keys.map(\.name))
                report(.flag("--set"), nil, "unknown key \(quoted(name))" + didYouMean(near))
                continue
            }
            take(text: String(parts[1]), for: key, from: .flag("--set"))
        }
    }

    mutating func take(text: String, for key: ConfigurationKey, from origin: ConfigurationOrigin) {
        assign(key, from: origin) { () throws(ValueError) in try key.value(of: text) }
    }

    // MARK: What comes of it

    private mutating func assign(
        _ key: ConfigurationKey, from origin: ConfigurationOrigin,
        _ decode: () throws(ValueError) -> ConfigurationValue
    ) {
        do throws(ValueError) {
            assignments[key.name] = ConfigurationAssignment(value: try decode(), origin: origin)
        } catch {
            if case .file(let name, _) = origin, let line = error.line {
                report(.file(name, line: line), key.name, error.reason)
            } else {
                report(origin, key.name, error.reason)
            }
        }
    }

    private var isFull: Bool { issues.count >= ConfigurationFailure.maximumIssues }

    private mutating func report(
        _ origin: ConfigurationOrigin?, _ key: String?, _ reason: String
    ) {
        guard !isFull else { return }
        issues.append(ConfigurationIssue(origin: origin, key: key, reason: reason))
    }

    private func didYouMean(_ name: String?) -> String {
        name.map { "; did you mean '\($0)'?" } ?? ""
    }
}
