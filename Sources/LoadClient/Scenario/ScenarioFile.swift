internal import Configuration

/// Reads a scenario's YAML into dotted entries.
package enum ScenarioFile {
    package static let maximumBytes = 1 << 16

    package static func entries(_ bytes: [UInt8]) throws(ScenarioError) -> [ScenarioEntry] {
        let root: YAMLNode?
        do throws(YAMLError) {
            root = try YAMLDocument.parse(bytes)
        } catch {
            throw ScenarioError(key: "", reason: error.reason, line: error.line)
        }
        guard let root else { return [] }
        var entries: [ScenarioEntry] = []
        try collect(root, path: "", into: &entries)
        return entries
    }

    private static func collect(
        _ node: YAMLNode, path: String, into entries: inout [ScenarioEntry]
    ) throws(ScenarioError) {
        switch node {
        case .scalar(let scalar):
            guard !path.isEmpty else {
                throw ScenarioError(key: "", reason: "expected keys", line: scalar.line)
            }
            guard !scalar.isNull else { return }
            entries.append(ScenarioEntry(key: path, values: [scalar.text], line: scalar.line))
        case .sequence(let nodes, let line):
            var values: [String] = []
            for node in nodes {
                guard case .scalar(let scalar) = node else {
                    throw ScenarioError(key: path, reason: "expected single values", line: line)
                }
                values.append(scalar.text)
            }
            entries.append(ScenarioEntry(key: path, values: values, line: line))
        case .mapping(let members, _):
            for member in members {
                let name = path.isEmpty ? member.key.text : "\(path).\(member.key.text)"
                guard !entries.contains(where: { $0.key == name }) else {
                    throw ScenarioError(
                        key: name, reason: "stands there twice", line: member.key.line)
                }
                try collect(member.value, path: name, into: &entries)
            }
        }
    }
}
