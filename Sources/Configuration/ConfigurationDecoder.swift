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
            assign(key, from: origin) { decoder throws(ValueError) in
                try decoder.value(of: entry.value, for: key)
            }
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

    /// `options`: dotted key or flag name, as spelled, and the text given.
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
        assign(key, from: origin) { decoder throws(ValueError) in
            try decoder.value(of: text, for: key)
        }
    }

    // MARK: Values

    /// Why a value was refused, without its place.
    private struct ValueError: Error {
        let reason: String
        /// The line of the part that is wrong, where it is another than the key's.
        var line: Int?
    }

    private mutating func assign(
        _ key: ConfigurationKey, from origin: ConfigurationOrigin,
        _ decode: (ConfigurationDecoder) throws(ValueError) -> ConfigurationValue
    ) {
        do throws(ValueError) {
            let value = try decode(self)
            assignments[key.name] = ConfigurationAssignment(value: value, origin: origin)
        } catch {
            if case .file(let name, _) = origin, let line = error.line {
                report(.file(name, line: line), key.name, error.reason)
            } else {
                report(origin, key.name, error.reason)
            }
        }
    }

    private func value(
        of text: String, for key: ConfigurationKey
    ) throws(ValueError) -> ConfigurationValue {
        switch key.kind {
        case .list(let rule, let maximumCount):
            if text.hasPrefix("[") { return try flowValue(of: text, for: key) }
            let parts = text.isEmpty ? [] : text.split(separator: ",").map { trimmed($0) }
            return try list(parts.map { ($0, nil) }, rule, maximumCount, key)
        case .map(let name, let value, let maximumCount):
            if text.hasPrefix("{") { return try flowValue(of: text, for: key) }
            var pairs: [(String, String, Int?)] = []
            for part in text.isEmpty ? [] : text.split(separator: ",") {
                let halves = part.split(separator: "=", maxSplits: 1)
                guard halves.count == 2 else { throw mismatch(key, found: text) }
                pairs.append((trimmed(halves[0]), trimmed(halves[1]), nil))
            }
            return try map(pairs, name, value, maximumCount, key)
        case .bool, .integer, .automaticInteger, .seconds, .milliseconds, .bytes, .choice, .text:
            if text.isEmpty, key.defaultValue == .absent { return .absent }
            guard let value = key.kind.value(of: text) else { throw mismatch(key, found: text) }
            return value
        }
    }

    /// `[a, b]` and `{a: b}` outside the file are written as in the file.
    private func flowValue(
        of text: String, for key: ConfigurationKey
    ) throws(ValueError) -> ConfigurationValue {
        guard let node = try? YAMLDocument.parse(Array(text.utf8)) else {
            throw mismatch(key, found: text)
        }
        return try value(of: node, for: key)
    }

    private func value(
        of node: YAMLNode, for key: ConfigurationKey
    ) throws(ValueError) -> ConfigurationValue {
        switch (key.kind, node) {
        case (.list, .scalar(let scalar)) where scalar.isNull: return .list([])
        case (.map, .scalar(let scalar)) where scalar.isNull: return .map([])
        case (.list(let rule, let maximumCount), .sequence(let nodes, _)):
            var items: [(String, Int?)] = []
            for node in nodes {
                guard case .scalar(let scalar) = node, !scalar.isNull else {
                    throw mismatch(key, found: node)
                }
                items.append((scalar.text, scalar.line))
            }
            return try list(items, rule, maximumCount, key)
        case (.map(let name, let value, let maximumCount), .mapping(let entries, _)):
            var pairs: [(String, String, Int?)] = []
            for entry in entries {
                guard case .scalar(let scalar) = entry.value else {
                    throw mismatch(key, found: entry.value)
                }
                pairs.append((entry.key.text, scalar.text, entry.key.line))
            }
            return try map(pairs, name, value, maximumCount, key)
        case (.list, _), (.map, _): throw mismatch(key, found: node)
        case (_, .scalar(let scalar)):
            if scalar.isNull {
                guard key.defaultValue == .absent else { throw mismatch(key, found: node) }
                return .absent
            }
            guard scalar.isPlain || key.kind.takesQuotedText,
                let value = key.kind.value(of: scalar.text)
            else { throw mismatch(key, found: scalar.text, line: nil, isQuoted: !scalar.isPlain) }
            return value
        case (_, .sequence), (_, .mapping): throw mismatch(key, found: node)
        }
    }

    private func list(
        _ items: [(text: String, line: Int?)], _ rule: TextRule, _ maximumCount: Int,
        _ key: ConfigurationKey
    ) throws(ValueError) -> ConfigurationValue {
        guard items.count <= maximumCount else {
            throw ValueError(
                reason: "expected at most \(maximumCount) entries, found \(items.count)")
        }
        for (text, line) in items where !rule.accepts(text) {
            throw mismatch(key, rule, found: text, line: line)
        }
        return .list(items.map(\.text))
    }

    private func map(
        _ pairs: [(name: String, value: String, line: Int?)], _ nameRule: TextRule,
        _ valueRule: TextRule, _ maximumCount: Int, _ key: ConfigurationKey
    ) throws(ValueError) -> ConfigurationValue {
        guard pairs.count <= maximumCount else {
            throw ValueError(
                reason: "expected at most \(maximumCount) entries, found \(pairs.count)")
        }
        var seen: Set<String> = []
        for (name, value, line) in pairs {
            guard nameRule.accepts(name) else {
                throw ValueError(
                    reason: "expected \(nameRule.expectation), found \(quoted(name))", line: line)
            }
            guard valueRule.accepts(value) else {
                throw mismatch(key, valueRule, found: value, line: line)
            }
            guard seen.insert(name.lowercased()).inserted else {
                throw ValueError(reason: "\(quoted(name)) is set twice", line: line)
            }
        }
        return .map(
            pairs.map { .init(name: $0.name, value: $0.value) }.sorted { $0.name < $1.name })
    }

    private func mismatch(
        _ key: ConfigurationKey, found text: String, line: Int? = nil, isQuoted: Bool = false
    ) -> ValueError {
        let found = isQuoted ? "the text \(quoted(text))" : quoted(text)
        return ValueError(
            reason: "expected \(key.kind.expectation)" + (key.isSecret ? "" : ", found \(found)"),
            line: line)
    }

    private func mismatch(
        _ key: ConfigurationKey, _ rule: TextRule, found text: String, line: Int?
    ) -> ValueError {
        ValueError(
            reason: "expected \(rule.expectation)"
                + (key.isSecret ? "" : ", found \(quoted(text))"),
            line: line)
    }

    private func mismatch(_ key: ConfigurationKey, found node: YAMLNode) -> ValueError {
        ValueError(
            reason: "expected \(key.kind.expectation), found \(node.kindName)", line: node.line)
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

    private func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}

extension ConfigurationKind {
    /// Numbers and booleans in quotes are texts.
    fileprivate var takesQuotedText: Bool {
        switch self {
        case .choice, .text: true
        case .bool, .integer, .automaticInteger, .seconds, .milliseconds, .bytes, .list, .map: false
        }
    }
}
