internal import CEpoll
internal import COpenSSL
internal import Glibc

/// Owns the TLS settings that all connections of a run share.
package final class TLSClient {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    fileprivate let context: OpaquePointer
    fileprivate let host: String
    fileprivate let isVerifying: Bool

    /// TLS 1.2 or newer; verifies the server against the system's or `authorityFile`'s roots.
    package init(host: String, isVerifying: Bool, authorityFile: String?) throws(Failure) {
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw Failure(description: "OpenSSL gives no context")
        }
        self.context = context
        self.host = host
        self.isVerifying = isVerifying
        guard cossl_require_tls12(context) == 1 else {
            throw Failure(description: "OpenSSL refuses TLS 1.2")
        }
        cossl_allow_partial_writes(context)
        guard isVerifying else { return }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        if let authorityFile {
            guard SSL_CTX_load_verify_locations(context, authorityFile, nil) == 1 else {
                throw Failure(description: "\(authorityFile) holds no certificates")
            }
        } else {
            SSL_CTX_set_default_verify_paths(context)
        }
    }

    deinit { SSL_CTX_free(context) }
}

/// Owns the TLS side of one connection over a descriptor that somebody else closes, later.
package final class TLSStream {
    private let ssl: OpaquePointer
    private let client: TLSClient

    package init?(_ client: TLSClient, fd: Int32) {
        guard let ssl = SSL_new(client.context) else { return nil }
        self.ssl = ssl
        self.client = client
        guard SSL_set_fd(ssl, fd) == 1, cossl_set_server_name(ssl, client.host) == 1 else {
            return nil
        }
        if client.isVerifying, SSL_set1_host(ssl, client.host) != 1 { return nil }
        SSL_set_connect_state(ssl)
    }

    deinit { SSL_free(ssl) }

    package enum Handshake: Equatable {
        case done
        case wantsRead
        case wantsWrite
        /// The connection broke; another may hold.
        case failed(String)
        /// No TLS, or not one that we take: another attempt would end the same.
        case refused(String)
    }

    package func shakeHands() -> Handshake {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 { return .done }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_SSL: return Self.isCutOff ? .failed(reason) : .refused(reason)
        default: return .failed(reason)
        }
    }

    /// Whether the newest error is a connection that ended in the middle.
    private static var isCutOff: Bool {
        ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
    }

    /// Bytes already decrypted: epoll knows nothing of them.
    package var hasPending: Bool { SSL_pending(ssl) > 0 }

    package func receive(into buffer: UnsafeMutableRawBufferPointer) -> Socket.Transfer {
        ERR_clear_error()
        return transfer(SSL_read(ssl, buffer.baseAddress, Int32(clamping: buffer.count)))
    }

    package func send(_ bytes: UnsafeRawBufferPointer) -> Socket.Transfer {
        ERR_clear_error()
        return transfer(SSL_write(ssl, bytes.baseAddress, Int32(clamping: bytes.count)))
    }

    /// Says goodbye once; the answer is not waited for.
    package func shutDown() { SSL_shutdown(ssl) }

    private func transfer(_ count: Int32) -> Socket.Transfer {
        if count > 0 { return .bytes(Int(count)) }
        switch SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
        case SSL_ERROR_ZERO_RETURN: return .ended
        default: return .failed(errno == 0 ? ECONNRESET : errno)
        }
    }

    private var reason: String {
        let verdict = SSL_get_verify_result(ssl)
        if verdict != Int(X509_V_OK) {
            return "certificate: " + String(cString: X509_verify_cert_error_string(verdict))
        }
        let code = ERR_get_error()
        return ERR_reason_error_string(code).map { String(cString: $0) } ?? "closed by the server"
    }
}
