internal import CLibcurl

/// Owns a libcurl share handle: the TLS sessions that all handles of one worker resume.
///
/// A handle without it keeps sessions of its own, 900 bytes of room for them, and resumes none that another handle has
/// begun. Belongs to the loop's thread, so libcurl needs no locks. Every handle that uses it holds it.
final class TLSSessions {
    let raw: UnsafeMutableRawPointer

    init() throws(UpstreamError) {
        guard let raw = curl_share_init() else {
            throw .libcurl("curl_share_init", CURLE_OUT_OF_MEMORY)
        }
        self.raw = raw
        let code = millrace_share(raw, CURL_LOCK_DATA_SSL_SESSION)
        guard code == CURLSHE_OK else { throw .libcurl("CURLSHOPT_SHARE", share: code) }
    }

    deinit { curl_share_cleanup(raw) }
}
