/// One setting as written: a dotted key with its values, and the line for error messages.
package struct ScenarioEntry: Equatable {
    package let key: String
    package let values: [String]
    /// From 1; 0 for a flag.
    package let line: Int

    package init(key: String, values: [String], line: Int = 0) {
        self.key = key
        self.values = values
        self.line = line
    }

    /// Reads `KEY=VALUE` or `KEY=[VALUE, VALUE]`.
    package init?(assignment: String) {
        guard let equals = assignment.firstIndex(of: "=") else { return nil }
        let key = assignment[..<equals]
        let value = assignment[assignment.index(after: equals)...]
        guard !key.isEmpty else { return nil }
        if value.hasPrefix("["), value.hasSuffix("]") {
            let parts = value.dropFirst().dropLast().split(separator: ",")
            let values = parts.map { String($0.drop { $0 == " " }) }
            self.init(key: String(key), values: values)
        } else {
            self.init(key: String(key), values: [String(value)])
        }
    }
}

/// Why a scenario was refused.
package struct ScenarioError: Error, Equatable, CustomStringConvertible {
    package let key: String
    package let reason: String
    package let line: Int

    package var description: String {
        let place = line > 0 ? "line \(line): " : ""
        return key.isEmpty ? place + reason : "\(place)\(key): \(reason)"
    }
}
