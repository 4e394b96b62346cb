/// A small seeded generator: the same seed gives the same run.
package struct SplitMix64 {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// A number from 0 up to, but not including, 1.
    package mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }

    /// True in `share` of all cases.
    package mutating func chance(_ share: Double) -> Bool { share > 0 && unit() < share }

    /// Nanoseconds drawn evenly from a range of milliseconds.
    package mutating func draw(_ milliseconds: ClosedRange<Double>) -> UInt64 {
        let width = milliseconds.upperBound - milliseconds.lowerBound
        return UInt64((milliseconds.lowerBound + unit() * width) * 1e6)
    }

    package mutating func draw(_ span: Scenario.Span) -> UInt64 { draw(span.lowest...span.highest) }
}
