/// One chart of the report as inline SVG: lines over a shared horizontal axis.
struct Plot {
    struct Series {
        let name: String
        /// Which of the page's colours, from 1.
        let color: Int
        let points: [(x: Double, y: Double)]
    }

    let title: String
    let caption: String
    let series: [Series]
    var scale = PlotAxis.Scale.linear
    /// Labels of the horizontal axis; seconds where there are none.
    var xTicks: [(x: Double, label: String)] = []
    let yLabel: (Double) -> String

    private static let width = 720.0
    private static let height = 260.0
    private static let left = 70.0
    /// Room for half of the last label.
    private static let right = 30.0
    private static let top = 10.0
    private static let bottom = 26.0

    func render() -> String {
        let drawn = series.filter { !$0.points.isEmpty }
        guard !drawn.isEmpty else { return "" }
        let xs = drawn.flatMap { $0.points.map(\.x) }
        let x = PlotAxis(from: min(0, xs.min() ?? 0), to: xs.max() ?? 1)
        let y = PlotAxis(drawn.flatMap { $0.points.map(\.y) }, scale: scale)
        let legend = drawn.map { "<span class=\"c\($0.color)\">\(HTMLText.escape($0.name))</span>" }
        return """
            <figure><figcaption><b>\(HTMLText.escape(title))</b> \(HTMLText.escape(caption))\
            <span class="legend">\(legend.joined(separator: " "))</span></figcaption>
            <svg viewBox="0 0 720 260" role="img" aria-label="\(HTMLText.escape(title))">
            \(grid(x, y))\(drawn.map { line($0, x, y) }.joined(separator: "\n"))
            </svg></figure>
            """
    }

    private func pixel(x value: Double, _ axis: PlotAxis) -> String {
        let width = Self.width - Self.left - Self.right
        return Decimal.fixed(Self.left + axis.position(value) * width, places: 1)
    }

    private func pixel(y value: Double, _ axis: PlotAxis) -> String {
        let height = Self.height - Self.top - Self.bottom
        return Decimal.fixed(Self.top + (1 - axis.position(value)) * height, places: 1)
    }

    private func grid(_ x: PlotAxis, _ y: PlotAxis) -> String {
        var text = ""
        let right = Decimal.text(Self.width - Self.right)
        for tick in y.ticks {
            let at = pixel(y: tick, y)
            text += "<line class=\"grid\" x1=\"70\" x2=\"\(right)\" y1=\"\(at)\" y2=\"\(at)\"/>"
            text +=
                "<text class=\"y\" x=\"64\" y=\"\(at)\">\(HTMLText.escape(round(yLabel(tick))))</text>\n"
        }
        let ticks = xTicks.isEmpty ? x.ticks.map { ($0, "\(Decimal.text($0)) s") } : xTicks
        for (value, label) in ticks where value <= x.highest * 1.000_1 {
            let at = pixel(x: value, x)
            text += "<text class=\"x\" x=\"\(at)\" y=\"252\">\(HTMLText.escape(label))</text>\n"
        }
        return text
    }

    /// A label of a round number, without the zeros that say that it is one.
    private func round(_ label: String) -> String {
        label.replacing(".00 ", with: " ").replacing(".0 ", with: " ")
    }

    private func line(_ series: Series, _ x: PlotAxis, _ y: PlotAxis) -> String {
        let points = series.points.map { "\(pixel(x: $0.x, x)),\(pixel(y: $0.y, y))" }
        var text =
            "<polyline class=\"line s\(series.color)\" points=\"\(points.joined(separator: " "))\"/>"
        // A point is a target for the pointer; many would only make the page heavy.
        guard series.points.count <= 200 else { return text }
        for point in series.points {
            let label = "\(series.name): \(yLabel(point.y))"
            text +=
                "<circle class=\"dot s\(series.color)\" cx=\"\(pixel(x: point.x, x))\""
                + " cy=\"\(pixel(y: point.y, y))\" r=\"3\">"
                + "<title>\(HTMLText.escape(label))</title></circle>"
        }
        return text
    }
}
