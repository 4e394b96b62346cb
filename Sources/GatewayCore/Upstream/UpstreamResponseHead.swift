/// Status and headers of an upstream's final response, as far as the gateway has a use for them.
package struct UpstreamResponseHead: Equatable, Sendable {
    /// One header field; the name is in lower case, the value without surrounding blanks.
    package struct Field: Equatable, Sendable {
        /// What it is; nil for one without a use.
        package let header: UpstreamHeader?
        package let name: String
        package let value: String

        /// Makes a field; `name` must be in lower case.
        package init(name: String, value: String) {
            self.init(UpstreamHeader(name: name), name: name, value: value)
        }

        init(_ header: UpstreamHeader?, name: String, value: String) {
            self.header = header
            self.name = name
            self.value = value
        }
    }

    /// 200 to 999: interim (1xx) responses never become a head.
    package let status: Int
    /// In the order of arrival; fields without a use here, cookies above all, are dropped.
    package let fields: [Field]

    /// Makes a head from its parts.
    package init(status: Int, fields: [Field]) {
        self.status = status
        self.fields = fields
    }

    /// The value of the first such field.
    package subscript(header: UpstreamHeader) -> String? {
        for field in fields where field.header == header { return field.value }
        return nil
    }

    /// True for 200 to 299.
    package var isSuccess: Bool { (200..<300).contains(status) }

    /// The media type in lower case without parameters; nil when upstream names none.
    package var mediaType: String? {
        guard let value = self[.contentType] else { return nil }
        let type = value.utf8.prefix { byte in
            byte != UInt8(ascii: ";") && byte != UInt8(ascii: " ") && byte != UInt8(ascii: "\t")
        }
        return type.isEmpty ? nil : Substring(type).lowercased()
    }

    /// Upstream's own name for this request, for its support: OpenAI's, else Azure's, else the edge's.
    package var requestID: String? {
        self[.requestID] ?? self[.azureRequestID] ?? self[.plainRequestID] ?? self[.edgeRequestID]
    }

    /// The head with nothing but what diagnoses need: status and upstream's name for the request.
    ///
    /// For as long as the body streams; rate limits and the rest were read when the head came.
    package var abridged: UpstreamResponseHead {
        let kept = fields.filter { field in
            switch field.header {
            case .requestID, .azureRequestID, .plainRequestID, .edgeRequestID: true
            default: false
            }
        }
        return UpstreamResponseHead(status: status, fields: kept)
    }

    /// How long upstream asks us to wait; nil when it asks for nothing that can be understood.
    ///
    /// `retry-after-ms` wins over `retry-after`. A date counts from the response's own `date`, so that
    /// a wrong clock on either side does not matter, else from `unixSeconds`.
    package func retryAfter(unixSeconds: Int64?) -> Duration? {
        if let value = self[.retryAfterMilliseconds], let milliseconds = Double(plainDecimal: value)
        {
            return .seconds(milliseconds / 1_000)
        }
        guard let value = self[.retryAfter] else { return nil }
        if let seconds = Double(plainDecimal: value) { return .seconds(seconds) }
        guard let date = HTTPDate.unixSeconds(value) else { return nil }
        guard let now = self[.date].flatMap(HTTPDate.unixSeconds) ?? unixSeconds else {
            return nil
        }
        return .seconds(max(0, date - now))
    }

    /// What `x-should-retry` says; nil when it is absent or neither `true` nor `false`.
    var shouldRetry: Bool? {
        switch self[.shouldRetry] {
        case "true"?: true
        case "false"?: false
        default: nil
        }
    }
}

extension Double {
    /// A number of at most 12 digits and one point, zero or more; no sign, exponent or name.
    fileprivate init?(plainDecimal text: String) {
        guard !text.isEmpty, text.utf8.count <= 12,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E })
        else { return nil }
        self.init(text)
    }
}
