import WebSocketServer

/// Path and query of a request that upstream answers, encoded again from what the server has decoded.
///
/// So upstream reads what the routes have read, and nothing else of it.
enum PassedTarget {
    /// The target below upstream's base URL.
    static func text(of request: HTTPRequest) -> String {
        var target = ""
        for part in request.path.dropFirst("/v1/".count).split(separator: "/") {
            target += "/"
            append(part, besides: "-_.~:", to: &target)
        }
        for (position, argument) in request.query.enumerated() {
            target += position == 0 ? "?" : "&"
            let equals = argument.firstIndex(of: "=") ?? argument.endIndex
            append(argument[..<equals], besides: "-_.~", to: &target)
            guard equals < argument.endIndex else { continue }
            target += "="
            append(argument[argument.index(after: equals)...], besides: "-_.~", to: &target)
        }
        return target
    }

    private static func append(_ text: Substring, besides: String, to output: inout String) {
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: output.unicodeScalars.append(.init(byte))
            case _ where besides.utf8.contains(byte): output.unicodeScalars.append(.init(byte))
            default:
                output += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}
