/// What happens to a session whose client is away.
package struct ResumeConfiguration: Sendable {
    /// What happens to a running response when nobody has come back.
    package enum AbandonPolicy: String, Sendable, CaseIterable {
        case cancel
        case `continue`
    }

    /// How long a running response waits for its client.
    package let window: Duration
    /// What happens then.
    package let onAbandon: AbandonPolicy
    /// How long a resume token is valid.
    package let tokenLifetime: Duration
    /// Newest first: the first signs, all verify; empty: a key is made at start.
    package let tokenKeys: [TokenKey]

    init(_ keys: inout ConfigurationReader) {
        keys.begin("resume", "What happens to a session whose client is away.")
        window = keys.duration(
            "window_s", in: 0...86_400, default: 120,
            "How long a running response goes on without any connection of its session.")
        onAbandon = keys.choice(
            "on_abandon", default: .cancel,
            "What happens to it then: cancel it, or let it continue to its end.")
        tokenLifetime = keys.duration(
            "token_ttl_s", in: 60...2_592_000, default: 86_400,
            "How long a resume token is valid. A fresh one is sent before it expires.")
        tokenKeys = keys.list(
            "token_keys", .tokenKey, atMost: 16,
            "Keys for resume tokens, ID:KEY with a key of 32 bytes or more in base64url, newest "
                + "first: the first signs, all verify. Empty: a key is made at start, and a "
                + "restart makes every token worthless.", .secret
        ).compactMap { TokenKey(parsing: $0) }
    }
}
