internal import CLibcurl
internal import Glibc

/// Owns one libcurl easy handle and what libcurl reads from it, freed once, when this object's life ends.
///
/// A class because pools and transfers hand it around; exactly one of them has it at a time.
final class EasyHandle {
    let raw: UnsafeMutableRawPointer
    private let sessions: TLSSessions
    /// Where libcurl writes its own words about an error.
    private let errorText: UnsafeMutablePointer<CChar>
    private var headers = HeaderList()
    /// libcurl borrows it until it is sent, and again if a dead connection makes it send it again.
    private var body: UnsafeMutableRawBufferPointer?
    private var bodyBytes: curl_off_t = 0

    init(resuming sessions: TLSSessions) throws(UpstreamError) {
        guard let raw = curl_easy_init() else {
            throw .libcurl("curl_easy_init", CURLE_OUT_OF_MEMORY)
        }
        self.raw = raw
        self.sessions = sessions
        errorText = .allocate(capacity: MILLRACE_ERROR_SIZE)
        errorText.initialize(repeating: 0, count: MILLRACE_ERROR_SIZE)
    }

    deinit {
        curl_easy_cleanup(raw)
        errorText.deallocate()
        body?.deallocate()
    }

    /// Forgets the request; connections, names and TLS sessions stay known.
    ///
    /// False when it cannot serve another one.
    func reset(receiveBufferBytes: Int) -> Bool {
        curl_easy_reset(raw)
        headers = HeaderList()
        body?.deallocate()
        body = nil
        errorText[0] = 0
        return millrace_easy_set_long(raw, CURLOPT_BUFFERSIZE, receiveBufferBytes) == CURLE_OK
    }

    /// Frees what the request was made of once all of it is sent and the response has begun.
    ///
    /// A conversation can be large, and the answer to it long. libcurl sends again only what was not
    /// answered by a single byte, so it reads header lines and body no more.
    func releaseSentRequest() {
        var sent: curl_off_t = 0
        if body != nil { millrace_easy_get_offset(raw, CURLINFO_SIZE_UPLOAD_T, &sent) }
        guard body == nil || sent >= bodyBytes else { return }
        if millrace_easy_set_headers(raw, nil) == CURLE_OK { headers = HeaderList() }
        guard let body else { return }
        guard millrace_easy_set_pointer(raw, CURLOPT_POSTFIELDS, nil) == CURLE_OK else { return }
        body.deallocate()
        self.body = nil
    }

    // MARK: Setting

