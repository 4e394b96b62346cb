internal import CEpoll
internal import Glibc

/// The report as one page that needs nothing else: no script, no font, no network.
package enum ReportHTML {
    package static func render(_ report: RunReport) -> String {
        let scenario = report.scenario
        let title = HTMLText.escape("\(scenario.name) · millrace-load")
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width,initial-scale=1">
            <title>\(title)</title><style>\(style)</style></head><body>
            <h1>\(HTMLText.escape(scenario.name))
            <span class="verdict \(report.passed ? "good" : "bad")">\
            \(report.outcome.rawValue)</span></h1>
            <p>\(HTMLText.escape(scenario.description))</p>
            <p class="facts">\(facts(report))</p>
            \(notes(report))\(thresholds(report))
            <h2>Latency</h2>
            \(latencyTable(report))\(plots(report))
            <h2>Figures</h2>
            \(metricTable(report))\(violations(report))
            </body></html>

            """
    }

    private static func facts(_ report: RunReport) -> String {
        let scenario = report.scenario
        let facts = [
            scenario.wireProtocol.rawValue, scenario.url,
            "\(Decimal.grouped(scenario.sessions)) sessions",
            "\(scenario.readers) readers each",
            "\(Decimal.fixed(report.measuredSeconds, places: 1)) s measured",
            "\(Decimal.grouped(Int(report.metric("rate.deltas_per_s") ?? 0))) deltas/s",
            "began at \(UTCTime.text(report.startedWallSeconds))", report.stop.rawValue,
        ]
        return facts.map(HTMLText.escape).joined(separator: " · ")
    }

    private static func notes(_ report: RunReport) -> String {
        report.notes.map { "<p class=\"note\">\(HTMLText.escape($0))</p>\n" }.joined()
    }

    private static func thresholds(_ report: RunReport) -> String {
        guard !report.verdicts.isEmpty else { return "" }
        let rows = report.verdicts.map { verdict in
            let value = verdict.value.map { Decimal.text($0) } ?? "not measured"
            return [
                verdict.threshold.description, value, verdict.holds ? "holds" : "FAILS",
            ]
        }
        return "<h2>Thresholds</h2>" + table(["threshold", "measured", ""], rows)
    }

    private static func latencyTable(_ report: RunReport) -> String {
        let rows = report.latencies.map { latency in
            let histogram = latency.histogram
            let values = RunReport.Latency.shares.map { Double(histogram.percentile($0.share)) }
            return [latency.kind.rawValue, Decimal.grouped(Int(histogram.count))]
                + (values + [Double(histogram.maximum)]).map { Decimal.duration(nanoseconds: $0) }
                + [latency.kind.meaning]
        }
        let header = ["", "count", "p50", "p90", "p99", "p99.9", "max", "from → to"]
        return table(header, rows)
    }

    private static func metricTable(_ report: RunReport) -> String {
        let help = Dictionary(
            ReportMetric.all.map { ($0.name, $0.help) }, uniquingKeysWith: { first, _ in first })
        let metrics = report.metrics.filter { !$0.name.hasPrefix("latency.") }.map {
            [$0.name, Decimal.text($0.value), help[$0.name] ?? ""]
        }
        let seen = report.tallies.map { ["seen: \($0.name)", Decimal.grouped($0.count), ""] }
        return table(["metric", "value", ""], metrics + seen)
    }

    private static func violations(_ report: RunReport) -> String {
        guard report.violationCount > 0 else { return "" }
        let entries = report.violations.map { record in
            let place =
                "session \(record.session), reader \(record.reader), at"
                + " \(Decimal.fixed(record.seconds, places: 3)) s: \(record.violation)"
            let transcript = record.transcript.joined(separator: "\n")
            return "<details><summary>\(HTMLText.escape(place))</summary>"
                + "<pre>\(HTMLText.escape(transcript))</pre></details>"
        }
        return "<h2>Violations: \(report.violationCount)</h2>" + entries.joined(separator: "\n")
    }

    private static func table(_ header: [String], _ rows: [[String]]) -> String {
        func row(_ cells: [String], _ tag: String) -> String {
            "<tr>" + cells.map { "<\(tag)>\(HTMLText.escape($0))</\(tag)>" }.joined() + "</tr>"
        }
        let body = rows.map { row($0, "td") }.joined(separator: "\n")
        return "<div class=\"wide\"><table>\(row(header, "th"))\n\(body)</table></div>\n"
    }

    private static func plots(_ report: RunReport) -> String {
        let samples = report.samples
        let followed = report.scenario.followedLatency
        func series(
            _ name: String, _ color: Int, _ value: (Timeline.Sample) -> Double
        ) -> Plot.Series {
            Plot.Series(name: name, color: color, points: samples.map { ($0.time, value($0)) })
        }
        let timed = samples.filter { $0.maximum > 0 }
        func latency(_ name: String, _ color: Int, _ value: (Timeline.Sample) -> UInt64)
            -> Plot.Series
        {
            Plot.Series(
                name: name, color: color, points: timed.map { ($0.time, Double(value($0))) })
        }
        let duration: (Double) -> String = { Decimal.duration(nanoseconds: $0) }
        let count: (Double) -> String = { Decimal.grouped(Int($0)) }
        let share: (Double) -> String = { "\(Decimal.fixed($0 * 100, places: 0)) %" }
        var plots = [
            Plot(
                title: "Latency over time",
                caption: "\(followed.rawValue): \(followed.meaning), each second",
                series: [
                    latency("p50", 1, \.median), latency("p99", 2, \.p99),
                    latency("max", 3, \.maximum),
                ], scale: .logarithmic, yLabel: duration),
            curve(report),
            Plot(
                title: "Throughput", caption: "deltas a second",
                series: [series("deltas/s", 1, \.deltasPerSecond)], yLabel: count),
            Plot(
                title: "Connections", caption: "open, and responses running",
                series: [
                    series("open", 1) { Double($0.connections) },
                    series("running", 2) { Double($0.active) },
                ], yLabel: count),
        ]
        var usage = [series("client", 3, \.clientCPU)]
        if report.metric("server.cpu_share") != nil {
            usage.insert(series("server", 1, \.serverCPU), at: 0)
            plots.append(
                Plot(
                    title: "Server memory", caption: "resident",
                    series: [series("RSS", 1) { Double($0.serverResidentBytes) }], scale: .bytes,
                    yLabel: { Decimal.wholeBytes($0) }))
        }
        plots.append(
            Plot(title: "CPU", caption: "share of one core", series: usage, yLabel: share))
        return plots.map { $0.render() }.joined(separator: "\n")
    }

    /// Latency over the share of values below it, stretched so that each nine is as wide.
    private static func curve(_ report: RunReport) -> Plot {
        let kinds: [Measurements.Latency] = [
            .delivery, .firstTextAdded, .firstText, .cancel, .reconnect, .catchUp,
        ]
        let series = kinds.enumerated().compactMap { color, kind -> Plot.Series? in
            guard let found = report.latencies.first(where: { $0.kind == kind }) else { return nil }
            let histogram = found.histogram
            let most = min(5, log10(Double(histogram.count)))
            let points = stride(from: 0.0, through: max(most, 0.3), by: 0.1).map { nines in
                (x: nines, y: Double(histogram.percentile(1 - pow(10, -nines))))
            }
            return Plot.Series(name: kind.rawValue, color: color + 1, points: points)
        }
        return Plot(
            title: "Percentiles", caption: "latency below which that share of all stayed",
            series: series, scale: .logarithmic,
            xTicks: [
                (0, "0 %"), (0.301, "50 %"), (1, "90 %"), (2, "99 %"), (3, "99.9 %"),
                (4, "99.99 %"), (5, "99.999 %"),
            ], yLabel: { Decimal.duration(nanoseconds: $0) })
    }

    private static let style = """
        :root{--ink:#1b2430;--paper:#fff;--faint:#e4e8ee;--soft:#5b6676;--good:#116b3a;--bad:#b3261e;\
        --k1:#1f5fbf;--k2:#c25e00;--k3:#7a3fb0;--k4:#0b7d72;--k5:#a8326a;--k6:#6b6f00}
        @media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--paper:#12161c;--faint:#2a323d;\
        --soft:#9aa6b6;--good:#5fd08f;--bad:#ff8a80;--k1:#74a9ff;--k2:#ffab5e;--k3:#c79bff;\
        --k4:#55d3c5;--k5:#ff8fbd;--k6:#d3d84f}}
        body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);\
        max-width:1000px;margin:2rem auto;padding:0 1rem}
        h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
        .verdict{font-size:.9rem;border:1px solid;border-radius:4px;padding:.1rem .5rem}
        .good{color:var(--good)}.bad{color:var(--bad)}.facts{color:var(--soft)}
        .note{border-left:3px solid var(--k2);padding-left:.7rem}
        .wide{overflow-x:auto}
        table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.87rem}
        th,td{text-align:right;padding:.2rem .7rem;border-bottom:1px solid var(--faint);\
        white-space:nowrap}
        th:first-child,td:first-child,th:last-child,td:last-child{text-align:left}
        td:last-child{white-space:normal;min-width:15rem}
        figure{margin:1.5rem 0}figcaption{color:var(--soft);font-size:.87rem}
        figcaption b{color:var(--ink)}.legend{float:right}.legend span{margin-left:.8rem}
        svg{width:100%;height:auto;display:block}
        .grid{stroke:var(--faint)}svg text{font-size:11px;fill:var(--soft)}
        .y{text-anchor:end;dominant-baseline:middle}.x{text-anchor:middle}
        .line{fill:none;stroke-width:1.8;stroke-linejoin:round}.dot{fill-opacity:0}
        .dot:hover{fill-opacity:1}
        .c1{color:var(--k1)}.c2{color:var(--k2)}.c3{color:var(--k3)}.c4{color:var(--k4)}\
        .c5{color:var(--k5)}.c6{color:var(--k6)}
        .line.s1{stroke:var(--k1)}.line.s2{stroke:var(--k2)}.line.s3{stroke:var(--k3)}\
        .line.s4{stroke:var(--k4)}.line.s5{stroke:var(--k5)}.line.s6{stroke:var(--k6)}
        .dot.s1{fill:var(--k1)}.dot.s2{fill:var(--k2)}.dot.s3{fill:var(--k3)}\
        .dot.s4{fill:var(--k4)}.dot.s5{fill:var(--k5)}.dot.s6{fill:var(--k6)}
        pre{overflow-x:auto;font-size:.8rem;background:var(--faint);padding:.7rem;border-radius:4px}
        """
}
