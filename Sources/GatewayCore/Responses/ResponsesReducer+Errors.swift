// Errors that arrive inside the stream.

extension ResponsesReducer {
    /// Keeps what an `error` event says, nested or flat, for the end that follows it.
    mutating func noteError(_ root: JSONValue, _ data: Span<UInt8>) {
        if let nested = root.member("error", in: data), nested.kind != .null {
            toldError = readError(nested, data)
        } else {
            toldError = readError(root, data)
        }
    }

    /// Takes `{"error":…}` for an `error` event, as servers of older protocols and proxies put it into a stream.
    @inline(never)
    mutating func noteUntypedError(
        _ event: ResponsesEvent, _ root: JSONValue, _ data: Span<UInt8>
    ) throws(ResponsesFailure) {
        guard event.type == nil, let error = root.member("error", in: data), error.kind != .null
        else { throw .missingType }
        toldError = readError(error, data)
    }

    mutating func readError(_ value: JSONValue, _ data: Span<UInt8>) -> ToldError {
        mayHoldKey = true
        if value.kind == .string {
            return ToldError(code: nil, message: bounded(value.decoded(in: data)))
        }
        var type: JSONValue?
        var code: JSONValue?
        var message: JSONValue?
        value.forEachMember(in: data) { member in
            if member.hasKey("type", in: data) {
                type = member.value
            } else if member.hasKey("code", in: data) {
                code = member.value
            } else if member.hasKey("message", in: data) {
                message = member.value
            }
        }
        var text = bounded(code?.decoded(in: data))
        if let code, code.kind == .number {
            var digits: [UInt8] = []
            digits.append(data, code.range)
            text = bounded(digits)
        }
        if text == nil, let type, !type.equals("error", in: data),
            !type.equals("response.error", in: data)
        {
            text = bounded(type.decoded(in: data))
        }
        return ToldError(code: text, message: bounded(message?.decoded(in: data)))
    }

    /// Text without a key, of at most `maximumErrorBytes`, cut before a character.
    private func bounded(_ text: [UInt8]?) -> String? {
        guard var text else { return nil }
        // Before the cut, which could leave half a key.
        mask.apply(to: &text)
        var end = min(text.count, limits.maximumErrorBytes)
        if end < text.count {
            while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        }
        return String(decoding: text[..<end], as: UTF8.self)
    }
}
