/// Stepping over values that are known to be valid: only quotes and brackets count.
enum JSONSkip {
    /// Whitespace, commas and colons.
    @inline(__always)
    static func separators(_ bytes: Span<UInt8>, _ index: inout Int) {
        while index < bytes.count {
            let byte = bytes[index]
            guard
                byte == UInt8(ascii: ",") || byte == UInt8(ascii: ":") || byte == 0x20
                    || byte == 0x0A || byte == 0x0D || byte == 0x09
            else { return }
            index += 1
        }
    }

    /// Steps from an opening quote to behind the closing one; tells whether there were escapes.
    @inline(__always)
    static func string(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        var escapes = false
        index += 1
        while true {
            index = ByteScan.quoteOrBackslash(bytes, from: index)
            guard index < bytes.count else { return escapes }
            if bytes[index] == UInt8(ascii: "\"") {
                index += 1
                return escapes
            }
            escapes = true
            index = min(index + 2, bytes.count)
        }
    }

    /// Steps over one value; `nil` where none can begin.
    static func value(_ bytes: Span<UInt8>, _ index: inout Int) -> JSONKind? {
        guard index < bytes.count else { return nil }
        switch bytes[index] {
        case UInt8(ascii: "\""):
            _ = string(bytes, &index)
            return .string
        case UInt8(ascii: "{"):
            container(bytes, &index)
            return .object
        case UInt8(ascii: "["):
            container(bytes, &index)
            return .array
        case UInt8(ascii: "t"):
            index = min(index + 4, bytes.count)
            return .true
        case UInt8(ascii: "f"):
            index = min(index + 5, bytes.count)
            return .false
        case UInt8(ascii: "n"):
            index = min(index + 4, bytes.count)
            return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            index += 1
            while index < bytes.count {
                let byte = bytes[index]
                guard
                    JSONScan.isDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
                        || byte == UInt8(ascii: "+") || byte | 0x20 == UInt8(ascii: "e")
                else { break }
                index += 1
            }
            return .number
        default:
            return nil
        }
    }

    private static func container(_ bytes: Span<UInt8>, _ index: inout Int) {
        var depth = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                _ = string(bytes, &index)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                index += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                index += 1
                if depth == 0 { return }
            default:
                index += 1
            }
        }
    }
}

extension JSONValue {
    /// Whether an input or output item, a JSON object by itself, has that `type`.
    static func isItem(_ item: [UInt8], ofType type: String) -> Bool {
        let object = JSONValue(kind: .object, range: 0..<item.count)
        return object.member("type", in: item.span)?.equals(type, in: item.span) == true
    }
}
