import COpenSSL

/// A SHA-256 in the making; owns its context and frees it once.
///
/// For one thread at a time. Source: FIPS 180-4.
package struct SHA256Digest: ~Copyable {
    private let context: OpaquePointer
    private var hasFailed = false

    private init(adopting context: OpaquePointer) { self.context = context }

    deinit { EVP_MD_CTX_free(context) }

    /// A digest of nothing yet.
    package static func make() throws(OpenSSLError) -> SHA256Digest {
        guard let context = EVP_MD_CTX_new() else { throw OpenSSLError(call: "EVP_MD_CTX_new") }
        let digest = SHA256Digest(adopting: context)
        guard EVP_DigestInit_ex(context, SHA256Algorithm.shared.raw, nil) == 1 else {
            throw OpenSSLError(call: "EVP_DigestInit_ex")
        }
        return digest
    }

    /// Adds bytes.
    package mutating func update(_ bytes: Span<UInt8>) {
        let done = bytes.withUnsafeBytes { buffer in
            EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
        }
        if done != 1 { hasFailed = true }
    }

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) { update(bytes.span) }

    /// The 32 bytes.
    package consuming func finish() throws(OpenSSLError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        guard !hasFailed, EVP_DigestFinal_ex(context, &result, nil) == 1 else {
            throw OpenSSLError(call: "EVP_DigestFinal_ex")
        }
        return result
    }

    /// The digest in 64 lower-case hexadecimal digits.
    package consuming func finishHex() throws(OpenSSLError) -> String { hexadecimal(try finish()) }

    /// The digest of `bytes` in hexadecimal.
    package static func hex(of bytes: [UInt8]) throws(OpenSSLError) -> String {
        var digest = try make()
        digest.update(bytes)
        return try digest.finishHex()
    }
}

/// Two lower-case hexadecimal digits for each byte.
package func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
