/// Counts attempts by key, for faults that strike only the first few.
package struct FaultLedger: Sendable {
    package static let maximumKeys = 4096

    private var attempts: [String: Int] = [:]
    private var order: [String] = []

    package init() {}

    /// Notes one more attempt with `key` and returns which it was, from 1.
    ///
    /// The oldest keys are forgotten.
    package mutating func attempt(_ key: String) -> Int {
        if attempts[key] == nil {
            if order.count == Self.maximumKeys { attempts[order.removeFirst()] = nil }
            order.append(key)
        }
        attempts[key, default: 0] += 1
        return attempts[key] ?? 1
    }

    /// Whether `fault` strikes this time.
    package mutating func strikes(_ fault: Fault, _ random: inout SeededRandom) -> Bool {
        if let times = fault.times, attempt(fault.key) > times { return false }
        return fault.probability >= 1 || random.unit() < fault.probability
    }
}
