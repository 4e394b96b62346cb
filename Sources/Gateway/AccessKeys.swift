import Configuration
import TokenSigning
import WebSocketServer

/// Who may use the gateway: the keys of `auth.keys`; without any, everybody may.
struct AccessKeys: Sendable {
    private let keys: [AccessKey]

    /// In lower case; a client may write it in any (RFC 9110, section 11.1).
    private static let scheme = "bearer "

    init(_ configuration: AuthConfiguration) { keys = configuration.keys }

    /// The subject of requests without a key, where no key is asked for.
    static let anonymous = "anonymous"

    /// True when a key is asked for.
    var areRequired: Bool { !keys.isEmpty }

    /// The name of the key with this secret; every key is compared, in constant time.
    func name(for secret: String) -> String? {
        var found: String?
        for key in keys where ConstantTime.equal(key.secret.reveal(), secret) { found = key.name }
        return found
    }

    /// The name of the key in a request's `Authorization: Bearer`; nil when there is none, or an unknown one.
    func bearer(of request: HTTPRequest) -> String? {
        guard let header = request.headers["authorization"],
            header.prefix(Self.scheme.count).lowercased() == Self.scheme
        else {
            return nil
        }
        return name(for: String(header.dropFirst(Self.scheme.count)))
    }

    /// Whom a request belongs to; nil when a key is asked for, and its own is missing or unknown.
    func subject(of request: HTTPRequest) -> String? {
        bearer(of: request) ?? (areRequired ? nil : Self.anonymous)
    }
}
