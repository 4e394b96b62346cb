/// An error in OpenAI's shape: what an HTTP answer or an `error` frame says.
package struct DialectError: Error, Equatable, Sendable {
    package var status: Int
    package var type: String
    package var code: String?
    package var message: String
    package var param: String?
    /// Headers that go with it: `retry-after` and what upstream sent of interest.
    package var headers: [String: String] = [:]
    /// Upstream's own body, passed on as it came; nil where the gateway says it.
    package var body: [UInt8]?

    /// States an error of the gateway's own.
    package init(
        _ status: Int, _ code: String?, _ message: String, type: String? = nil,
        param: String? = nil, retryAfter: Int? = nil
    ) {
        self.status = status
        self.type = type ?? (status < 500 ? "invalid_request_error" : "server_error")
        self.code = code
        self.message = message
        self.param = param
        if let retryAfter { headers["retry-after"] = "\(retryAfter)" }
    }

    /// What a failure to reach upstream, or its refusal, is to a client of the dialect.
    package init(_ error: ResponseError) {
        guard let answer = error.answer, !answer.concernsCredentials else {
            // Not to be repeated by the SDK on its own where upstream may have begun to bill.
            self.init(502, error.code, error.message, type: "server_error")
            if Self.isFull(error.code) {
                status = 503
                type = "service_unavailable_error"
                let pause = error.retryAfter.map { Int(($0.milliseconds + 999) / 1000) } ?? 1
                headers["retry-after"] = "\(max(1, pause))"
            } else if !error.isRetryable {
                headers["x-should-retry"] = "false"
            }
            return
        }
        // What is no status of HTTP is not passed on as one (RFC 9110, section 15).
        self.init(
            answer.status < 600 ? answer.status : 502, error.upstreamCode, error.message,
            type: answer.status < 500 ? "invalid_request_error" : "server_error")
        for field in answer.fields { headers[field.name] = field.value }
        if JSONText.isErrorObject(answer.body) { body = answer.body }
    }

    /// The service's answer to a request that names a model which is not there.
    package static func noModel(_ name: String) -> DialectError {
        DialectError(
            400, "model_not_found", "The requested model '\(name)' does not exist.", param: "model")
    }

    /// The gateway takes no new work.
    package static let draining = DialectError(
        503, "server_is_overloaded", "the gateway is shutting down",
        type: "service_unavailable_error", retryAfter: 1)

    /// A cancel came before upstream's first event.
    static let notBegun = DialectError(
        499, "response_cancelled", "the response was cancelled before it began")

    /// Upstream ended the response without an object that tells of it.
    package static let noObject = DialectError(
        ResponseError(
            code: ResponseError.code(of: .protocolError),
            message: "upstream ended the response without a response object", isRetryable: false))

    /// Codes of what was not even tried.
    private static func isFull(_ code: String) -> Bool {
        code == GatewayErrorCode.overloaded.rawValue
            || code == UpstreamErrorCode.busy.rawValue
            || code == UpstreamErrorCode.unavailable.rawValue
    }

    /// The body of an HTTP answer: upstream's own, or `{"error":{…}}`.
    package var document: [UInt8] {
        if let body { return body }
        var document: [UInt8] = []
        document.append(literal: "{\"error\":")
        appendObject(to: &document, withHeaders: false)
        document.append(literal: "}\n")
        return document
    }

    /// The nested `error` frame of the WebSocket mode, without `stream_id`.
    package var frame: [UInt8] {
        var frame: [UInt8] = []
        frame.append(literal: "{\"type\":\"error\",\"status\":")
        frame.append(decimal: status)
        frame.append(literal: ",\"error\":")
        appendObject(to: &frame, withHeaders: true)
        frame.append(UInt8(ascii: "}"))
        return frame
    }

    /// The frame, for a lane (raw JSON; nil is the default one).
    package func frame(lane: [UInt8]?) -> [UInt8] {
        guard let lane else { return frame }
        return JSONSplice.replacing(frame, [("stream_id", lane)])
    }

    private func appendObject(to output: inout [UInt8], withHeaders: Bool) {
        if let body {
            let root = JSONValue(kind: .object, range: 0..<body.count)
            if let error = root.member("error", in: body.span), error.kind == .object {
                // On one line: a frame may travel among others, one a line.
                output.append(
                    contentsOf: body[error.range.lowerBound..<(error.range.upperBound - 1)]
                        .map { $0 == 10 || $0 == 13 ? 32 : $0 })
                if withHeaders { appendHeaders(to: &output) }
                output.append(UInt8(ascii: "}"))
                return
            }
        }
        output.append(literal: "{\"message\":")
        output.append(jsonString: message)
        output.field("type", type)
        output.appendNullable("param", param)
        output.appendNullable("code", code)
        if withHeaders { appendHeaders(to: &output) }
        output.append(UInt8(ascii: "}"))
    }

    private func appendHeaders(to output: inout [UInt8]) {
        guard !headers.isEmpty else { return }
        output.append(jsonKey: "headers")
        output.append(UInt8(ascii: "{"))
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            output.append(jsonKey: name)
            output.append(jsonString: value)
        }
        output.append(UInt8(ascii: "}"))
    }
}

extension [UInt8] {
    fileprivate mutating func appendNullable(_ name: String, _ value: String?) {
        append(jsonKey: name)
        if let value { append(jsonString: value) } else { append(literal: "null") }
    }
}

extension JSONText {
    /// Whether a body is a JSON object with an `error` object in it: OpenAI's own shape.
    fileprivate static func isErrorObject(_ body: [UInt8]) -> Bool {
        guard let root = try? JSONReader(maximumDepth: 32).read(body.span) else { return false }
        return root.member("error", in: body.span)?.kind == .object
    }
}

/// What upstream answered instead of a stream, to be passed on.
package struct UpstreamAnswer: Equatable, Sendable {
    package var status: Int
    /// The fields that clients have a use for.
    package var fields: [UpstreamResponseHead.Field]
    package var body: [UInt8]

    /// Keeps of an answer what may be passed on.
    package init(head: UpstreamResponseHead, body: [UInt8]) {
        status = head.status
        fields = head.fieldsOfInterest
        self.body = body
    }

    /// The gateway's own key was refused: the operator's business, and no status for its clients.
    var concernsCredentials: Bool { status == 401 || (300..<400).contains(status) }
}

extension UpstreamResponseHead {
    /// What a client of upstream looks at.
    package var fieldsOfInterest: [Field] {
        fields.filter { field in
            switch field.header {
            case .requestID, .retryAfter, .retryAfterMilliseconds, .shouldRetry, .processingTime,
                .version, .model, .limitRequests, .limitTokens, .remainingRequests,
                .remainingTokens, .resetRequests, .resetTokens, .otherLimit:
                true
            default: false
            }
        }
    }
}
