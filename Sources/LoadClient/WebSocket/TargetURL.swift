/// A `ws://` or `wss://` address, split into what a client needs to connect.
package struct TargetURL: Equatable, Sendable, CustomStringConvertible {
    package enum Failure: Error, Equatable, CustomStringConvertible {
        case notWebSocket(String)
        case noHost(String)
        case badPort(String)

        package var description: String {
            switch self {
            case .notWebSocket(let text): "'\(text)' does not begin with ws:// or wss://"
            case .noHost(let text): "'\(text)' names no host"
            case .badPort(let text): "'\(text)' has no port between 1 and 65535"
            }
        }
    }

    package let isSecure: Bool
    package let host: String
    package let port: UInt16
    /// Path and query, at least `/`.
    package let path: String

    /// Reads `text`; a URL without a path gets `defaultPath`.
    package init(_ text: String, defaultPath: String) throws(Failure) {
        let rest: Substring
        if text.hasPrefix("ws://") {
            isSecure = false
            rest = text.dropFirst(5)
        } else if text.hasPrefix("wss://") {
            isSecure = true
            rest = text.dropFirst(6)
        } else {
            throw .notWebSocket(text)
        }
        let slash = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<slash]
        let tail = String(rest[slash...])
        path = tail.isEmpty ? defaultPath : tail.hasPrefix("?") ? "/" + tail : tail
        var name = authority
        var portText: Substring?
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            name = authority[authority.index(after: authority.startIndex)..<end]
            let behind = authority[authority.index(after: end)...]
            if behind.hasPrefix(":") { portText = behind.dropFirst() }
        } else if let colon = authority.firstIndex(of: ":") {
            name = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !name.isEmpty else { throw .noHost(text) }
        host = String(name)
        if let portText {
            guard let number = UInt16(portText), number > 0 else { throw .badPort(text) }
            port = number
        } else {
            port = isSecure ? 443 : 80
        }
    }

    /// The `Host` header: the port only where it is not the scheme's own.
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// Whether the host is a literal IPv4 loopback address, whose source address can be chosen.
    package var isLoopback: Bool { host.hasPrefix("127.") || host == "localhost" }

    package var description: String { "\(isSecure ? "wss" : "ws")://\(authority)\(path)" }
}
