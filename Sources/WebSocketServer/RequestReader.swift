internal import CLibwebsockets

/// Copies a request's head out of the library's buffers, which are gone after the callback.
enum RequestReader {
    private static let headers: [(String, lws_token_indexes)] = [
        ("host", WSI_TOKEN_HOST),
        ("origin", WSI_TOKEN_ORIGIN),
        ("authorization", WSI_TOKEN_HTTP_AUTHORIZATION),
        ("cookie", WSI_TOKEN_HTTP_COOKIE),
        ("content-length", WSI_TOKEN_HTTP_CONTENT_LENGTH),
        ("content-type", WSI_TOKEN_HTTP_CONTENT_TYPE),
        ("content-encoding", WSI_TOKEN_HTTP_CONTENT_ENCODING),
        ("expect", WSI_TOKEN_HTTP_EXPECT),
        ("accept", WSI_TOKEN_HTTP_ACCEPT),
        ("accept-encoding", WSI_TOKEN_HTTP_ACCEPT_ENCODING),
        ("if-none-match", WSI_TOKEN_HTTP_IF_NONE_MATCH),
        ("range", WSI_TOKEN_HTTP_RANGE),
        ("transfer-encoding", WSI_TOKEN_HTTP_TRANSFER_ENCODING),
        ("upgrade", WSI_TOKEN_UPGRADE),
        ("connection", WSI_TOKEN_CONNECTION),
        ("user-agent", WSI_TOKEN_HTTP_USER_AGENT),
        ("sec-websocket-protocol", WSI_TOKEN_PROTOCOL),
        ("sec-websocket-version", WSI_TOKEN_VERSION),
        ("sec-websocket-key", WSI_TOKEN_KEY),
        ("x-forwarded-for", WSI_TOKEN_X_FORWARDED_FOR),
    ]

    private static let methods: [(HTTPMethod, lws_token_indexes)] = [
        (.get, WSI_TOKEN_GET_URI), (.post, WSI_TOKEN_POST_URI), (.options, WSI_TOKEN_OPTIONS_URI),
        (.put, WSI_TOKEN_PUT_URI), (.patch, WSI_TOKEN_PATCH_URI),
        (.delete, WSI_TOKEN_DELETE_URI), (.head, WSI_TOKEN_HEAD_URI),
    ]

    /// Query arguments that are looked at; a request with more is marked.
    private static let maximumArguments: Int32 = 32

    static func read(
        _ wsi: OpaquePointer, remoteAddress: String, custom: [String]
    ) -> HTTPRequest? {
        guard let (method, token) = methods.first(where: { lws_hdr_total_length(wsi, $0.1) > 0 }),
            let decoded = header(wsi, token)
        else { return nil }
        // The library (4.1.6) makes a blank of "+" here too, where it stands for itself. What is written as "%20" cannot
        // be told from it any more; no id has one, and files are found by either.
        let path = decoded.replacing(" ", with: "+")
        var found: [String: String] = [:]
        for (name, token) in headers {
            if let value = header(wsi, token) { found[name] = value }
        }
        for name in custom {
            if let value = customHeader(wsi, name) { found[name] = value }
        }
        var query: [String] = []
        for index in 0..<maximumArguments {
            guard let argument = fragment(wsi, WSI_TOKEN_HTTP_URI_ARGS, index) else { break }
            if !argument.isEmpty { query.append(argument) }
        }
        // The library (4.1.6) writes that where the last argument is empty.
        if query.last == "/" { query.removeLast() }
        var request = HTTPRequest(
            method: method, path: path, query: query, headers: found,
            remoteAddress: remoteAddress, isUpgrade: false)
        request.fault = fault(of: wsi, path: token)
        request.takesChunks = header(wsi, WSI_TOKEN_HTTP) != "HTTP/1.0"
        request.hasMoreArguments = fragment(wsi, WSI_TOKEN_HTTP_URI_ARGS, maximumArguments) != nil
        return request
    }

    /// What the library lets pass, and nobody may guess about.
    private static func fault(of wsi: OpaquePointer, path: lws_token_indexes) -> HTTPResponse? {
        // The library (4.1.6) cuts a path there, as if it were a query, and does not say at which of the two.
        if fragment(wsi, path, 1) != nil {
            return .error(
                400, "ambiguous_path", "write & and ; as %26 and %3B in a path")
        }
        // One that is empty, has a NUL in it, or is there several times is no length (RFC 9112, section 6.3).
        if fragment(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, 0) != nil {
            let length = header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) ?? ""
            guard !length.isEmpty, length.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return .error(400, "invalid_content_length", "content-length is one number")
            }
        }
        if fragment(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING, 0) != nil {
            return .error(411, "length_required", "send a content-length")
        }
        return nil
    }

    /// How long the body is that follows; nil when none does.
    static func bodyLength(_ request: HTTPRequest) -> Int? {
        // Also of a GET or HEAD: the body means nothing there, and yet it comes (RFC 9110, section 9.3.1).
        guard let text = request.headers["content-length"] else { return nil }
        let count = Int(text) ?? .max  // It has digits only, be they too many.
        // For a POST of no bytes the library calls for the body all the same.
        return count == 0 && request.method != .post ? nil : count
    }

    static func remoteAddress(_ wsi: OpaquePointer) -> String {
        var buffer = [CChar](repeating: 0, count: 64)
        millrace_peer_address(lws_get_socket_fd(wsi), &buffer, Int32(buffer.count))
        return text(buffer)
    }

    private static func header(_ wsi: OpaquePointer, _ token: lws_token_indexes) -> String? {
        let length = lws_hdr_total_length(wsi, token)
        guard length > 0 else { return nil }
        var buffer = [CChar](repeating: 0, count: Int(length) + 1)
        guard lws_hdr_copy(wsi, &buffer, Int32(buffer.count), token) > 0 else { return nil }
        // A decoded NUL would cut the text short, and a path would name something else.
        return buffer.prefix(Int(length)).contains(0) ? nil : text(buffer)
    }

    /// Nil where there is no such fragment; one can also be empty.
    private static func fragment(
        _ wsi: OpaquePointer, _ token: lws_token_indexes, _ index: Int32
    ) -> String? {
        let length = lws_hdr_fragment_length(wsi, token, index)
        var buffer = [CChar](repeating: 0, count: Int(length) + 1)
        guard lws_hdr_copy_fragment(wsi, &buffer, Int32(buffer.count), token, index) >= 0 else {
            return nil
        }
        return text(buffer)
    }

    private static func customHeader(_ wsi: OpaquePointer, _ name: String) -> String? {
        let key = name + ":"
        let length = lws_hdr_custom_length(wsi, key, Int32(key.utf8.count))
        guard length > 0 else { return nil }
        var buffer = [CChar](repeating: 0, count: Int(length) + 1)
        let copied = lws_hdr_custom_copy(
            wsi, &buffer, Int32(buffer.count), key, Int32(key.utf8.count))
        return copied > 0 ? text(buffer) : nil
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
