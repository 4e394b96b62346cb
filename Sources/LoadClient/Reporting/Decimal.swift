/// Numbers as people and JSON read them, without Foundation.
package enum Decimal {
    /// With `places` decimals, rounded.
    package static func fixed(_ value: Double, places: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "0" }
        let scale = (0..<places).reduce(1.0) { result, _ in result * 10 }
        let scaled = Int((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard places > 0 else { return "\(sign)\(scaled)" }
        let fraction = String(scaled % Int(scale))
        let zeros = String(repeating: "0", count: places - fraction.count)
        return "\(sign)\(scaled / Int(scale)).\(zeros)\(fraction)"
    }

    /// With up to three decimals and no trailing zeros: valid JSON.
    package static func text(_ value: Double) -> String {
        var text = fixed(value, places: 3)
        while text.contains("."), text.hasSuffix("0") || text.hasSuffix(".") { text.removeLast() }
        return text
    }

    /// With thousands separated: `12,345`.
    package static func grouped(_ value: Int) -> String {
        var text = ""
        for (position, digit) in String(abs(value)).reversed().enumerated() {
            if position > 0, position % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + String(text.reversed())
    }

    /// A duration in the unit that suits it: `85 µs`, `1.24 ms`, `3.1 s`.
    package static func duration(nanoseconds: Double) -> String {
        switch nanoseconds {
        case ..<1_000: "\(fixed(nanoseconds, places: 0)) ns"
        case ..<100_000: "\(fixed(nanoseconds / 1e3, places: 1)) µs"
        case ..<1_000_000: "\(fixed(nanoseconds / 1e3, places: 0)) µs"
        case ..<1_000_000_000: "\(fixed(nanoseconds / 1e6, places: 2)) ms"
        default: "\(fixed(nanoseconds / 1e9, places: 2)) s"
        }
    }

    /// Bytes in the unit that suits them: `12.4 MiB`.
    package static func bytes(_ count: Double) -> String {
        switch count {
        case ..<1_024: "\(fixed(count, places: 0)) B"
        case ..<1_048_576: "\(fixed(count / 1_024, places: 1)) KiB"
        case ..<1_073_741_824: "\(fixed(count / 1_048_576, places: 1)) MiB"
        default: "\(fixed(count / 1_073_741_824, places: 2)) GiB"
        }
    }

    /// Bytes in the largest unit that leaves no fraction, as steps of an axis are: `1280 MiB`.
    package static func wholeBytes(_ count: Double) -> String {
        let units = [("GiB", 1_073_741_824.0), ("MiB", 1_048_576), ("KiB", 1_024)]
        for (name, size) in units where count >= size && count.remainder(dividingBy: size) == 0 {
            return "\(fixed(count / size, places: 0)) \(name)"
        }
        return bytes(count)
    }
}
