/// The fields of a request's head, looked up by lower-case name (RFC 9110, section 5).
package struct HTTPFields: Sendable {
    private struct Field {
        let name: Range<Int>
        let value: Range<Int>
    }

    /// The whole head.
    private var bytes: [UInt8] = []
    private var fields: [Field] = []

    /// None.
    init() {}

    /// Reads the lines behind the request line.
    init(_ lines: inout HeadLines) throws(RequestFault) {
        bytes = lines.bytes
        while let line = try lines.next() { fields.append(try Self.field(bytes, line)) }
    }

    /// The value without the blanks around it; of a field that is there several times, all with commas between them.
    package subscript(name: String) -> String? {
        var found: String?
        for field in fields where hasName(field, name) {
            let value = String(decoding: bytes[field.value], as: UTF8.self)
            found = found.map { $0 + ", " + value } ?? value
        }
        return found
    }

    /// All names in lower case, in alphabetical order.
    package var names: [String] {
        Set(fields.map { String(decoding: bytes[$0.name].map(Self.lowercase), as: UTF8.self) })
            .sorted()
    }

    /// How many fields have that name.
    func count(of name: String) -> Int {
        fields.reduce(0) { $0 + (hasName($1, name) ? 1 : 0) }
    }

    /// The members of a field that is a list, without the blanks around them.
    func members(of name: String) -> [String] {
        (self[name] ?? "").split(separator: ",").map { member in
            String(member.drop(while: Self.isBlank).reversed().drop(while: Self.isBlank).reversed())
        }
    }

    private func hasName(_ field: Field, _ name: String) -> Bool {
        field.name.count == name.utf8.count
            && zip(bytes[field.name], name.utf8).allSatisfy { Self.lowercase($0) == $1 }
    }

    /// No blank stands before the colon or at the line's beginning: others would read another field (RFC 9112,
    /// sections 5.1 and 5.2).
    private static func field(
        _ bytes: [UInt8], _ line: Range<Int>
    ) throws(RequestFault) -> Field {
        let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")) ?? line.upperBound
        let name = line.lowerBound..<colon
        guard colon < line.upperBound, !name.isEmpty,
            bytes[name].allSatisfy(HTTPToken.contains)
        else { throw .invalid("a header is NAME: VALUE on one line, without blanks in its name") }
        var value = bytes[(colon + 1)..<line.upperBound]
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw .invalid("a header has no control characters")
        }
        value = value.drop(while: isBlank)
        while let last = value.last, isBlank(last) { value.removeLast() }
        return Field(name: name, value: value.startIndex..<value.endIndex)
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func isBlank(_ character: Character) -> Bool {
        character == " " || character == "\t"
    }
}
