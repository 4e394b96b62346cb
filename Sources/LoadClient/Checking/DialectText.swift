/// The text of one response of OpenAI's WebSocket mode, and what proves it.
///
/// It is repeated twice: by each `response.output_text.done`, and by the terminal event's `output`.
struct DialectText {
    private var text = ResponseText()
    /// Places whose text an `output_text.done` has proved.
    private var proved: Set<Int> = []
    private let sha256: ([UInt8]) -> [UInt8]

    init(sha256: @escaping ([UInt8]) -> [UInt8]) { self.sha256 = sha256 }

    /// Bytes held, escapes counted as written.
    var rawBytes: Int { text.rawBytes }

    /// Adds a delta as it stands on the wire.
    mutating func append(_ delta: Span<UInt8>, at place: Int) { text.append(delta, at: place) }

    /// Compares what came at `place` with what `output_text.done` says of it, as it stands on the wire.
    mutating func prove(_ promised: Span<UInt8>, at place: Int, of id: String) -> Violation? {
        var joined = JoinedText()
        joined.append(promised)
        var whole: [UInt8] = []
        joined.decode(into: &whole)
        proved.insert(place)
        let found = text.decoded(at: place)
        return found == whole ? nil : difference(id, found, "output_text.done", whole)
    }

    /// Compares what came with the `output` of the terminal event.
    ///
    /// A response that failed or was cancelled shows finished items at most, which their own events proved; so do
    /// servers that leave `output` empty.
    func violation(of status: String, _ object: JSONValue, _ id: String) -> Violation? {
        guard status != "failed", status != "cancelled" else { return nil }
        let output = object["output"]?.array ?? []
        guard !output.isEmpty else {
            return text.places.allSatisfy(proved.contains)
                ? nil
                : Violation(.textHash, "\(id): a text that neither done nor output repeats")
        }
        let whole = Self.text(of: output)
        let found = text.joined
        return found == whole ? nil : difference(id, found, "the terminal event", whole)
    }

    private func difference(
        _ id: String, _ found: [UInt8], _ place: String, _ promised: [UInt8]
    ) -> Violation {
        Violation(
            .textHash,
            "\(id): \(found.count) bytes hash to \(Hexadecimal.encode(sha256(found))), \(place) has"
                + " \(promised.count) bytes and \(Hexadecimal.encode(sha256(promised)))")
    }

    private static func text(of output: [JSONValue]) -> [UInt8] {
        var text: [UInt8] = []
        for item in output where item["type"]?.string == "message" {
            for piece in item.outputTexts { text += Array(piece.utf8) }
        }
        return text
    }
}
