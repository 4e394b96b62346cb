/// What an upstream says about an error, whichever JSON shape it uses for that.
///
/// Understands `{"error":{message,type,param,code}}` (OpenAI), `{"code","error":"text"}` (xAI),
/// `{"detail":"text"}` and `{"detail":[{"msg","loc","type"}]}` (FastAPI, the ChatGPT backend), and the same
/// names at the top level. A `text/plain` body counts as the message. Texts are cut at 1 024 bytes, and
/// what looks like an API key in them is masked: servers like to repeat the key that they refuse.
package struct UpstreamErrorBody: Equatable, Sendable {
    package let message: String?
    /// Also when upstream sends a number.
    package let code: String?
    package let type: String?
    package let param: String?

    /// Makes an error from its parts, as an event inside a stream may carry it.
    package init(message: String?, code: String?, type: String?, param: String?) {
        self.message = message
        self.code = code
        self.type = type
        self.param = param
    }

    /// Reads a body; nil when it says nothing.
    package init?(parsing body: [UInt8], mediaType: String?) {
        let bytes = body.span
        guard let root = try? JSONReader(maximumDepth: 32).read(bytes) else {
            guard mediaType == "text/plain",
                let text = UpstreamErrorText(body).text
            else { return nil }
            self.init(message: text, code: nil, type: nil, param: nil)
            return
        }
        let error = root.member("error", in: bytes)
        let detail = root.member("detail", in: bytes)
        var source = root
        var message: String?
        if let error, error.kind == .object {
            source = error
        } else if let error {
            message = error.errorText(in: bytes)
        } else if let detail {
            message = detail.detailText(in: bytes)
            if detail.kind == .object { source = detail }
        }
        self.init(
            message: source.errorText(of: "message", in: bytes) ?? message,
            code: source.errorText(of: "code", in: bytes),
            type: source.errorText(of: "type", in: bytes),
            param: source.errorText(of: "param", in: bytes))
        if self.message == nil, code == nil, type == nil { return nil }
    }

    /// True when the account has nothing left to spend, which no repetition cures.
    var isQuotaExhausted: Bool {
        code == "insufficient_quota" || type == "insufficient_quota"
            || code == "billing_hard_limit_reached"
    }
}

extension JSONValue {
    fileprivate func errorText(of name: String, in bytes: Span<UInt8>) -> String? {
        member(name, in: bytes)?.errorText(in: bytes)
    }

    /// A string's text or a number's digits, made fit for a log; nil for anything else.
    fileprivate func errorText(in bytes: Span<UInt8>) -> String? {
        switch kind {
        case .string:
            guard let contents else { return nil }
            return UpstreamErrorText(JSONText.decode(bytes, contents)).text
        case .number:
            var digits: [UInt8] = []
            for index in range.prefix(32) { digits.append(bytes[index]) }
            return String(decoding: digits, as: UTF8.self)
        case .object, .array, .true, .false, .null:
            return nil
        }
    }

    /// The text of a `detail`: itself, or "loc.loc: msg" of its first element.
    fileprivate func detailText(in bytes: Span<UInt8>) -> String? {
        guard kind == .array else { return errorText(in: bytes) }
        var first: String?
        forEachElement(in: bytes) { element in
            guard first == nil else { return }
            guard let message = element.member("msg", in: bytes)?.errorText(in: bytes) else {
                first = element.errorText(in: bytes)
                return
            }
            var place: [String] = []
            element.member("loc", in: bytes)?.forEachElement(in: bytes) { part in
                if place.count < 8, let text = part.errorText(in: bytes) { place.append(text) }
            }
            first = place.isEmpty ? message : "\(place.joined(separator: ".")): \(message)"
        }
        return first
    }
}

/// Bytes of an error text, bounded, on one line, without anything that looks like a key.
private struct UpstreamErrorText {
    private static let maximumBytes = 1_024
    private var bytes: [UInt8]

    init(_ raw: [UInt8]) {
        bytes = []
        var index = 0
        while index < raw.count, bytes.count < Self.maximumBytes {
            if let end = KeyMask.lookalikeEnd(raw.span, from: index) {
                bytes += Array("sk-…".utf8)
                index = end
            } else {
                // Control characters could forge a log line or move a terminal's cursor.
                bytes.append(raw[index] < 0x20 || raw[index] == 0x7F ? 0x20 : raw[index])
                index += 1
            }
        }
        if index < raw.count {
            while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
            if let last = bytes.last, last >= 0xC0 { bytes.removeLast() }
            bytes += Array("…".utf8)
        }
    }

    var text: String? {
        bytes.allSatisfy { $0 == 0x20 } ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
