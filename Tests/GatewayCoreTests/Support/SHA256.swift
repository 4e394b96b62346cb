/// The hash of FIPS 180-4, for comparing texts with recorded results; written for tests only.
struct SHA256 {
    private static let constants: [UInt32] = {
        // The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
        var primes: [UInt64] = []
        var candidate: UInt64 = 2
        while primes.count < 64 {
            if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
            candidate += 1
        }
        return primes.map { root($0, power: 3) }
    }()

    private static let start: [UInt32] = [2, 3, 5, 7, 11, 13, 17, 19].map { root($0, power: 2) }

    /// The first 32 fractional bits of a root, by bisection on whole numbers of 96 bits.
    private static func root(_ number: UInt64, power: Int) -> UInt32 {
        var low: UInt64 = 0
        var high: UInt64 = 1 << 37  // The root is below 32, with 32 bits behind the point.
        let target = UInt128(number) << UInt128(32 * power)
        while high - low > 1 {
            let middle = (low + high) / 2
            var product = UInt128(1)
            for _ in 0..<power { product *= UInt128(middle) }
            if product <= target { low = middle } else { high = middle }
        }
        return UInt32(truncatingIfNeeded: low)
    }

    static func hex(_ message: [UInt8]) -> String {
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        let bits = UInt64(message.count) * 8
        for shift in stride(from: 56, through: 0, by: -8) {
            padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
        }
        var state = start
        var schedule = [UInt32](repeating: 0, count: 64)
        for block in stride(from: 0, to: padded.count, by: 64) {
            for index in 0..<16 {
                schedule[index] = padded[(block + index * 4)..<(block + index * 4 + 4)]
                    .reduce(0) { $0 << 8 | UInt32($1) }
            }
            for index in 16..<64 {
                let early = schedule[index - 15]
                let late = schedule[index - 2]
                let first = turn(early, 7) ^ turn(early, 18) ^ early >> 3
                let second = turn(late, 17) ^ turn(late, 19) ^ late >> 10
                schedule[index] = schedule[index - 16] &+ first &+ schedule[index - 7] &+ second
            }
            var work = state
            for index in 0..<64 {
                let sum1 = turn(work[4], 6) ^ turn(work[4], 11) ^ turn(work[4], 25)
                let choice = (work[4] & work[5]) ^ (~work[4] & work[6])
                let first = work[7] &+ sum1 &+ choice &+ constants[index] &+ schedule[index]
                let sum0 = turn(work[0], 2) ^ turn(work[0], 13) ^ turn(work[0], 22)
                let majority = (work[0] & work[1]) ^ (work[0] & work[2]) ^ (work[1] & work[2])
                work = [
                    first &+ sum0 &+ majority, work[0], work[1], work[2], work[3] &+ first,
                    work[4], work[5], work[6],
                ]
            }
            for index in 0..<8 { state[index] = state[index] &+ work[index] }
        }
        return state.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }

    private static func turn(_ word: UInt32, _ by: UInt32) -> UInt32 {
        word >> by | word << (32 - by)
    }
}
