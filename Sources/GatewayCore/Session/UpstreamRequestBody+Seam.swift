/// Asking another upstream to go on with an answer that broke off.
extension UpstreamRequestBody {
    /// What the model is told; the text so far stands before it as its own.
    static let goOn =
        "The answer above was cut off by a fault. Go on with it exactly where it stops. "
        + "Repeat nothing of it, do not begin anew, and do not speak of the interruption."

    /// True when the text is to be a document: half of one cannot be gone on with.
    var wantsStructure: Bool {
        let span = bytes.span
        let root = JSONValue(kind: .object, range: 0..<bytes.count)
        guard let format = root.member("text", in: span)?.member("format", in: span) else {
            return false
        }
        return format.member("type", in: span)?.equals("text", in: span) != true
    }

    /// The same request with the text so far (UTF-8) and the order to go on behind its input.
    ///
    /// Nil without an input, or once the request was forgotten.
    package func goingOn(from text: [UInt8]) -> UpstreamRequestBody? {
        guard bytes.first == UInt8(ascii: "{") else { return nil }
        let root = JSONValue(kind: .object, range: 0..<bytes.count)
        guard let input = root.member("input", in: bytes.span)?.range else { return nil }
        var body: [UInt8] = []
        body.reserveCapacity(bytes.count + text.count + 512)
        body.append(contentsOf: bytes[..<input.lowerBound])
        body.append(UInt8(ascii: "["))
        for item in UpstreamRequestBuilder.items(of: Array(bytes[input])) {
            body.append(contentsOf: item)
            body.append(UInt8(ascii: ","))
        }
        body.append(literal: "{\"role\":\"assistant\",\"content\":")
        body.append(jsonString: text.span)
        body.append(literal: "},{\"role\":\"developer\",\"content\":")
        body.append(jsonString: Self.goOn)
        body.append(literal: "}]")
        let shift = body.count - input.upperBound
        body.append(contentsOf: bytes[input.upperBound...])
        var result = self
        result.bytes = body
        if let model, model.lowerBound >= input.upperBound {
            result.model = model.lowerBound + shift..<model.upperBound + shift
        }
        return result
    }
}