    /// Sets everything that `request` needs; `context` comes back in the callbacks, and `worker` in that of a
    /// connection, which outlives the request.
    ///
    /// `isFast` says that the server is likely to send much at a time.
    func configure(
        _ request: UpstreamRequest, options: UpstreamOptions, isFast: Bool,
        context: UnsafeMutableRawPointer, worker: UnsafeMutableRawPointer
    ) throws(UpstreamError) {
        let server = request.server.options
        // First: what is set next takes the places of what this frees.
        try setAuthorities(of: request.server)
        try set(CURLOPT_URL, request.server.url(path: request.path))
        try set(CURLOPT_PRIVATE, context)
        try setPointer(CURLOPT_ERRORBUFFER, errorText)
        if let count = request.uploadBytes {
            try setUpload(count, context: context)
        } else {
            try set(method: request.method, body: request.body)
        }
        try setHeaders(of: request)
        try set(CURLOPT_USERAGENT, options.userAgent)

        // The process has many threads: no signals. Cancelling must not wait for a name server.
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_UPLOAD_BUFFERSIZE, 16 * 1_024)
        // One timeout for both in libcurl: where they are two, the transfer watches each.
        let untilConnected = server.connectTimeout + (server.tlsTimeout ?? .zero)
        try set(CURLOPT_CONNECTTIMEOUT_MS, Int(clamping: milliseconds(untilConnected)))
        try set(CURLOPT_MAXAGE_CONN, Int(options.idleConnectionLifetime.components.seconds))
        try set(CURLOPT_TCP_NODELAY, 1)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_TCP_KEEPIDLE, 30)
        try set(CURLOPT_TCP_KEEPINTVL, 15)

        // A redirect would carry the key to whoever upstream names.
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_HTTP09_ALLOWED, 0)
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // Empty strings, not nothing: else libcurl asks http_proxy and all_proxy, and no_proxy where there is a proxy.
        try set(CURLOPT_PROXY, server.proxy ?? "")
        if server.proxy != nil { try set(CURLOPT_NOPROXY, "") }

        let usesHTTP2 = request.server.isSecure && server.allowsHTTP2
        let receiveBufferBytes =
            isFast ? options.fastReceiveBufferBytes : options.receiveBufferBytes
        try set(
            CURLOPT_BUFFERSIZE,
            usesHTTP2 ? options.sharedReceiveBufferBytes : receiveBufferBytes)
        try set(
            CURLOPT_HTTP_VERSION,
            usesHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1)
        // Wait for a connection that may turn out to be HTTP/2, rather than open one each.
        try set(CURLOPT_PIPEWAIT, usesHTTP2 ? 1 : 0)
        try set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        try set(CURLOPT_SSL_VERIFYPEER, server.verifiesTLS ? 1 : 0)
        try set(CURLOPT_SSL_VERIFYHOST, server.verifiesTLS ? 2 : 0)
        // Here, not once: a reset forgets how many sessions there may be.
        try set(CURLOPT_SHARE, sessions.raw)

        try check("CURLOPT_WRITEFUNCTION", millrace_easy_set_write_function(raw, transferBody))
        try setPointer(CURLOPT_WRITEDATA, context)
        try check("CURLOPT_HEADERFUNCTION", millrace_easy_set_header_function(raw, transferHeader))
        try setPointer(CURLOPT_HEADERDATA, context)
        try check("CURLOPT_PREREQFUNCTION", millrace_easy_set_prereq_function(raw, transferReady))
        try setPointer(CURLOPT_PREREQDATA, context)
        // libcurl (7.88) keeps no reason of a socket that it cannot make.
        try check(
            "CURLOPT_OPENSOCKETFUNCTION",
            millrace_easy_set_open_socket_function(raw, transferSocket))
        try setPointer(CURLOPT_OPENSOCKETDATA, context)
        try check(
            "CURLOPT_CLOSESOCKETFUNCTION",
            millrace_easy_set_close_socket_function(raw, workerCloseSocket))
        try setPointer(CURLOPT_CLOSESOCKETDATA, worker)
    }

    /// Sets whom to trust, and nothing where nobody has to be: libcurl has the system's authorities twice in each
    /// handle, the second time for proxies behind TLS, and copies all of that into each connection.
    private func setAuthorities(of server: UpstreamServer) throws(UpstreamError) {
        if !server.isProxySecure {
            try setPointer(CURLOPT_PROXY_CAINFO, nil)
            try setPointer(CURLOPT_PROXY_CAPATH, nil)
        }
        if !server.isSecure {
            try setPointer(CURLOPT_CAINFO, nil)
            try setPointer(CURLOPT_CAPATH, nil)
        } else if let file = server.options.authorityFile {
            try set(CURLOPT_CAINFO, file)
        }
    }

    private func set(
        method: UpstreamRequest.Method, body bytes: [UInt8]
    ) throws(UpstreamError) {
        switch method {
        case .get:
            try set(CURLOPT_HTTPGET, 1)
        case .delete:
            try set(CURLOPT_HTTPGET, 1)
            try set(CURLOPT_CUSTOMREQUEST, method.rawValue)
        case .post:
            let copy = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(bytes.count, 1), alignment: 1)
            copy.copyBytes(from: bytes)
            body = copy
            bodyBytes = curl_off_t(bytes.count)
            try set(CURLOPT_POST, 1)
            try check(
                "CURLOPT_POSTFIELDSIZE_LARGE",
                millrace_easy_set_offset(raw, CURLOPT_POSTFIELDSIZE_LARGE, bodyBytes))
            try setPointer(CURLOPT_POSTFIELDS, copy.baseAddress)
        }
    }

    /// A body that comes in pieces; its connection is a new one, since a piece that is sent cannot be sent again.
    ///
    /// And nobody's after it: a body that is refused before its end has only begun there.
    private func setUpload(
        _ count: Int, context: UnsafeMutableRawPointer
    ) throws(UpstreamError) {
        try set(CURLOPT_POST, 1)
        try check(
            "CURLOPT_POSTFIELDSIZE_LARGE",
            millrace_easy_set_offset(raw, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(count)))
        try check("CURLOPT_READFUNCTION", millrace_easy_set_read_function(raw, transferUpload))
        try setPointer(CURLOPT_READDATA, context)
        try set(CURLOPT_FRESH_CONNECT, 1)
        try set(CURLOPT_FORBID_REUSE, 1)
    }

    private func setHeaders(of request: UpstreamRequest) throws(UpstreamError) {
        // Empty: libcurl would wait a second for "100 Continue" before it sends a larger body.
        try headers.append("Expect:")
        // Nothing said would allow every coding (RFC 9110, section 12.5.3).
        try headers.append("accept-encoding: identity")
        switch request.expectation {
        case .eventStream: try headers.append("accept: text/event-stream")
        case .document, .streamOrDocument: try headers.append("accept: application/json")
        case .bytes: break
        }
        if request.method == .post {
            try UpstreamServer.check(name: "content-type", value: request.contentType)
            try headers.append("content-type: \(request.contentType)")
        }
        for line in request.server.headerLines { try headers.append(line) }
        for (name, value) in request.headers {
            try UpstreamServer.check(name: name, value: value)
            try headers.append("\(name): \(value)")
        }
        try check("CURLOPT_HTTPHEADER", millrace_easy_set_headers(raw, headers.raw))
    }

    private func milliseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return max(1, seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
    }

    private func set(_ option: CURLoption, _ value: Int) throws(UpstreamError) {
        try check(option, millrace_easy_set_long(raw, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws(UpstreamError) {
        try check(option, millrace_easy_set_string(raw, option, value))
    }

    private func set(
        _ option: CURLoption, _ value: UnsafeMutableRawPointer
    ) throws(UpstreamError) {
        try setPointer(option, value)
    }

    private func setPointer(
        _ option: CURLoption, _ value: UnsafeMutableRawPointer?
    ) throws(UpstreamError) {
        try check(option, millrace_easy_set_pointer(raw, option, value))
    }

    private func check(_ option: CURLoption, _ code: CURLcode) throws(UpstreamError) {
        guard code != CURLE_OK else { return }
        let name = curl_easy_option_by_id(option).map { String(cString: $0.pointee.name) }
        throw .libcurl("CURLOPT_\(name ?? String(option.rawValue))", code)
    }

    private func check(_ name: String, _ code: CURLcode) throws(UpstreamError) {
        guard code == CURLE_OK else { throw .libcurl(name, code) }
    }

    // MARK: Asking

    /// libcurl's words about the error of this exchange; empty when it had none.
    var errorDetail: String { String(cString: errorText) }

    /// The `errno` of the last connect, send or receive that failed.
    var systemError: Int32 { Int32(clamping: long(CURLINFO_OS_ERRNO)) }

    /// No connection was opened for this exchange.
    var isConnectionReused: Bool { long(CURLINFO_NUM_CONNECTS) == 0 }

    /// The answer came as HTTP/2; known with its head.
    var isHTTP2: Bool { long(CURLINFO_HTTP_VERSION) == CURL_HTTP_VERSION_2_0 }

    /// When each phase ended, so far.
    var timing: UpstreamTiming {
        UpstreamTiming(
            nameLookup: duration(CURLINFO_NAMELOOKUP_TIME_T),
            connect: duration(CURLINFO_CONNECT_TIME_T),
            appConnect: duration(CURLINFO_APPCONNECT_TIME_T),
            preTransfer: duration(CURLINFO_PRETRANSFER_TIME_T),
            startTransfer: duration(CURLINFO_STARTTRANSFER_TIME_T),
            total: duration(CURLINFO_TOTAL_TIME_T),
            isConnectionReused: isConnectionReused,
            isHTTP2: isHTTP2)
    }

    private func duration(_ info: CURLINFO) -> Duration {
        var value: curl_off_t = 0
        millrace_easy_get_offset(raw, info, &value)
        return .microseconds(value)
    }

    private func long(_ info: CURLINFO) -> Int {
        var value = 0
        millrace_easy_get_long(raw, info, &value)
        return value
    }
}

/// Owns a libcurl string list.
private struct HeaderList: ~Copyable {
    private(set) var raw: UnsafeMutablePointer<curl_slist>?

    deinit { curl_slist_free_all(raw) }

    /// Adds a copy of `line`.
    mutating func append(_ line: String) throws(UpstreamError) {
        guard let longer = curl_slist_append(raw, line) else {
            throw .libcurl("curl_slist_append", CURLE_OUT_OF_MEMORY)
        }
        raw = longer
    }
}
