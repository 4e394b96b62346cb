/// Reads any bytes as JSON: no trap, and what is accepted can be looked into, decoded and rewritten.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzJSON(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let reader = JSONReader(maximumDepth: 16)
    // Whatever the bytes are, looking into them as if they were valid must not trap.
    for kind in [JSONKind.object, .array, .string, .number] where count > 0 {
        walk(JSONValue(kind: kind, range: 0..<count), bytes, depth: 4)
    }
    guard let value = try? reader.read(bytes.span) else {
        var members = 0
        let accepted = (try? reader.read(bytes.span) { _ in members += 1 }) != nil
        precondition(!accepted, "two ways of reading disagree")
        return 0
    }
    precondition((try? reader.read(bytes.span) { _ in }) == value)
    precondition(String(validating: bytes, as: UTF8.self) != nil, "accepted invalid UTF-8")
    walk(value, bytes, depth: 16)
    if let text = value.decoded(in: bytes.span) {
        var written: [UInt8] = []
        written.append(jsonString: text.span)
        let again = try? reader.read(written.span)
        precondition(again?.decoded(in: written.span) == text, "writing changed a string")
        // Slices of the contents, cut between characters and escapes, decode to the same.
        precondition(decodeInPieces(bytes, value.contents ?? 0..<0) == text, "pieces differ")
    }
    if let number = value.integer(in: bytes.span) {
        let raw = String(decoding: bytes[value.range], as: UTF8.self)
        if let exact = Int64(raw) { precondition(exact == number, "wrong integer") }
    } else if value.kind == .number {
        let raw = String(decoding: bytes[value.range], as: UTF8.self)
        precondition(Int64(raw) == nil, "lost an integer")
    }
    return 0
}

private func walk(_ value: JSONValue, _ bytes: [UInt8], depth: Int) {
    _ = value.integer(in: bytes.span)
    _ = value.decoded(in: bytes.span)
    _ = value.equals("type", in: bytes.span)
    _ = value.member("type", in: bytes.span)
    guard depth > 0 else { return }
    var inside: [JSONValue] = []
    value.forEachMember(in: bytes.span) {
        precondition($0.value.range.upperBound <= value.range.upperBound)
        inside.append($0.value)
    }
    value.forEachElement(in: bytes.span) {
        precondition($0.range.upperBound <= value.range.upperBound)
        inside.append($0)
    }
    for value in inside.prefix(64) { walk(value, bytes, depth: depth - 1) }
}

private func decodeInPieces(_ bytes: [UInt8], _ contents: Range<Int>) -> [UInt8] {
    var decoder = JSONTextDecoder()
    var output: [UInt8] = []
    var index = contents.lowerBound
    while index < contents.upperBound {
        var end = index + 1
        if bytes[index] == UInt8(ascii: "\\") {
            end = index + (bytes[index + 1] == UInt8(ascii: "u") ? 6 : 2)
        } else {
            while end < contents.upperBound, bytes[end] & 0xC0 == 0x80 { end += 1 }
        }
        decoder.feed(bytes.span.extracting(index..<end), into: &output)
        index = end
    }
    decoder.finish(into: &output)
    return output
}
