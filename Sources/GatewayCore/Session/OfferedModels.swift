/// The models that clients may choose among, in the order in which they are offered.
///
/// Without any, every model may be asked for, and upstream decides.
package struct OfferedModels: Equatable, Sendable {
    package let names: [String]

    /// Characters of a refused value that its refusal repeats.
    private static let quotedCharacters = 64

    /// Offers `names`; none of them offers everything.
    package init(_ names: [String] = []) { self.names = names }

    /// True when any model may be asked for.
    package var isEmpty: Bool { names.isEmpty }

    /// Whether a model of that name may be asked for.
    package func contains(_ name: String) -> Bool { names.isEmpty || names.contains(name) }

    /// What was asked for and is not offered, as it may be shown; nil when nothing is to be refused.
    ///
    /// `value` is the raw JSON of `model`. A value that is no string, `null` too, names none of them; a request without
    /// `model` asks for nothing, and gets the default.
    package func refused(_ value: [UInt8]?) -> String? {
        guard !names.isEmpty, let value else { return nil }
        if value.first == UInt8(ascii: "\"") {
            let whole = JSONValue(kind: .string, range: 0..<value.count)
            let name = String(decoding: whole.decoded(in: value.span) ?? [], as: UTF8.self)
            return names.contains(name) ? nil : String(name.prefix(Self.quotedCharacters))
        }
        return String(decoding: value.prefix(Self.quotedCharacters), as: UTF8.self)
    }
}
