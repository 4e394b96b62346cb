/// Why a token proves nothing; one case per cause, so that each has its own error code.
package enum TokenError: Error, Equatable {
    /// Not the form of a token, too long, or claims that cannot be read.
    case malformed
    /// Claims of another version than ours; their signature was not looked at.
    case wrongVersion(UInt8)
    /// Signed with a key that this gateway does not have (any more).
    case unknownKey
    /// The signature is not that of the claims.
    case badSignature
    /// Genuine, but since `seconds` (0 or more) too old.
    case expired(seconds: Int64)
    /// The signature could not be computed; says nothing about the token.
    case unavailable(OpenSSLError)
}
