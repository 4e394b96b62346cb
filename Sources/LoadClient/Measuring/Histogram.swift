/// Counts durations in log-linear buckets: 128 steps per power of two, so 0.8 % at worst.
///
/// From 0 to 2⁴³ ns (2.4 hours); what is longer counts as the longest. 38 KB, never grows.
package struct Histogram {
    private static let subBits = 7
    private static let highestBit = 42
    private static let buckets = (highestBit - subBits) << subBits + 2 << subBits

    private var counts = [UInt64](repeating: 0, count: buckets)
    package private(set) var count: UInt64 = 0
    package private(set) var minimum: UInt64 = 0
    package private(set) var maximum: UInt64 = 0
    private var sum = 0.0

    package init() {}

    package var mean: Double { count == 0 ? 0 : sum / Double(count) }

    package mutating func record(_ value: UInt64) {
        let limited = min(value, 1 << (Self.highestBit + 1) - 1)
        counts[Self.bucket(limited)] += 1
        minimum = count == 0 ? limited : min(minimum, limited)
        maximum = max(maximum, limited)
        count += 1
        sum += Double(limited)
    }

    package mutating func reset() {
        guard count > 0 else { return }
        for index in counts.indices { counts[index] = 0 }
        count = 0
        minimum = 0
        maximum = 0
        sum = 0
    }

    /// The smallest recorded value that `share` (0…1) of all values do not exceed.
    package func percentile(_ share: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let rank = max(1, UInt64((share * Double(count)).rounded(.up)))
        guard rank < count else { return maximum }
        var seen: UInt64 = 0
        for (index, bucketCount) in counts.enumerated() where bucketCount > 0 {
            seen += bucketCount
            if seen >= rank { return min(max(Self.middle(of: index), minimum), maximum) }
        }
        return maximum
    }

    static func bucket(_ value: UInt64) -> Int {
        guard value >= 1 << UInt64(subBits) else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - subBits
        return shift << subBits + Int(value >> UInt64(shift))
    }

    static func middle(of bucket: Int) -> UInt64 {
        guard bucket >= 2 << subBits else { return UInt64(bucket) }
        let shift = bucket >> subBits - 1
        let low = UInt64(bucket - shift << subBits) << UInt64(shift)
        return low + (1 << UInt64(shift)) / 2
    }
}
