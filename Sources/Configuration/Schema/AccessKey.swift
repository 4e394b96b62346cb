/// One entry of `auth.keys`: who, and the secret that proves it.
package struct AccessKey: Sendable, Equatable {
    /// Becomes the subject of resume tokens: letters, digits, `.`, `_`, `-`, at most 64.
    package let name: String
    /// At least 16 characters without spaces.
    package let secret: Secret

    init?(parsing text: String) {
        guard let (name, secret) = NamedSecret.split(text), (16...1024).contains(secret.utf8.count),
            secret.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return nil }
        self.name = name
        self.secret = Secret(secret)
    }
}

/// `NAME:REST`, where the name is short and plain.
enum NamedSecret {
    static func split(_ text: String) -> (name: String, rest: String)? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let name = text[..<colon]
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard (1...64).contains(name.utf8.count), isPlain else { return nil }
        return (String(name), String(text[text.index(after: colon)...]))
    }
}
