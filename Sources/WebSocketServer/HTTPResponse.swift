/// A whole HTTP response.
package struct HTTPResponse: Sendable {
    package var status: Int
    /// Header names and values as they go on the wire, without those that the server sets.
    package var headers: [(String, String)]
    package var body: [UInt8]

    /// Makes a response; `content-length`, `connection` and `date` are the server's business.
    package init(status: Int, headers: [(String, String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

extension HTTPResponse {
    /// A response whose body is the error object of docs/protocol.md, section 6.
    package static func error(
        _ status: Int, _ code: String, _ message: String, headers: [(String, String)] = []
    ) -> HTTPResponse {
        let body = "{\"error\":{\"code\":\"\(code)\",\"message\":\"\(message)\"}}\n"
        return HTTPResponse(
            status: status, headers: headers + [("content-type", "application/json")],
            body: Array(body.utf8))
    }
}
