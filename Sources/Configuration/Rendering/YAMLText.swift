/// Writes values so that reading them back gives the same.
enum YAMLText {
    /// The value of a key, for one line after `key:`; lists and maps that are not empty are
    /// written in flow style.
    static func value(_ value: ConfigurationValue) -> String {
        switch value {
        case .absent: "null"
        case .bool(let flag): "\(flag)"
        case .integer(let number): "\(number)"
        case .text(let text): scalar(text)
        case .list(let items): "[" + items.map { scalar($0) }.joined(separator: ", ") + "]"
        case .map(let pairs):
            "{" + pairs.map { "\(scalar($0.name)): \(scalar($0.value))" }.joined(separator: ", ")
                + "}"
        }
    }

    /// Plain where that cannot be misread, else in double quotes.
    static func scalar(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
        let first = text.utf8.first.map { $0 | 0x20 } ?? 0
        let startsPlain = (0x61...0x7a).contains(first) || (0x30...0x39).contains(first)
        let hasColonPair = zip(text.utf8, text.utf8.dropFirst()).contains {
            $0 == 0x3a && $1 == 0x3a
        }
        if isPlain, startsPlain, !hasColonPair, !text.hasSuffix(":"), text.lowercased() != "null" {
            return text
        }
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value):
                let hex = String(scalar.value, radix: 16)
                result += "\\x" + String(repeating: "0", count: 2 - hex.count) + hex
            case "\u{2028}": result += "\\L"
            case "\u{2029}": result += "\\P"
            case "\u{feff}": result += "\\uFEFF"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
