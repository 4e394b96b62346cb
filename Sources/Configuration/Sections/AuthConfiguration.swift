/// Who may use the gateway.
package struct AuthConfiguration: Sendable {
    /// Empty: everyone.
    package let keys: [AccessKey]

    init(_ keys: inout ConfigurationReader) {
        keys.begin("auth", "Who may use the gateway.")
        self.keys = keys.list(
            "keys", .accessKey, atMost: 10_000,
            "Access keys, NAME:SECRET. A client sends the secret in hello.auth; the name becomes "
                + "the owner of its sessions. Empty: no key is asked for.", .secret
        ).compactMap { AccessKey(parsing: $0) }
    }
}
