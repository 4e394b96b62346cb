import Glibc
import TokenSigning
import WebSocketServer

/// The front's files, read once at start and served from memory.
struct StaticFiles: Sendable {
    private struct File: Sendable {
        let bytes: [UInt8]
        let type: String
        let tag: String
    }

    // More than this is refused at start: a front is small, anything else is a mistake.
    private static let maximumFileBytes = 32 << 20
    private static let maximumFiles = 2000

    private var files: [String: File] = [:]

    /// Reads all files below `directory`; nil serves none.
    init(directory: String?) throws(GatewayStartError) {
        guard let directory else { return }
        try read(directory, as: "")
        guard files["/index.html"] != nil else {
            throw GatewayStartError(
                "server.web_directory: \(directory) has no index.html; build the front first (make web)"
            )
        }
    }

    var isEmpty: Bool { files.isEmpty }

    /// The answer to a request for a path; nil when there is no such file.
    func response(to request: HTTPRequest) -> HTTPResponse? {
        let path = request.path == "/" ? "/index.html" : request.path
        guard let file = files[path] else { return nil }
        var headers = Self.securityHeaders
        headers.append(("etag", file.tag))
        headers.append(("cache-control", "no-cache"))
        if Self.matches(request.headers["if-none-match"], file.tag) {
            return HTTPResponse(status: 304, headers: headers)
        }
        headers.append(("content-type", file.type))
        return HTTPResponse(status: 200, headers: headers, body: file.bytes)
    }

    /// Nothing from elsewhere, nothing inline, nothing that turns text into code.
    private static let securityHeaders = [
        (
            "content-security-policy",
            "default-src 'self'; connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; "
                + "object-src 'none'; frame-ancestors 'none'; form-action 'self'; "
                + "require-trusted-types-for 'script'; trusted-types vue"
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ]

    /// RFC 9110, section 13.1.2: a list of tags, compared weakly.
    private static func matches(_ condition: String?, _ tag: String) -> Bool {
        guard let condition else { return false }
        return condition.split(separator: ",").contains { part in
            let candidate = part.drop(while: isBlank).prefix { !isBlank($0) }
            return candidate == "*" || candidate == tag || candidate == "W/" + tag
        }
    }

    private static func isBlank(_ character: Character) -> Bool {
        character == " " || character == "\t"
    }

    private mutating func read(_ directory: String, as prefix: String) throws(GatewayStartError) {
        guard let handle = opendir(directory) else {
            throw GatewayStartError(
                "server.web_directory: \(directory): \(String(cString: strerror(errno)))")
        }
        defer { closedir(handle) }
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard !name.hasPrefix(".") else { continue }
            let path = "\(directory)/\(name)"
            var status = stat()
            guard stat(path, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                try read(path, as: "\(prefix)/\(name)")
            } else if status.st_mode & S_IFMT == S_IFREG {
                guard files.count < Self.maximumFiles, status.st_size <= Self.maximumFileBytes
                else {
                    throw GatewayStartError(
                        "server.web_directory: \(path): too many or too large files")
                }
                let key = "\(prefix)/\(name)"
                guard files[key] == nil else {
                    throw GatewayStartError(
                        "server.web_directory: \(path): another file's name differs in blanks and + only"
                    )
                }
                files[key] = try Self.load(path, Int(status.st_size))
            }
        }
    }

    private static func load(_ path: String, _ size: Int) throws(GatewayStartError) -> File {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw GatewayStartError(
                "server.web_directory: \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: size)
        var filled = 0
        while filled < size {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), size - filled)
            }
            guard count > 0 else { break }
            filled += count
        }
        bytes.removeLast(size - filled)
        let digest = (try? SHA256Digest.hex(of: bytes)) ?? ""
        return File(bytes: bytes, type: type(of: path), tag: "\"\(digest.prefix(16))\"")
    }

    private static func type(of path: String) -> String {
        switch path.split(separator: ".").last.map(String.init) ?? "" {
        case "html": "text/html; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "json", "map": "application/json"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "ico": "image/x-icon"
        case "woff2": "font/woff2"
        case "txt", "md": "text/plain; charset=utf-8"
        case "webmanifest": "application/manifest+json"
        default: "application/octet-stream"
        }
    }
}
