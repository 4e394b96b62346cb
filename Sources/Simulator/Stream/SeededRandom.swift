/// SplitMix64: small, fast, and the same sequence on every machine for the same seed.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// A generator for the `index`-th request of a simulator that was started with `seed`.
    package init(seed: UInt64, index: UInt64) {
        var outer = SeededRandom(seed: seed &+ index &* 0x9E37_79B9_7F4A_7C15)
        state = outer.next()
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in `0..<1`.
    package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// An identifier in OpenAI's manner: `prefix` and 48 hexadecimal digits.
    package mutating func identifier(_ prefix: String) -> String {
        var text = prefix
        for _ in 0..<3 {
            let part = String(next(), radix: 16)
            text += String(repeating: "0", count: 16 - part.count) + part
        }
        return text
    }

    /// `count` letters and digits, as in `call_…` and `obfuscation`.
    package mutating func alphanumeric(_ count: Int) -> String {
        var bytes: [UInt8] = []
        appendAlphanumeric(count, to: &bytes)
        return bytes.text
    }

    /// Appends `count` letters and digits.
    package mutating func appendAlphanumeric(_ count: Int, to out: inout [UInt8]) {
        var bits = next()
        for index in 0..<count {
            if index > 0, index % 10 == 0 { bits = next() }
            out.append(Self.letter(Int(bits & 63)))
            bits >>= 6
        }
    }

    /// 62 letters and digits on 64 values: two of them appear twice.
    private static func letter(_ value: Int) -> UInt8 {
        switch value {
        case 0..<26: UInt8(ascii: "a") + UInt8(value)
        case 26..<52: UInt8(ascii: "A") + UInt8(value - 26)
        case 52..<62: UInt8(ascii: "0") + UInt8(value - 52)
        default: UInt8(ascii: "x")
        }
    }
}
