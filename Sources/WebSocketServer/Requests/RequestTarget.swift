/// What a request is for (RFC 9112, section 3.2): `/path?query`, the same behind `http://host`, or `*` of OPTIONS.
struct RequestTarget {
    /// Decoded; "*" for the server as a whole.
    let path: String
    /// Decoded arguments in order, `name=value` each; empty ones are left out.
    let query: [String]
    /// The host of a target that names one.
    let host: String?

    init(_ target: ArraySlice<UInt8>, method: HTTPMethod) throws(RequestFault) {
        guard target.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }) else {
            throw .invalidPath
        }
        if method == .options, target.elementsEqual("*".utf8) {
            (path, query, host) = ("*", [], nil)
            return
        }
        let (host, rest) = Self.split(target)
        self.host = host.map { String(decoding: $0, as: UTF8.self) }
        let mark = rest.firstIndex(of: UInt8(ascii: "?")) ?? rest.endIndex
        guard rest.first == UInt8(ascii: "/") || host != nil,
            let path = Self.decode(rest[..<mark])
        else { throw .invalidPath }
        self.path = path.isEmpty ? "/" : path
        var arguments: [String] = []
        let text = rest[mark...].dropFirst()
        for argument in text.split(separator: UInt8(ascii: "&")) {
            guard let decoded = Self.decode(argument, plusIsBlank: true) else { throw .invalidPath }
            arguments.append(decoded)
        }
        query = arguments
    }

    /// Takes a host off that stands in front.
    private static func split(
        _ target: ArraySlice<UInt8>
    ) -> (host: ArraySlice<UInt8>?, rest: ArraySlice<UInt8>) {
        let scheme = "http://"
        guard target.count > scheme.utf8.count,
            target.prefix(scheme.utf8.count).map({ $0 | 0x20 }).elementsEqual(
                scheme.utf8.map { $0 | 0x20 })
        else { return (nil, target) }
        let behind = target.dropFirst(scheme.utf8.count)
        let end =
            behind.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
            ?? behind.endIndex
        return (behind[..<end], behind[end...])
    }

    /// Nil where a "%" has no two digits behind it.
    private static func decode(_ text: ArraySlice<UInt8>, plusIsBlank: Bool = false) -> String? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit),
                    let low = rest.popFirst().flatMap(digit)
                else { return nil }
                decoded.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsBlank: decoded.append(UInt8(ascii: " "))
            default: decoded.append(byte)
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
