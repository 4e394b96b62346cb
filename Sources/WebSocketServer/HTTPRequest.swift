/// The method of a request, as far as the server reads one.
package enum HTTPMethod: String, Sendable {
    case get = "GET"
    case post = "POST"
    case options = "OPTIONS"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case head = "HEAD"
}

/// The head of one HTTP request, copied out of the library's buffers.
package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// Decoded path without the query; begins with "/", and has "+" in place of blanks.
    package var path: String
    /// Decoded query arguments in order, `name=value` each.
    package var query: [String]
    /// The headers that the server was asked to read, by lower-case name.
    package var headers: [String: String]
    /// The peer's numeric address, without a port.
    package var remoteAddress: String
    /// True when the peer asks for a WebSocket.
    package var isUpgrade: Bool
    /// Why it is answered before anybody looks at it.
    var fault: HTTPResponse?
    /// Further query arguments were there than `query` has.
    package var hasMoreArguments = false
    /// The peer speaks HTTP/1.1: it reads `Transfer-Encoding: chunked` (RFC 9112, section 6.1).
    var takesChunks = true

    /// The value of the first query argument called `name`.
    package func queryValue(_ name: String) -> String? {
        for argument in query where argument.hasPrefix(name + "=") {
            return String(argument.dropFirst(name.utf8.count + 1))
        }
        return nil
    }

    /// True when the peer wants no other answer on its connection (RFC 9112, section 9.6).
    ///
    /// The library (4.1.6) sees that where it is the header's only word.
    var endsConnection: Bool {
        members(of: "connection").contains { $0.lowercased() == "close" }
    }

    /// The members of a header that is a list, without the blanks around them.
    func members(of header: String) -> [String] {
        (headers[header] ?? "").split(separator: ",").map { member in
            String(member.drop(while: Self.isBlank).reversed().drop(while: Self.isBlank).reversed())
        }
    }

    private static func isBlank(_ character: Character) -> Bool {
        character == " " || character == "\t"
    }
}
