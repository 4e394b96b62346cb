import CommandLineOptions
import GatewayCore

/// What a text must look like, checked before anything uses it.
package struct TextRule: Sendable {
    /// For error messages and documentation: "expected …".
    package let expectation: String
    let accepts: @Sendable (String) -> Bool

    /// One line: no control characters, at most 4,096 bytes, not empty.
    static let line = TextRule("a text of one line, at most 4096 bytes") { isLine($0) }
    /// Any text without NUL, at most 65,536 bytes.
    static let paragraph = TextRule("a text of at most 65536 bytes, without NUL") { text in
        text.utf8.count <= 65_536 && !text.utf8.contains(0)
    }
    static let path = TextRule("a path of at most 4096 bytes") { isLine($0) }
    static let url = TextRule(
        "a URL: http:// or https://, a host, a path without query or fragment"
    ) { isURL($0, schemes: ["http://", "https://"]) }
    static let proxy = TextRule("a proxy URL: http://HOST:PORT, https:// or socks5h:// likewise") {
        isURL($0, schemes: ["http://", "https://", "socks5://", "socks5h://"])
    }
    static let hostPort = TextRule(HostPort.expectation) { HostPort(parsing: $0) != nil }
    static let origin = TextRule("an origin such as https://chat.example.com, or \"*\"") { text in
        text == "*" || isOrigin(text)
    }
    static let network = TextRule("an address or network such as 10.0.0.0/8 or fd00::/8") {
        AddressRange(parsing: $0) != nil
    }
    static let parameter = TextRule("a parameter name: a-z, 0-9 and _, at most 64") { text in
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == 0x5f }
    }
    static let headerName = TextRule("a header name that the gateway does not set itself") {
        isHeaderName($0) && !ownHeaders.contains($0.lowercased())
    }
    static let headerValue = TextRule("a header value: printable, at most 4096 bytes") {
        isLine($0)
    }
    static let token = TextRule("a text without spaces, at most 4096 bytes") { text in
        isLine(text) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }
    static let upstreamName = TextRule("a name: a-z, 0-9, - and _, at most 32") {
        isUpstreamName($0)
    }
    static let upstreamModel = TextRule("NAME/MODEL, or NAME/* for every model") { text in
        let name = text.prefix { $0 != "/" }
        return isLine(text) && isUpstreamName(String(name))
            && text.utf8.count > name.utf8.count + 1
    }
    static let model = TextRule("a model's name without spaces, at most 256 bytes") { text in
        (1...256).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }
    static let weight = TextRule("a number from 1 to 1000") { text in
        Int(text).map { (1...1000).contains($0) } ?? false
    }
    static let json = TextRule("JSON text such as 0.2, true, \"low\" or {\"effort\":\"low\"}") {
        $0.utf8.count <= 65_536 && JSONText.isValid($0)
    }
    static let accessKey = TextRule(
        "NAME:SECRET, a name of letters, digits, . _ - and a secret of at least 16 characters"
    ) { AccessKey(parsing: $0) != nil }
    static let tokenKey = TextRule(
        "ID:KEY, an id of letters, digits, . _ - and a key of at least 32 bytes in base64url"
    ) { TokenKey(parsing: $0) != nil }

    init(_ expectation: String, accepts: @escaping @Sendable (String) -> Bool) {
        self.expectation = expectation
        self.accepts = accepts
    }

    /// Headers whose second value would contradict the gateway's own.
    private static let ownHeaders: Set<String> = [
        "authorization", "content-length", "content-type", "accept", "accept-encoding", "host",
        "transfer-encoding", "connection", "expect",
    ]

    private static func isUpstreamName(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == 0x5f || $0 == 0x2d }
    }

    private static func isLine(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 4096
            && text.unicodeScalars.allSatisfy {
                $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value)
            }
    }

    private static func isURL(_ text: String, schemes: [String]) -> Bool {
        guard text.utf8.count <= 2048, let scheme = schemes.first(where: { text.hasPrefix($0) }),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return false }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        return isAuthority(authority) && !rest.contains { "?#\\\"".contains($0) }
    }

    private static func isOrigin(_ text: String) -> Bool {
        guard text.utf8.count <= 300,
            let scheme = ["https://", "http://"].first(where: { text.hasPrefix($0) })
        else { return false }
        return isAuthority(text.dropFirst(scheme.count))
    }

    /// A host with or without a port; no user information.
    private static func isAuthority(_ text: Substring) -> Bool {
        HostPort(parsing: String(text)) != nil || HostPort(parsing: "\(text):0") != nil
    }

    private static func isHeaderName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                isLower($0 | 0x20) || isDigit($0) || "!#$%&'*+-.^_`|~".utf8.contains($0)
            }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
