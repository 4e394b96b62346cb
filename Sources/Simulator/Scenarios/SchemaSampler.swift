/// Makes a value that fits a JSON Schema, as far as strict structured outputs go.
struct SchemaSampler {
    private let root: JSONValue
    /// Words of the user, so that arguments look as if the model had read them.
    private let hint: [String]
    private var hints = 0

    private static let maximumDepth = 12

    init(root: JSONValue, hint: String) {
        self.root = root
        self.hint = hint.split { !$0.isLetter && !$0.isNumber }.map(String.init).filter {
            $0.count > 3
        }
    }

    mutating func sample(_ random: inout SeededRandom) -> JSONValue {
        guard root.members != nil else { return .object([]) }
        return value(root, "value", 0, &random)
    }

    private mutating func value(
        _ schema: JSONValue, _ name: String, _ depth: Int, _ random: inout SeededRandom
    ) -> JSONValue {
        guard depth < Self.maximumDepth else { return .null }
        if let constant = schema["const"] { return constant }
        if let choices = schema["enum"]?.array, !choices.isEmpty {
            return choices[Int(random.next() % UInt64(choices.count))]
        }
        if let path = schema["$ref"]?.string {
            return value(resolve(path), name, depth + 1, &random)
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let options = schema[key]?.array {
                let useful = options.first { $0["type"]?.string != "null" }
                return value(useful ?? .null, name, depth + 1, &random)
            }
        }
        let type =
            schema["type"]?.string
            ?? schema["type"]?.array?.compactMap(\.string).first { $0 != "null" }
            ?? (schema["properties"] == nil ? "string" : "object")
        switch type {
        case "object":
            var members: [JSONValue.Member] = []
            for property in schema["properties"]?.members ?? [] {
                members.append(
                    .init(property.key, value(property.value, property.key, depth + 1, &random)))
            }
            return .object(members)
        case "array":
            let least = schema["minItems"]?.integer ?? 2
            let count = min(least, schema["maxItems"]?.integer ?? max(least, 2), 16)
            var values: [JSONValue] = []
            for _ in 0..<max(0, count) {
                values.append(
                    value(schema["items"] ?? .object([]), name, depth + 1, &random))
            }
            return .array(values)
        case "integer": return .integer(wholeNumber(schema, &random))
        case "number": return .number("\(number(schema, &random))")
        case "boolean": return .bool(random.next() % 2 == 0)
        case "null": return .null
        default: return .string(string(schema, name))
        }
    }

    private func resolve(_ path: String) -> JSONValue {
        var schema = root
        for part in path.split(separator: "/").drop(while: { $0 == "#" }) {
            schema = schema[String(part)] ?? .null
        }
        return schema
    }

    private func number(_ schema: JSONValue, _ random: inout SeededRandom) -> Double {
        let low = schema["minimum"]?.double ?? (schema["exclusiveMinimum"]?.double).map { $0 + 1 }
        let high = schema["maximum"]?.double ?? (schema["exclusiveMaximum"]?.double).map { $0 - 1 }
        let least = min(max(low ?? min(1, high ?? 1), -1e15), 1e15)
        let most = min(max(high ?? least + 40, least), 1e15)
        return least + Double(Int(random.unit() * (most - least) * 2)) / 2
    }

    private func wholeNumber(_ schema: JSONValue, _ random: inout SeededRandom) -> Int {
        let number = number(schema, &random)
        let whole = Int(number)
        return Double(whole) < number ? whole + 1 : whole
    }

    private mutating func string(_ schema: JSONValue, _ name: String) -> String {
        switch schema["format"]?.string {
        case "date-time": return "2026-03-20T12:00:00Z"
        case "date": return "2026-03-20"
        case "time": return "12:00:00Z"
        case "email": return "miller@example.com"
        case "uuid": return "123e4567-e89b-42d3-a456-426614174000"
        case "hostname": return "example.com"
        case "ipv4": return "192.0.2.7"
        case "uri": return "https://example.com/"
        default: break
        }
        guard !hint.isEmpty else { return "sample \(name)" }
        hints += 1
        // The last words of a sentence say what it is about: "… the weather in Oslo".
        return hint[hint.count - 1 - (hints - 1) % hint.count]
    }
}
