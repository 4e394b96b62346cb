import COpenSSL

/// Random bytes that nobody can foretell, from the library's seeded generator; on any thread.
package enum SecureRandom {
    /// `count` bytes.
    package static func bytes(_ count: Int) throws(OpenSSLError) -> [UInt8] {
        precondition(count >= 0 && count <= 1 << 20)
        var bytes = [UInt8](repeating: 0, count: count)
        guard RAND_bytes(&bytes, Int32(count)) == 1 else { throw OpenSSLError(call: "RAND_bytes") }
        return bytes
    }
}
