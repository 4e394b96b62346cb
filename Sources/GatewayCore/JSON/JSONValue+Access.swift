/// Looking into a value whose buffer a ``JSONReader`` has accepted.
///
/// On any other buffer these functions end early and find less; they never trap for its content.
extension JSONValue {
    /// The raw contents of a string, without its quotes; `nil` for any other kind.
    package var contents: Range<Int>? {
        guard kind == .string, range.count >= 2 else { return nil }
        return (range.lowerBound + 1)..<(range.upperBound - 1)
    }

    /// Lends each member of an object, in order, duplicates included; nothing for another kind.
    @inline(__always)
    package func forEachMember(in bytes: Span<UInt8>, _ body: (JSONMember) -> Void) {
        guard kind == .object, range.upperBound <= bytes.count else { return }
        var index = range.lowerBound + 1
        while true {
            JSONSkip.separators(bytes, &index)
            guard index < range.upperBound, bytes[index] == UInt8(ascii: "\"") else { return }
            let keyStart = index + 1
            let escapes = JSONSkip.string(bytes, &index)
            let key = keyStart..<max(keyStart, index - 1)
            JSONSkip.separators(bytes, &index)
            let start = index
            guard let kind = JSONSkip.value(bytes, &index), index <= range.upperBound else {
                return
            }
            body(
                JSONMember(
                    key: key, keyHasEscapes: escapes,
                    value: JSONValue(kind: kind, range: start..<index)))
        }
    }

    /// Lends each element of an array, in order; nothing for another kind.
    @inline(__always)
    package func forEachElement(in bytes: Span<UInt8>, _ body: (JSONValue) -> Void) {
        guard kind == .array, range.upperBound <= bytes.count else { return }
        var index = range.lowerBound + 1
        while true {
            JSONSkip.separators(bytes, &index)
            guard index < range.upperBound - 1 else { return }
            let start = index
            guard let kind = JSONSkip.value(bytes, &index), index <= range.upperBound else {
                return
            }
            body(JSONValue(kind: kind, range: start..<index))
        }
    }

    /// The value of the member called `name`: the last one, as `JSON.parse` does.
    package func member(_ name: String, in bytes: Span<UInt8>) -> JSONValue? {
        var found: JSONValue?
        forEachMember(in: bytes) { if $0.hasKey(name, in: bytes) { found = $0.value } }
        return found
    }

    /// Whether this is a string that decodes to `text`.
    package func equals(_ text: String, in bytes: Span<UInt8>) -> Bool {
        guard let contents, contents.upperBound <= bytes.count else { return false }
        if ByteScan.equal(bytes, contents, text) { return true }
        return JSONText.hasEscapes(bytes, contents) && JSONText.equals(bytes, contents, text)
    }

    /// The UTF-8 bytes of a string; lone surrogates become U+FFFD; `nil` for any other kind.
    package func decoded(in bytes: Span<UInt8>) -> [UInt8]? {
        guard let contents else { return nil }
        return JSONText.decode(bytes, contents)
    }

    /// The number as an `Int64`; `nil` when it is no number, not a whole one, or out of range.
    ///
    /// `1.0` and `1e3` are whole numbers.
    package func integer(in bytes: Span<UInt8>) -> Int64? {
        guard kind == .number, range.upperBound <= bytes.count, !range.isEmpty else { return nil }
        var index = range.lowerBound
        let isNegative = bytes[index] == UInt8(ascii: "-")
        if isNegative { index += 1 }
        guard range.upperBound - index <= 18 else { return longInteger(in: bytes) }
        var result: Int64 = 0
        while index < range.upperBound {
            guard JSONScan.isDigit(bytes[index]) else { return longInteger(in: bytes) }
            result = result &* 10 &+ Int64(bytes[index] &- UInt8(ascii: "0"))
            index += 1
        }
        return isNegative ? -result : result
    }

    /// The general case: fraction, exponent, or so many digits that overflow must be watched.
    private func longInteger(in bytes: Span<UInt8>) -> Int64? {
        var index = range.lowerBound
        let isNegative = bytes[index] == UInt8(ascii: "-")
        if isNegative { index += 1 }
        let start = index
        let digits = Self.digits(bytes, &index, end: range.upperBound)
        guard digits.significant > 0 else { return 0 }
        // The value is the first `significant` digits times ten to the power of `scale`.
        let scale =
            Self.exponent(bytes, index, end: range.upperBound) - digits.fraction + digits.count
            - digits.significant
        guard scale >= 0,
            let magnitude = Self.magnitude(
                bytes, start, digits: digits.significant, scale: scale)
        else { return nil }
        guard isNegative else { return Int64(exactly: magnitude) }
        guard magnitude <= Int64.min.magnitude else { return nil }
        return Int64(truncatingIfNeeded: 0 &- magnitude)
    }

    /// Steps over the digits before an exponent: how many there are, how many of them up to the last one that is not 0,
    /// and how many behind the point.
    private static func digits(
        _ bytes: Span<UInt8>, _ index: inout Int, end: Int
    ) -> (count: Int, significant: Int, fraction: Int) {
        var (count, significant, fraction) = (0, 0, 0)
        var isPastPoint = false
        while index < end {
            let byte = bytes[index]
            if byte == UInt8(ascii: ".") {
                isPastPoint = true
            } else if JSONScan.isDigit(byte) {
                count += 1
                if isPastPoint { fraction += 1 }
                if byte != UInt8(ascii: "0") { significant = count }
            } else {
                break
            }
            index += 1
        }
        return (count, significant, fraction)
    }

    /// The exponent that begins with the `e` at `start`; 0 where the number ends there.
    private static func exponent(_ bytes: Span<UInt8>, _ start: Int, end: Int) -> Int {
        var index = start + 1
        var isNegative = false
        if index < end, !JSONScan.isDigit(bytes[index]) {
            isNegative = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        var exponent = 0
        // Far beyond any length of digits a buffer can have, more would not matter.
        while index < end, exponent < 1 << 40 {
            exponent = exponent * 10 + Int(bytes[index] &- UInt8(ascii: "0"))
            index += 1
        }
        return isNegative ? -exponent : exponent
    }

    /// The number of the first `digits` digits from `start` on, and `scale` zeros; nil when it overflows.
    private static func magnitude(
        _ bytes: Span<UInt8>, _ start: Int, digits: Int, scale: Int
    ) -> UInt64? {
        var magnitude: UInt64 = 0
        var index = start
        var left = digits
        while left > 0 {
            if bytes[index] != UInt8(ascii: ".") {
                guard shift(&magnitude, by: bytes[index] &- UInt8(ascii: "0")) else { return nil }
                left -= 1
            }
            index += 1
        }
        left = scale
        while left > 0 {
            guard shift(&magnitude, by: 0) else { return nil }
            left -= 1
        }
        return magnitude
    }

    /// Puts a digit behind a number; false when it overflows.
    private static func shift(_ magnitude: inout UInt64, by digit: UInt8) -> Bool {
        let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
        magnitude = sum
        return !overflow && !carry
    }
}

extension JSONMember {
    /// Whether the key decodes to `name`.
    @inline(__always)
    package func hasKey(_ name: String, in bytes: Span<UInt8>) -> Bool {
        keyHasEscapes ? JSONText.equals(bytes, key, name) : ByteScan.equal(bytes, key, name)
    }
}
