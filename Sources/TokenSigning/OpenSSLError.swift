import COpenSSL

/// A call of the library that failed; no input can cause it, only a lack of memory or entropy.
package struct OpenSSLError: Error, Equatable, CustomStringConvertible {
    /// The function that failed.
    package let call: String

    package var description: String { "OpenSSL: \(call) failed" }
}
