import COpenSSL

/// The implementation of SHA-256, looked up once: `EVP_sha256` looks it up at each use.
///
/// Never freed: it lives as long as the process.
struct SHA256Algorithm: @unchecked Sendable {
    // Immutable and reference-counted atomically by the library, hence safe on every thread.
    let raw: OpaquePointer?

    static let shared = SHA256Algorithm(raw: EVP_MD_fetch(nil, "SHA256", nil))
}
