/// An address as written on a command line or in a configuration: `HOST:PORT`.
///
/// The host is a name, an IPv4 address or an IPv6 address in brackets (`[::1]:8080`); nothing is
/// looked up here. Port 0 asks the system to pick one.
package struct HostPort: Sendable, Hashable, CustomStringConvertible {
    /// Without brackets.
    package let host: String
    /// 0…65535.
    package let port: UInt16

    /// What a text must look like, for error messages.
    package static let expectation =
        "HOST:PORT with a port from 0 to 65535, an IPv6 host in brackets ([::1]:8080)"

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// `nil` unless `text` is what `expectation` says.
    package init?(parsing text: String) {
        guard text.utf8.count <= 300, let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else {
            return nil
        }
        let digits = text[text.utf8.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("[") {
            guard host.hasSuffix("]") else { return nil }
            host = host.dropFirst().dropLast()
            guard host.utf8.contains(UInt8(ascii: ":")),
                host.utf8.allSatisfy(Self.isAddressByte)
            else { return nil }
        } else {
            guard host.utf8.allSatisfy(Self.isNameByte) else { return nil }
        }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: port)
    }

    package var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// True for `localhost`, 127.0.0.0/8 and `::1`: no other machine reaches it.
    package var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        isNameByte(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "%")
    }
}
