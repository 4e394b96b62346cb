/// Checks that a text is one JSON value (RFC 8259), at most 32 levels deep.
enum JSONText {
    static func isValid(_ text: String) -> Bool {
        var scanner = Scanner(bytes: Array(text.utf8))
        guard scanner.value(depth: 0) else { return false }
        scanner.skipSpace()
        return scanner.isAtEnd
    }

    private struct Scanner {
        let bytes: [UInt8]
        var index = 0

        var isAtEnd: Bool { index == bytes.count }
        private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

        mutating func skipSpace() {
            while let byte = current, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { index += 1 }
        }

        mutating func value(depth: Int) -> Bool {
            guard depth < 32 else { return false }
            skipSpace()
            switch current {
            case UInt8(ascii: "{"): return members(depth: depth, end: "}", isObject: true)
            case UInt8(ascii: "["): return members(depth: depth, end: "]", isObject: false)
            case UInt8(ascii: "\""): return string()
            case UInt8(ascii: "t"): return word("true")
            case UInt8(ascii: "f"): return word("false")
            case UInt8(ascii: "n"): return word("null")
            default: return number()
            }
        }

        private mutating func members(depth: Int, end: Unicode.Scalar, isObject: Bool) -> Bool {
            index += 1
            skipSpace()
            if take(end) { return true }
            while true {
                if isObject {
                    skipSpace()
                    guard string() else { return false }
                    skipSpace()
                    guard take(":") else { return false }
                }
                guard value(depth: depth + 1) else { return false }
                skipSpace()
                if take(end) { return true }
                guard take(",") else { return false }
            }
        }

        private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard current == UInt8(ascii: scalar) else { return false }
            index += 1
            return true
        }

        private mutating func word(_ text: String) -> Bool {
            let end = index + text.utf8.count
            guard end <= bytes.count, bytes[index..<end].elementsEqual(text.utf8) else {
                return false
            }
            index = end
            return true
        }

        private mutating func string() -> Bool {
            guard take("\"") else { return false }
            while let byte = current {
                index += 1
                switch byte {
                case UInt8(ascii: "\""): return true
                case 0..<0x20: return false
                case UInt8(ascii: "\\"):
                    guard let escape = current else { return false }
                    index += 1
                    if escape == UInt8(ascii: "u") {
                        for _ in 0..<4 {
                            guard let digit = current, isHex(digit) else { return false }
                            index += 1
                        }
                    } else if !"\"\\/bfnrt".utf8.contains(escape) {
                        return false
                    }
                default: break
                }
            }
            return false
        }

        private mutating func number() -> Bool {
            _ = take("-")
            if !take("0"), !digits() { return false }
            if take("."), !digits() { return false }
            if take("e") || take("E") {
                if !take("+") { _ = take("-") }
                return digits()
            }
            return true
        }

        private mutating func digits() -> Bool {
            let start = index
            while let byte = current, (0x30...0x39).contains(byte) { index += 1 }
            return index > start
        }

        private func isHex(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
        }
    }
}
