/// The rules of RFC 8259 below the level of objects and arrays.
enum JSONScan {
    @inline(__always)
    static func skipWhitespace(_ bytes: Span<UInt8>, _ index: inout Int) {
        while index < bytes.count {
            let byte = bytes[index]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else {
                return
            }
            index += 1
        }
    }

    /// Steps over `byte` if it stands at `index`; the end of the buffer is an error.
    @inline(__always)
    static func take(
        _ byte: UInt8, _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(JSONSyntaxError) -> Bool {
        guard index < bytes.count else {
            throw JSONSyntaxError(reason: .unexpectedEnd, offset: index)
        }
        guard bytes[index] == byte else { return false }
        index += 1
        return true
    }

    /// Steps from the opening quote to behind the closing one; tells whether there were escapes.
    @inline(__always)
    static func string(
        _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(JSONSyntaxError) -> Bool {
        let end = ByteScan.plainEnd(bytes, from: index + 1)
        if end < bytes.count, bytes[end] == UInt8(ascii: "\"") {
            index = end + 1
            return false
        }
        index = end
        return try stringRest(bytes, &index)
    }

    /// Goes on from a byte that is not plain.
    @inline(never)
    private static func stringRest(
        _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(JSONSyntaxError) -> Bool {
        var escapes = false
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                index += 1
                return escapes
            } else if byte == UInt8(ascii: "\\") {
                escapes = true
                try escape(bytes, &index)
            } else if byte < 0x20 {
                throw JSONSyntaxError(reason: .controlCharacterInString, offset: index)
            } else if byte >= 0x80 {
                guard let length = ByteScan.characterLength(bytes, index) else {
                    throw JSONSyntaxError(reason: .invalidUTF8, offset: index)
                }
                index += length
            } else {
                index = ByteScan.plainEnd(bytes, from: index)
            }
        }
        throw JSONSyntaxError(reason: .unexpectedEnd, offset: index)
    }

    private static func escape(
        _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(JSONSyntaxError) {
        guard index + 1 < bytes.count else {
            throw JSONSyntaxError(reason: .unexpectedEnd, offset: bytes.count)
        }
        switch bytes[index + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            index += 2
        case UInt8(ascii: "u"):
            for digit in (index + 2)..<(index + 6) {
                guard digit < bytes.count else {
                    throw JSONSyntaxError(reason: .unexpectedEnd, offset: bytes.count)
                }
                guard hexDigit(bytes[digit]) != nil else {
                    throw JSONSyntaxError(reason: .invalidEscape, offset: digit)
                }
            }
            index += 6
        default:
            throw JSONSyntaxError(reason: .invalidEscape, offset: index + 1)
        }
    }

    @inline(__always)
    static func hexDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    @inline(__always)
    static func number(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONSyntaxError) {
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        if index < bytes.count, bytes[index] == UInt8(ascii: "0") {
            index += 1
        } else {
            try digits(bytes, &index)
        }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            try digits(bytes, &index)
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.count,
                bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-")
            {
                index += 1
            }
            try digits(bytes, &index)
        }
        if index < bytes.count, isDigit(bytes[index]) {
            throw JSONSyntaxError(reason: .invalidNumber, offset: index)  // A leading zero.
        }
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    @inline(__always)
    private static func digits(
        _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(JSONSyntaxError) {
        let start = index
        while index < bytes.count, isDigit(bytes[index]) { index += 1 }
        if index == start { throw JSONSyntaxError(reason: .invalidNumber, offset: index) }
    }

    static func literal(
        _ text: String, _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(JSONSyntaxError) {
        let expected = text.utf8.span
        for offset in expected.indices {
            guard index + offset < bytes.count else {
                throw JSONSyntaxError(reason: .unexpectedEnd, offset: index + offset)
            }
            guard bytes[index + offset] == expected[offset] else {
                throw JSONSyntaxError(reason: .invalidLiteral, offset: index + offset)
            }
        }
        index += expected.count
    }
}
