internal import CLibcurl
internal import Glibc

/// What libcurl needs once in a process; `main` calls it before there is a second thread.
package enum CurlGlobal {
    private static let status: CURLcode = {
        // libcurl with NOSIGNAL leaves SIGPIPE alone, and OpenSSL writes without MSG_NOSIGNAL:
        // a peer that closes early would end the process.
        signal(SIGPIPE, SIG_IGN)
        return curl_global_init(MILLRACE_GLOBAL_DEFAULT)
    }()

    /// Prepares libcurl and ignores SIGPIPE; later calls do nothing.
    package static func initialize() throws(UpstreamError) {
        guard status == CURLE_OK else { throw .libcurl("curl_global_init", status) }
    }

    /// Name and version of libcurl and the libraries in it, for the start-up log line.
    package static var version: String { String(cString: curl_version()) }
}
