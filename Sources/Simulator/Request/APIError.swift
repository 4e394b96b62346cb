/// An HTTP error answer, in the body shapes that real services use.
package struct APIError: Error, Equatable, Sendable {
    /// Whose JSON the body follows.
    package enum Shape: String, Sendable, CaseIterable {
        /// `{"error":{"message","type","param","code"}}`
        case openai
        /// `{"detail":"…"}`: FastAPI servers, the ChatGPT backend
        case detail
        /// `{"detail":[{"type","loc","msg"}]}`: FastAPI's validation errors
        case details
        /// `{"code":"…","error":"…"}`
        case xai
        /// A proxy's HTML page
        case html
        /// No body at all
        case empty
    }

    package var status: Int
    package var type: String
    package var code: String?
    package var param: String?
    package var message: String
    package var shape: Shape = .openai

    package init(
        status: Int, type: String = "invalid_request_error", code: String? = nil,
        param: String? = nil, message: String, shape: Shape = .openai
    ) {
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.message = message
        self.shape = shape
    }

    package var contentType: String { shape == .html ? "text/html" : "application/json" }

    package var body: [UInt8] {
        let code: JSONValue = self.code.map { .string($0) } ?? .null
        switch shape {
        case .openai:
            return JSONValue.object([.init("error", object)]).bytes
        case .detail:
            return JSONValue.object([.init("detail", .string(message))]).bytes
        case .details:
            let entry = JSONValue.object([
                .init("type", .string(type)),
                .init("loc", .array([.string("body"), .string(param ?? "input")])),
                .init("msg", .string(message)),
            ])
            return JSONValue.object([.init("detail", .array([entry]))]).bytes
        case .xai:
            return JSONValue.object([.init("code", code), .init("error", .string(message))]).bytes
        case .html:
            return Array("<html><body><h1>\(status)</h1><p>\(message)</p></body></html>".utf8)
        case .empty:
            return []
        }
    }

    /// The inner object, as it also stands in a stream's `error` event.
    package var object: JSONValue {
        .object([
            .init("message", .string(message)), .init("type", .string(type)),
            .init("param", param.map { .string($0) } ?? .null),
            .init("code", code.map { .string($0) } ?? .null),
        ])
    }
}

extension APIError {
    static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
        APIError(status: 400, code: code, param: param, message: message)
    }

    static func invalidType(_ param: String, expected: String) -> APIError {
        invalid(
            "Invalid type for '\(param)': expected \(expected).", param: param, code: "invalid_type"
        )
    }

    static func responseNotFound(_ id: String) -> APIError {
        APIError(status: 404, message: "Response with id '\(id)' not found.")
    }

    static let unauthorized = APIError(
        status: 401, code: "invalid_api_key", message: "Incorrect API key provided.")

    static let quota = APIError(
        status: 429, type: "insufficient_quota", code: "insufficient_quota",
        message: "You exceeded your current quota, please check your plan and billing details.")

    /// What OpenAI says with each `status` when nothing more particular is known.
    static func typical(status: Int) -> APIError {
        switch status {
        case 400: invalid("The request was refused by the simulator.", code: "invalid_value")
        case 401: unauthorized
        case 403:
            APIError(
                status: 403, code: "unsupported_country_region_territory",
                message: "Country, region, or territory not supported.")
        case 404: APIError(status: 404, code: "not_found", message: "Not found.")
        case 408: APIError(status: 408, type: "timeout", message: "Request timed out.")
        case 409: APIError(status: 409, type: "conflict_error", message: "Conflict.")
        case 413: APIError(status: 413, message: "Request body is too large.")
        case 429:
            APIError(
                status: 429, type: "requests", code: "rate_limit_exceeded",
                message: "Rate limit reached for requests. Please try again later.")
        case 503:
            APIError(
                status: 503, type: "service_unavailable_error", code: "server_is_overloaded",
                message: "The server is currently overloaded. Please try again later.")
        case 400..<500: APIError(status: status, message: "The request was refused (\(status)).")
        default:
            APIError(
                status: status, type: "server_error", code: "server_error",
                message: "The server had an error while processing your request. Sorry about that!"
            )
        }
    }
}
