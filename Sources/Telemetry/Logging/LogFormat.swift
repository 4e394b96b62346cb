/// How a log line looks.
package enum LogFormat: Sendable, Equatable {
    /// One JSON object per line, in OpenTelemetry's shape.
    case json
    /// For people; with colours where they are wanted.
    case text(isColoured: Bool)

    /// A longer text attribute is cut, so that a line stays bounded.
    static let maximumTextBytes = 8192

    /// One line, ending in a newline, with no other newline in it.
    func line(
        _ level: LogLevel, _ body: StaticString, _ attributes: LogAttributes, at time: Timestamp
    ) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        switch self {
        case .json: appendJSON(to: &line, level, body, attributes, time)
        case .text(let isColoured): appendText(to: &line, level, body, attributes, time, isColoured)
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private func appendJSON(
        to line: inout [UInt8], _ level: LogLevel, _ body: StaticString,
        _ attributes: LogAttributes, _ time: Timestamp
    ) {
        line += "{\"timestamp\":\"\(time)\",\"severity_text\":\"\(level.name)\"".utf8
        line += ",\"severity_number\":\(level.rawValue),\"body\":".utf8
        appendQuoted(body.description, to: &line)
        line += ",\"attributes\":{".utf8
        for (index, entry) in attributes.entries.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            appendQuoted(entry.name.description, to: &line)
            line.append(UInt8(ascii: ":"))
            append(entry, to: &line)
        }
        line += "}}".utf8
    }

    private func appendText(
        to line: inout [UInt8], _ level: LogLevel, _ body: StaticString,
        _ attributes: LogAttributes, _ time: Timestamp, _ isColoured: Bool
    ) {
        let (start, dim, end) =
            isColoured ? (colour(of: level), "\u{1b}[2m", "\u{1b}[0m") : ("", "", "")
        let name = level.name + String(repeating: " ", count: 5 - level.name.utf8.count)
        line += "\(dim)\(time.timeOfDay)\(end) \(start)\(name)\(end) \(body)".utf8
        for entry in attributes.entries {
            line += " \(dim)\(entry.name)=\(end)".utf8
            append(entry, to: &line)
        }
    }

    private func colour(of level: LogLevel) -> String {
        switch level {
        case .debug: "\u{1b}[36m"
        case .info: "\u{1b}[32m"
        case .warn: "\u{1b}[33m"
        case .error: "\u{1b}[31m"
        }
    }

    private func append(
        _ entry: (name: StaticString, value: LogAttributes.Value), to line: inout [UInt8]
    ) {
        if LogAttributes.isCredential(entry.name) {
            line += "\"[redacted]\"".utf8
            return
        }
        switch entry.value {
        case .text(let text): appendQuoted(text, to: &line)
        case .integer(let number): line += "\(number)".utf8
        // JSON has no word for infinity and NaN.
        case .number(let number): line += number.isFinite ? "\(number)".utf8 : "null".utf8
        case .flag(let flag): line += "\(flag)".utf8
        }
    }

    /// A JSON string: control characters escaped, so that no value can forge a line or a colour.
    private func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < Self.maximumTextBytes else {
                line += "…".utf8
                break
            }
            count += scalar.utf8.count
            switch scalar {
            case "\"": line += "\\\"".utf8
            case "\\": line += "\\\\".utf8
            case "\n": line += "\\n".utf8
            case "\r": line += "\\r".utf8
            case "\t": line += "\\t".utf8
            case _ where scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value):
                let hex = String(scalar.value, radix: 16)
                line += "\\u\(String(repeating: "0", count: 4 - hex.utf8.count))\(hex)".utf8
            default: line += scalar.utf8
            }
        }
        line.append(UInt8(ascii: "\""))
    }
}
