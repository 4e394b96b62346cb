import COpenSSL

/// A named key for HMAC-SHA256 (RFC 2104), ready for use on any thread.
///
/// Prints as its name only. The secret lives in the library's context, not in this value.
package struct HMACKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// Public; stands in every token.
    package let id: String
    private let template: HMACTemplate

    package init(id: String, secret: [UInt8]) throws(OpenSSLError) {
        self.id = id
        template = try HMACTemplate(secret: secret)
    }

    /// A key of 32 random bytes that no other process knows.
    package static func ephemeral() throws(OpenSSLError) -> HMACKey {
        try HMACKey(
            id: "e" + hexadecimal(SecureRandom.bytes(4)), secret: SecureRandom.bytes(32))
    }

    /// The 32 bytes that prove `message`.
    package func authenticate(_ message: [UInt8]) throws(OpenSSLError) -> [UInt8] {
        try template.authenticate(message)
    }

    /// Compares in constant time.
    package func verify(
        _ signature: [UInt8], of message: [UInt8]
    ) throws(OpenSSLError) -> Bool {
        ConstantTime.equal(signature, try authenticate(message))
    }

    package var description: String { "key \(id)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Owns a context that holds the key and has read nothing; each use works on a copy.
///
/// Copying costs less than setting the key anew: both hash blocks of the key are done.
private final class HMACTemplate: @unchecked Sendable {
    // Never changed after `init`; copying only reads it, so every thread may.
    private let context: OpaquePointer

    init(secret: [UInt8]) throws(OpenSSLError) {
        guard let algorithm = EVP_MAC_fetch(nil, "HMAC", nil) else {
            throw OpenSSLError(call: "EVP_MAC_fetch")
        }
        defer { EVP_MAC_free(algorithm) }
        guard let context = EVP_MAC_CTX_new(algorithm) else {
            throw OpenSSLError(call: "EVP_MAC_CTX_new")
        }
        guard millrace_hmac_init(context, "SHA256", secret, secret.count) == 1 else {
            EVP_MAC_CTX_free(context)
            throw OpenSSLError(call: "EVP_MAC_init")
        }
        self.context = context
    }

    deinit { EVP_MAC_CTX_free(context) }

    func authenticate(_ message: [UInt8]) throws(OpenSSLError) -> [UInt8] {
        guard let copy = EVP_MAC_CTX_dup(context) else {
            throw OpenSSLError(call: "EVP_MAC_CTX_dup")
        }
        defer { EVP_MAC_CTX_free(copy) }
        var result = [UInt8](repeating: 0, count: 32)
        var count = 0
        guard EVP_MAC_update(copy, message, message.count) == 1,
            EVP_MAC_final(copy, &result, &count, result.count) == 1, count == result.count
        else { throw OpenSSLError(call: "EVP_MAC_final") }
        return result
    }
}
