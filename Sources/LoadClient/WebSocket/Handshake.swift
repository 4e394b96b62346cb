/// The opening handshake of RFC 6455, section 4, from the client's side.
package struct Handshake {
    package enum Failure: Error, Equatable, CustomStringConvertible {
        case headTooLong(limitBytes: Int)
        case refused(status: Int, body: String)
        case malformed(String)

        package var description: String {
            switch self {
            case .headTooLong(let limit): "handshake answer above \(limit) bytes"
            case .refused(let status, let body): "refused with HTTP \(status) \(body)"
            case .malformed(let what): "handshake answer: \(what)"
            }
        }
    }

    /// What a protocol adds to the request.
    package struct Extras: Equatable {
        /// Query arguments behind those of the URL, already escaped.
        package var query: String?
        /// The key of an `Authorization` header.
        package var bearer: String?

        package init(query: String? = nil, bearer: String? = nil) {
            self.query = query
            self.bearer = bearer
        }
    }

    package static let maximumHeadBytes = 16_384

    private let expectedAccept: String
    private let subprotocol: String?
    private var head: [UInt8] = []

    /// Expects the answer to the request that carried `key` and offered `subprotocol`.
    ///
    /// `sha1` is the platform's digest.
    package init(key: String, subprotocol: String?, sha1: ([UInt8]) -> [UInt8]) {
        self.subprotocol = subprotocol
        let magic = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        expectedAccept = Base64.encode(sha1(Array(magic.utf8)))
    }

    /// The request for an upgrade at `target`.
    package static func request(
        _ target: TargetURL, key: String, subprotocol: String?, extras: Extras
    ) -> [UInt8] {
        var path = target.path
        if let query = extras.query { path += (path.contains("?") ? "&" : "?") + query }
        var lines = [
            "GET \(path) HTTP/1.1", "Host: \(target.authority)", "Upgrade: websocket",
            "Connection: Upgrade", "Sec-WebSocket-Key: \(key)", "Sec-WebSocket-Version: 13",
            "User-Agent: millrace-load",
        ]
        if let subprotocol { lines.append("Sec-WebSocket-Protocol: \(subprotocol)") }
        if let bearer = extras.bearer { lines.append("Authorization: Bearer \(bearer)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    /// Consumes bytes of the answer; `true` once it is whole and right, with `offset` behind it.
    package mutating func feed(
        _ chunk: Span<UInt8>, from offset: inout Int
    ) throws(Failure) -> Bool {
        while offset < chunk.count {
            let byte = chunk[offset]
            head.append(byte)
            offset += 1
            if byte == UInt8(ascii: "\n"), head.suffix(4) == [13, 10, 13, 10] {
                try check(rest: chunk, from: offset)
                return true
            }
            guard head.count < Self.maximumHeadBytes else {
                throw .headTooLong(limitBytes: Self.maximumHeadBytes)
            }
        }
        return false
    }

    private func check(rest: Span<UInt8>, from offset: Int) throws(Failure) {
        // On UTF-8 views: to Swift, "\r\n" is one character.
        let lines = head.split(separator: 10).map { line in
            String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
        }
        let status = lines.first.map { $0.split(separator: " ") } ?? []
        guard status.count >= 2, status[0].hasPrefix("HTTP/1."), let code = Int(status[1]) else {
            throw .malformed("no HTTP status line")
        }
        guard code == 101 else {
            let end = min(rest.count, offset + 300)
            let body = (offset..<end).map { rest[$0] }
            throw .refused(status: code, body: String(decoding: body, as: UTF8.self))
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[line[..<colon].lowercased()] = String(value)
        }
        guard headers["upgrade"]?.lowercased() == "websocket" else {
            throw .malformed("no 'Upgrade: websocket'")
        }
        guard headers["sec-websocket-accept"] == expectedAccept else {
            throw .malformed("Sec-WebSocket-Accept is wrong")
        }
        guard headers["sec-websocket-extensions"] == nil else {
            throw .malformed("an extension that was not offered")
        }
        if let answer = headers["sec-websocket-protocol"], answer != subprotocol {
            throw .malformed("subprotocol '\(answer)' was not offered")
        }
    }
}
