import COpenSSL

/// Comparison whose duration tells nothing about where two secrets differ.
package enum ConstantTime {
    /// True when both hold the same bytes; their lengths are not secret.
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }

    /// True when both are the same text, of any lengths: their digests are compared.
    package static func equal(_ left: String, _ right: String) -> Bool {
        guard let left = try? digest(left), let right = try? digest(right) else { return false }
        return equal(left, right)
    }

    private static func digest(_ text: String) throws(OpenSSLError) -> [UInt8] {
        var digest = try SHA256Digest.make()
        digest.update(Array(text.utf8))
        return try digest.finish()
    }
}
