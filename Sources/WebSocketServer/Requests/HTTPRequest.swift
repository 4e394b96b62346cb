/// The method of a request, as far as the server knows one.
package enum HTTPMethod: String, Sendable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
}

/// The head of one HTTP request.
package struct HTTPRequest: Sendable {
    package let method: HTTPMethod
    /// Decoded path without the query; begins with "/", or is the "*" of OPTIONS.
    package let path: String
    /// Decoded query arguments in order, `name=value` each.
    package let query: [String]
    package let headers: HTTPFields
    /// The host that is asked for, which the target may name itself (RFC 9112, section 3.2.2).
    package let host: String?
    /// The peer's numeric address, without a port.
    package let remoteAddress: String
    /// The peer speaks HTTP/1.1: it reads `Transfer-Encoding: chunked` (RFC 9112, section 6.1).
    let takesChunks: Bool
    let framing: BodyFraming

    /// Reads a whole head, its empty line included.
    init(_ head: [UInt8], remoteAddress: String) throws(RequestFault) {
        var lines = HeadLines(head)
        guard let first = try lines.next() else { throw .requestLine }
        let line = try RequestLine(head[first])
        headers = try HTTPFields(&lines)
        let field = headers["host"]
        guard line.isOld || field != nil, headers.count(of: "host") <= 1 else { throw .host }
        host = line.target.host ?? field
        guard Self.isHost(host ?? ""), line.target.host != "" else { throw .host }
        framing = try BodyFraming(headers, isOld: line.isOld)
        method = line.method
        path = line.target.path
        query = line.target.query
        self.remoteAddress = remoteAddress
        takesChunks = !line.isOld
    }

    /// In place of a head that cannot be read.
    init(unreadableFrom remoteAddress: String) {
        method = .get
        path = "/"
        query = []
        headers = HTTPFields()
        host = nil
        self.remoteAddress = remoteAddress
        takesChunks = true
        framing = .none
    }

    /// The value of the first query argument called `name`.
    package func queryValue(_ name: String) -> String? {
        for argument in query where argument.hasPrefix(name + "=") {
            return String(argument.dropFirst(name.utf8.count + 1))
        }
        return nil
    }

    /// True when the peer asks for a WebSocket, be it in the right way or not.
    ///
    /// Other upgrades are passed over, as a server may (RFC 9110, section 7.8): clients offer HTTP/2 with any request.
    package var isUpgrade: Bool {
        headers.members(of: "upgrade").contains { $0.lowercased() == "websocket" }
    }

    /// True when the peer wants no other answer on its connection (RFC 9112, section 9.6), or knows of none.
    var endsConnection: Bool {
        !takesChunks || headers.members(of: "connection").contains { $0.lowercased() == "close" }
    }

    /// A name or an address and maybe a port (RFC 9112, section 3.2); what else is in a URL would be a guess.
    private static func isHost(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "-._~!$&'()*+,;=%:[]".utf8.contains(byte)
            }
        }
    }
}
