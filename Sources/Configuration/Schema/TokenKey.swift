import GatewayCore

/// One entry of `resume.token_keys`: a key for signing resume tokens, and its public name.
package struct TokenKey: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// Stands in every token, so that the right key verifies it.
    package let id: String
    /// 32…1024 bytes.
    package let bytes: [UInt8]

    package init?(parsing text: String) {
        guard let (id, encoded) = NamedSecret.split(text),
            let bytes = Base64URL.decode(Array(encoded.utf8)), (32...1024).contains(bytes.count)
        else { return nil }
        self.id = id
        self.bytes = bytes
    }

    package var description: String { "\(id):\(Secret.mask)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
