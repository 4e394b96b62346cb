package import GatewayCore

/// Signs resume tokens with the newest key, and verifies those of every key it has.
///
/// A token is `base64url(claims).base64url(HMAC-SHA256(first part))`. Immutable: any thread may
/// use it at any time. To rotate, put a new key in front and keep the old one for a lifetime.
package struct TokenSigner: Sendable {
    /// Keys that make no signer.
    package enum Failure: Error, Equatable {
        case noKey
        case repeatedID(String)
        case badID(String)
    }

    /// Longer tokens are malformed, without being looked at.
    package static let maximumTokenBytes = 4096
    private static let signatureBytes = 32

    private let newest: HMACKey
    private let keys: [String: HMACKey]

    /// `keys` from newest to oldest.
    package init(keys: [HMACKey]) throws(Failure) {
        guard let newest = keys.first else { throw .noKey }
        var byID: [String: HMACKey] = [:]
        for key in keys {
            guard (1...ResumeClaims.maximumKeyIDBytes).contains(key.id.utf8.count) else {
                throw .badID(key.id)
            }
            guard byID.updateValue(key, forKey: key.id) == nil else { throw .repeatedID(key.id) }
        }
        self.newest = newest
        self.keys = byID
    }

    /// The token for `claims`, whose key id becomes the newest key's.
    package func sign(_ claims: ResumeClaims) throws(OpenSSLError) -> String {
        var token = Base64URL.encode(claims.encoded(keyID: newest.id))
        let signature = try newest.authenticate(token)
        token.append(UInt8(ascii: "."))
        token.append(contentsOf: Base64URL.encode(signature))
        return String(decoding: token, as: UTF8.self)
    }

    /// The claims of a genuine token that has not expired at `now` (seconds since 1970).
    ///
    /// Session, epoch, subject and rights are still to be checked by the caller.
    package func verify(_ token: String, now: Int64) throws(TokenError) -> ResumeClaims {
        guard token.utf8.count <= Self.maximumTokenBytes else { throw .malformed }
        return try verify(Array(token.utf8), now: now)
    }

    /// Like `verify(_:now:)` for a token in ASCII bytes.
    package func verify(_ token: [UInt8], now: Int64) throws(TokenError) -> ResumeClaims {
        guard token.count <= Self.maximumTokenBytes,
            let dot = token.firstIndex(of: UInt8(ascii: ".")),
            let bytes = Base64URL.decode(token[..<dot]),
            let signature = Base64URL.decode(token[(dot + 1)...]),
            signature.count == Self.signatureBytes
        else { throw .malformed }
        let claims: ResumeClaims
        do { claims = try ResumeClaims.decode(bytes) } catch {
            switch error {
            case .malformed: throw .malformed
            case .wrongVersion(let version): throw .wrongVersion(version)
            }
        }
        guard let key = keys[claims.keyID] else { throw .unknownKey }
        let isGenuine: Bool
        do { isGenuine = try key.verify(signature, of: Array(token[..<dot])) } catch {
            throw .unavailable(error)
        }
        guard isGenuine else { throw .badSignature }
        guard now < claims.expiresAt else {
            let (seconds, overflow) = now.subtractingReportingOverflow(claims.expiresAt)
            throw .expired(seconds: overflow ? Int64.max : seconds)
        }
        return claims
    }
}
