/// One exchange with an upstream, to be started by a worker.
package struct UpstreamRequest: Sendable {
    /// The methods that the Responses API uses.
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case delete = "DELETE"
    }

    /// What the 2xx body is to be.
    package enum Expectation: Sendable {
        /// `text/event-stream`, or no content type at all: handed over as it comes.
        case eventStream
        /// Anything: collected up to the worker's limit, see `UpstreamTransfer.collectedBody`.
        case document
        /// `text/event-stream` is handed over as it comes, anything else is collected as a document.
        case streamOrDocument
        /// Anything: handed over as it comes, however long it is.
        case bytes
    }

    package var server: UpstreamServer
    package var method: Method
    /// Below the server's base URL: "/responses".
    package var path: String
    /// Besides the server's own, and after them.
    package var headers: [(name: String, value: String)] = []
    /// Sent with every POST, as `contentType`.
    package var body: [UInt8]
    package var contentType = "application/json"
    /// Bytes of a body that is fed while it is sent, in place of `body`: see `UpstreamTransfer.feed`.
    package var uploadBytes: Int?
    package var expectation: Expectation

    /// Makes a request.
    package init(
        _ method: Method, _ path: String, to server: UpstreamServer, body: [UInt8] = [],
        expecting expectation: Expectation = .eventStream
    ) {
        self.server = server
        self.method = method
        self.path = path
        self.body = body
        self.expectation = expectation
    }
}
