package import GatewayCore

/// One server that speaks the Responses API: where it is, how to authenticate, how to trust it.
///
/// Checked when it is made, never changed, and shared by all shards: each transfer refers to it. Its description
/// never shows a key.
package final class UpstreamServer: Sendable, CustomStringConvertible {
    /// How the key travels.
    package enum Authentication: Sendable {
        case none
        /// `authorization: Bearer KEY`.
        case bearer(String)
        /// A header of its own, as Azure's `api-key`.
        case header(name: String, value: String)
    }

    /// What is known of one server, unchecked.
    package struct Options: Sendable {
        /// Where its paths begin, "https://api.openai.com/v1"; a query is added to every path.
        package var baseURL: String
        package var authentication: Authentication = .none
        package var organization: String?
        package var project: String?
        package var extraHeaders: [(name: String, value: String)] = []
        /// PEM file with the authorities to trust instead of the system's.
        package var authorityFile: String?
        /// False accepts any certificate: for tests on one's own machine only.
        package var verifiesTLS = true
        /// HTTP/2 by ALPN over TLS; cleartext is always HTTP/1.1.
        package var allowsHTTP2 = true
        /// "http://host:port"; nil means none, whatever `http_proxy` and its like say.
        package var proxy: String?
        /// From start to TCP established; to TLS established where `tlsTimeout` is nil.
        package var connectTimeout: Duration = .seconds(10)
        /// The handshake alone.
        package var tlsTimeout: Duration?

        /// Options with their defaults.
        package init(baseURL: String) { self.baseURL = baseURL }
    }

    /// "host:port", for messages and metrics.
    package let endpoint: String
    /// Whether the connection is encrypted.
    package let isSecure: Bool
    /// Whether the connection to its proxy is, whose certificate the system's authorities vouch for.
    let isProxySecure: Bool
    /// Keeps the key out of what upstream says.
    package let mask: KeyMask
    let options: Options
    /// "https://host:port", as given.
    private let origin: String
    private let basePath: String
    private let query: String
    /// The lines of its own that every request to it carries, "name: value".
    let headerLines: [String]
    /// Where responses are asked for: nearly every request's URL.
    private let responsesURL: String

    /// Checks the options; the error says what is wrong without showing a key.
    package init(_ options: Options) throws(UpstreamError) {
        self.options = options
        mask = Self.mask(of: options.authentication)
        isProxySecure = options.proxy?.hasPrefix("https://") ?? false
        let url = Substring(options.baseURL)
        guard !url.isEmpty, url.utf8.count <= 2_048,
            url.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .invalid("base URL: expected 1 to 2048 printable ASCII characters") }
        let scheme = url.prefix { $0 != ":" }
        switch scheme.lowercased() {
        case "https": isSecure = true
        case "http": isSecure = false
        default: throw .invalid("base URL: expected http:// or https://")
        }
        let rest = url.dropFirst(scheme.count)
        guard rest.hasPrefix("://") else {
            throw .invalid("base URL: expected http:// or https://")
        }
        let authority = rest.dropFirst(3).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else {
            throw .invalid("base URL: expected no user name or password in it")
        }
        guard !authority.contains("\\"), !url.contains("#") else {
            throw .invalid("base URL: expected no '\\' in the host and no '#'")
        }
        endpoint = try Self.endpoint(of: authority, isSecure: isSecure)
        origin = String(url.prefix(scheme.count + 3 + authority.count))
        let tail = rest.dropFirst(3 + authority.count)
        var path = tail.prefix { $0 != "?" }
        query = String(tail.dropFirst(path.count).dropFirst())
        while path.hasSuffix("/") { path.removeLast() }
        basePath = String(path)
        responsesURL = Self.url(origin, basePath, "/responses", query)
        headerLines = try Self.headers(of: options).map { name, value throws(UpstreamError) in
            try Self.check(name: name, value: value)
            return "\(name): \(value)"
        }
    }

    package var description: String { "\(origin)\(basePath)" }

    private static func mask(of authentication: Authentication) -> KeyMask {
        switch authentication {
        case .none: KeyMask()
        case .bearer(let key): KeyMask(key)
        case .header(_, let value): KeyMask(value)
        }
    }

    /// The whole URL of a path that begins with "/", as "/responses".
    func url(path: String) throws(UpstreamError) -> String {
        if path == "/responses" { return responsesURL }
        guard path.utf8.count <= 4_096 else { throw .invalid("path: expected at most 4096 bytes") }
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !path.contains("#")
        else { throw .invalid("path: expected '/' and printable ASCII without '#'") }
        let plain = path.prefix { $0 != "?" }
        // A response id may come from outside: it must not lead to another resource.
        guard !plain.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) else {
            throw .invalid("path: expected no '.' or '..' segment")
        }
        return Self.url(origin, basePath, path, query)
    }

    private static func url(
        _ origin: String, _ basePath: String, _ path: String, _ query: String
    ) -> String {
        let plain = "\(origin)\(basePath)\(path)"
        return query.isEmpty ? plain : "\(plain)\(path.contains("?") ? "&" : "?")\(query)"
    }

    private static func headers(
        of options: Options
    ) throws(UpstreamError) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        switch options.authentication {
        case .none: break
        case .bearer(let key): headers.append(("authorization", "Bearer \(key)"))
        case .header(let name, let value): headers.append((name, value))
        }
        if let organization = options.organization {
            headers.append(("openai-organization", organization))
        }
        if let project = options.project { headers.append(("openai-project", project)) }
        return headers + options.extraHeaders
    }

    /// Refuses what would end the header line or begin another.
    static func check(name: String, value: String) throws(UpstreamError) {
        let isToken = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
        guard !name.isEmpty, isToken else {
            throw .invalid("header name: expected letters, digits and '-'")
        }
        guard !value.isEmpty, value.utf8.count <= 8_192,
            value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else {
            throw .invalid("header \(name): expected 1 to 8192 bytes without control characters")
        }
    }

    private static func endpoint(
        of authority: Substring, isSecure: Bool
    ) throws(UpstreamError) -> String {
        let portStart: Substring
        let host: Substring
        if authority.hasPrefix("[") {
            guard let bracket = authority.firstIndex(of: "]") else {
                throw .invalid("base URL: expected ']' after an IPv6 address")
            }
            host = authority[...bracket]
            portStart = authority[authority.index(after: bracket)...]
        } else {
            host = authority.prefix { $0 != ":" }
            portStart = authority.dropFirst(host.count)
        }
        guard !host.isEmpty else { throw .invalid("base URL: expected a host") }
        guard !portStart.isEmpty else { return "\(host):\(isSecure ? 443 : 80)" }
        guard portStart.hasPrefix(":"), let port = UInt16(portStart.dropFirst()), port > 0 else {
            throw .invalid("base URL: expected a port from 1 to 65535")
        }
        return "\(host):\(port)"
    }
}
