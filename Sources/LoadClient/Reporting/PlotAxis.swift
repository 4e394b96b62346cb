internal import CEpoll
internal import Glibc

/// Maps values to pixels and finds round numbers to label.
struct PlotAxis {
    enum Scale {
        case linear
        /// Linear, with steps that are powers of two.
        case bytes
        /// Needs values above 0; smaller ones sit on the edge.
        case logarithmic
    }

    let scale: Scale
    let lowest: Double
    let highest: Double

    /// Spans `values`; a linear one begins at 0.
    init(_ values: [Double], scale: Scale) {
        self.scale = scale
        let top = values.max() ?? 1
        switch scale {
        case .linear, .bytes:
            lowest = 0
            let step = Self.step(for: top, scale)
            highest = max(step, (top / step).rounded(.up) * step)
        case .logarithmic:
            let positive = values.filter { $0 > 0 }
            lowest = pow(10, floor(log10(positive.min() ?? 1)))
            highest = max(lowest * 10, pow(10, ceil(log10(max(top, 1e-9)))))
        }
    }

    init(from lowest: Double, to highest: Double) {
        scale = .linear
        self.lowest = lowest
        self.highest = max(highest, lowest + 1e-9)
    }

    /// 0 at the lower end, 1 at the upper.
    func position(_ value: Double) -> Double {
        switch scale {
        case .linear, .bytes: (value - lowest) / (highest - lowest)
        case .logarithmic:
            log10(max(value, lowest) / lowest) / log10(highest / lowest)
        }
    }

    var ticks: [Double] {
        switch scale {
        case .linear, .bytes:
            let step = Self.step(for: highest - lowest, scale)
            return stride(from: lowest, through: highest * 1.000_1, by: step).map { $0 }
        case .logarithmic:
            let decades = Int(log10(highest / lowest).rounded())
            return (0...max(1, decades)).map { lowest * pow(10, Double($0)) }
        }
    }

    /// A round step that gives four to eight of them.
    private static func step(for width: Double, _ scale: Scale) -> Double {
        guard width > 0 else { return 1 }
        let raw = width / 5
        if scale == .bytes { return pow(2, ceil(log2(raw))) }
        let decade = pow(10, floor(log10(raw)))
        let steps = [1, 2, 2.5, 5, 10].map { $0 * decade }
        return steps.first { $0 >= raw } ?? 10 * decade
    }
}
