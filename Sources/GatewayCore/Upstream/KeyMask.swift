/// Overwrites the key of one upstream in what that upstream says: servers like to repeat the key that they refuse.
///
/// Works in place, on plain text as on JSON: what was one string still is, in as many bytes. A character of the key
/// is found as itself, and as JSON may write it, `\/` or `\u002f`. In the words of errors what looks like a key of
/// OpenAI's is overwritten too, whoever it belongs to.
package struct KeyMask: Equatable, Sendable {
    /// A shorter key is not looked for: it would be found in words.
    static let minimumKeyBytes = 8

    private let key: [UInt8]

    /// Looks for `key`; without one, for what looks like a key only.
    package init(_ key: String? = nil) {
        let bytes = Array((key ?? "").utf8)
        self.key = bytes.count < Self.minimumKeyBytes ? [] : bytes
    }

    /// Overwrites every occurrence in `bytes` by asterisks.
    package func apply(to bytes: inout [UInt8]) {
        var index = 0
        while index < bytes.count {
            guard let found = keyRange(in: bytes.span, from: index) else {
                index += Self.step(bytes.span, at: index)
                continue
            }
            for place in found { bytes[place] = UInt8(ascii: "*") }
            index = found.upperBound
        }
    }

    /// A copy of `bytes` without the key, or nil when it is not there.
    ///
    /// What merely looks like a key stays: it may be what an answer is about.
    package func masked(_ bytes: Span<UInt8>) -> [UInt8]? {
        guard let first = key.first else { return nil }
        var copy: [UInt8] = []
        var index = 0
        while index < bytes.count {
            guard bytes[index] == first || bytes[index] == UInt8(ascii: "\\"),
                let end = keyEnd(bytes, from: index)
            else {
                index += Self.step(bytes, at: index)
                continue
            }
            if copy.isEmpty { copy.append(bytes) }
            for place in index..<end { copy[place] = UInt8(ascii: "*") }
            index = end
        }
        return copy.isEmpty ? nil : copy
    }

    /// What is to be overwritten of a key that begins at `start`, or nil when none does.
    private func keyRange(in bytes: Span<UInt8>, from start: Int) -> Range<Int>? {
        if let end = keyEnd(bytes, from: start) { return start..<end }
        return Self.lookalikeEnd(bytes, from: start).map { start + 3..<$0 }
    }

    /// How far to go on where no key begins: past both characters of an escaped backslash, the second of which
    /// escapes nothing.
    private static func step(_ bytes: Span<UInt8>, at index: Int) -> Int {
        let backslash = UInt8(ascii: "\\")
        let isEscaped =
            bytes[index] == backslash && index + 1 < bytes.count && bytes[index + 1] == backslash
        return isEscaped ? 2 : 1
    }

    private func keyEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        guard let first = key.first,
            bytes[start] == first || bytes[start] == UInt8(ascii: "\\")
        else { return nil }
        var index = start
        for byte in key {
            guard let (character, length) = Self.character(bytes, at: index), character == byte
            else { return nil }
            index += length
        }
        return index
    }

    /// The ASCII character, or the byte of a longer one, that JSON or plain text has at `index`.
    private static func character(_ bytes: Span<UInt8>, at index: Int) -> (UInt8, length: Int)? {
        guard index < bytes.count else { return nil }
        guard bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count else {
            return (bytes[index], 1)
        }
        switch bytes[index + 1] {
        case UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: "\""):
            return (bytes[index + 1], 2)
        case UInt8(ascii: "u"):
            var code = 0
            for place in (index + 2)..<min(index + 6, bytes.count) {
                guard let value = Character(UnicodeScalar(bytes[place])).hexDigitValue else {
                    return (bytes[index], 1)
                }
                code = code << 4 | value
            }
            return index + 6 <= bytes.count && code < 0x80
                ? (UInt8(code), 6) : (bytes[index], 1)
        default: return (bytes[index], 1)
        }
    }

    /// Where a word that begins with "sk-" at `start` ends, or nil when none begins there.
    static func lookalikeEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        guard start + 6 < bytes.count, bytes[start] == UInt8(ascii: "s"),
            bytes[start + 1] == UInt8(ascii: "k"), bytes[start + 2] == UInt8(ascii: "-"),
            start == 0 || !isKeyByte(bytes[start - 1])
        else { return nil }
        var end = start + 3
        while end < bytes.count, isKeyByte(bytes[end]) { end += 1 }
        return end - start > 6 ? end : nil
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "*"):
            true
        default:
            false
        }
    }
}
