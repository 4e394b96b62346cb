internal import COpenSSL

/// OpenSSL's digests, one call each.
package enum Digest {
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha256()) }

    /// For the WebSocket handshake only.
    package static func sha1(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha1()) }

    private static func digest(_ bytes: [UInt8], _ type: OpaquePointer?) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let ok = EVP_Digest(bytes, bytes.count, &output, &count, type, nil)
        precondition(ok == 1, "OpenSSL has no such digest")
        return Array(output[..<Int(count)])
    }
}
