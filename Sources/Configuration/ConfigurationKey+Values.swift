import CommandLineOptions

/// Why a value was refused, without its place.
struct ValueError: Error {
    let reason: String
    /// The line of the part that is wrong, where it is another than the key's.
    var line: Int?
}

/// What a source says of a key, as a checked value.
extension ConfigurationKey {
    /// One part of a list or a map, as written.
    private struct Part {
        let text: String
        /// In a file.
        var line: Int?
    }

    /// The value that stands in a variable or an option.
    func value(of text: String) throws(ValueError) -> ConfigurationValue {
        switch kind {
        case .list(let rule, let maximumCount):
            if text.hasPrefix("[") { return try flowValue(of: text) }
            let parts = text.split(separator: ",").map { Part(text: trimmed($0)) }
            return try list(parts, rule, atMost: maximumCount)
        case .map(let nameRule, let valueRule, let maximumCount):
            if text.hasPrefix("{") { return try flowValue(of: text) }
            var pairs: [(name: Part, value: String)] = []
            for part in text.split(separator: ",") {
                let halves = part.split(separator: "=", maxSplits: 1)
                guard halves.count == 2 else { throw mismatch(found: text) }
                pairs.append((Part(text: trimmed(halves[0])), trimmed(halves[1])))
            }
            return try map(pairs, nameRule, valueRule, atMost: maximumCount)
        case .bool, .integer, .automaticInteger, .seconds, .milliseconds, .bytes, .choice, .text:
            if text.isEmpty, defaultValue == .absent { return .absent }
            guard let value = kind.value(of: text) else { throw mismatch(found: text) }
            return value
        }
    }

    /// `[a, b]` and `{a: b}` outside the file are written as in the file.
    private func flowValue(of text: String) throws(ValueError) -> ConfigurationValue {
        guard let node = try? YAMLDocument.parse(Array(text.utf8)) else {
            throw mismatch(found: text)
        }
        return try value(of: node)
    }

    /// The value that stands in a file.
    func value(of node: YAMLNode) throws(ValueError) -> ConfigurationValue {
        switch (kind, node) {
        case (.list, .scalar(let scalar)) where scalar.isNull: return .list([])
        case (.map, .scalar(let scalar)) where scalar.isNull: return .map([])
        case (.list(let rule, let maximumCount), .sequence(let nodes, _)):
            var parts: [Part] = []
            for node in nodes {
                guard case .scalar(let scalar) = node, !scalar.isNull else {
                    throw mismatch(found: node)
                }
                parts.append(Part(text: scalar.text, line: scalar.line))
            }
            return try list(parts, rule, atMost: maximumCount)
        case (.map(let nameRule, let valueRule, let maximumCount), .mapping(let entries, _)):
            var pairs: [(name: Part, value: String)] = []
            for entry in entries {
                guard case .scalar(let scalar) = entry.value else {
                    throw mismatch(found: entry.value)
                }
                pairs.append((Part(text: entry.key.text, line: entry.key.line), scalar.text))
            }
            return try map(pairs, nameRule, valueRule, atMost: maximumCount)
        case (.list, _), (.map, _): throw mismatch(found: node)
        case (_, .scalar(let scalar)): return try value(of: scalar)
        case (_, .sequence), (_, .mapping): throw mismatch(found: node)
        }
    }

    private func value(of scalar: YAMLScalar) throws(ValueError) -> ConfigurationValue {
        if scalar.isNull {
            guard defaultValue == .absent else { throw mismatch(found: .scalar(scalar)) }
            return .absent
        }
        guard scalar.isPlain || kind.takesQuotedText, let value = kind.value(of: scalar.text) else {
            throw mismatch(found: scalar.text, isQuoted: !scalar.isPlain)
        }
        return value
    }

    // MARK: Lists and maps

    private func list(
        _ parts: [Part], _ rule: TextRule, atMost maximumCount: Int
    ) throws(ValueError) -> ConfigurationValue {
        try check(parts.count, atMost: maximumCount)
        for part in parts where !rule.accepts(part.text) { throw mismatch(rule, found: part) }
        return .list(parts.map(\.text))
    }

    private func map(
        _ pairs: [(name: Part, value: String)], _ nameRule: TextRule, _ valueRule: TextRule,
        atMost maximumCount: Int
    ) throws(ValueError) -> ConfigurationValue {
        try check(pairs.count, atMost: maximumCount)
        var seen: Set<String> = []
        for (name, value) in pairs {
            guard nameRule.accepts(name.text) else {
                throw ValueError(
                    reason: "expected \(nameRule.expectation), found \(quoted(name.text))",
                    line: name.line)
            }
            guard valueRule.accepts(value) else {
                throw mismatch(valueRule, found: Part(text: value, line: name.line))
            }
            guard seen.insert(name.text.lowercased()).inserted else {
                throw ValueError(reason: "\(quoted(name.text)) is set twice", line: name.line)
            }
        }
        return .map(
            pairs.map { .init(name: $0.name.text, value: $0.value) }.sorted { $0.name < $1.name })
    }

    private func check(_ count: Int, atMost maximumCount: Int) throws(ValueError) {
        guard count > maximumCount else { return }
        throw ValueError(reason: "expected at most \(maximumCount) entries, found \(count)")
    }

    private func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    // MARK: What is wrong

    private func mismatch(found text: String, isQuoted: Bool = false) -> ValueError {
        refusal(kind.expectation, isQuoted ? "the text \(quoted(text))" : quoted(text), line: nil)
    }

    private func mismatch(_ rule: TextRule, found part: Part) -> ValueError {
        refusal(rule.expectation, quoted(part.text), line: part.line)
    }

    private func mismatch(found node: YAMLNode) -> ValueError {
        ValueError(
            reason: "expected \(kind.expectation), found \(node.kindName)", line: node.line)
    }

    /// Shows what was found, unless it is nobody's business.
    private func refusal(_ expectation: String, _ found: String, line: Int?) -> ValueError {
        ValueError(
            reason: "expected \(expectation)" + (isSecret ? "" : ", found \(found)"), line: line)
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
