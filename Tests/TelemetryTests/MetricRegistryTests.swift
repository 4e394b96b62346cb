import Foundation
import Testing

@testable import Telemetry

private enum Fruit: Int, MetricLabel {
    static let labelName = "fruit"
    case apple
    case redCherry
}

@Suite("Metrics")
struct MetricRegistryTests {
    @Test("shards are added up, labels are closed sets")
    func exposition() {
        let registry = MetricRegistry()
        let counters = (0..<2).map { _ in registry.counter("gateway_things_total", "Things.") }
        let gauges = (0..<2).map { _ in registry.gauge("gateway_open", "Open \\ now\nhere.") }
        let families = (0..<2).map { _ in
            registry.counters("gateway_fruits_total", "Fruits.", by: Fruit.self)
        }
        let codes = registry.counters(
            "gateway_errors_total", "Errors.", label: "code", values: ["a\"b\\c", "d"])
        registry.observe("gateway_info", "Info.", .gauge, label: (name: "version", value: "1\n2")) {
            1
        }
        registry.observe("process_absent", "Left out.", .gauge) { nil }
        counters[0].increment()
        counters[1].increment(by: 41)
        counters[1].increment(by: -5)
        gauges[0].add(5)
        gauges[1].decrement()
        families[0][.apple].increment()
        families[1][.redCherry].increment(by: 2)
        codes["d"].increment()
        codes["unheard of"].increment(by: 3)
        #expect(
            registry.renderPrometheus() == """
                # HELP gateway_things_total Things.
                # TYPE gateway_things_total counter
                gateway_things_total 42
                # HELP gateway_open Open \\\\ now\\nhere.
                # TYPE gateway_open gauge
                gateway_open 4
                # HELP gateway_fruits_total Fruits.
                # TYPE gateway_fruits_total counter
                gateway_fruits_total{fruit="apple"} 1
                gateway_fruits_total{fruit="red_cherry"} 2
                # HELP gateway_errors_total Errors.
                # TYPE gateway_errors_total counter
                gateway_errors_total{code="a\\"b\\\\c"} 0
                gateway_errors_total{code="d"} 1
                gateway_errors_total{code="other"} 3
                # HELP gateway_info Info.
                # TYPE gateway_info gauge
                gateway_info{version="1\\n2"} 1

                """)
    }

    @Test("a histogram's buckets are cumulative and include their bounds")
    func histogram() {
        let registry = MetricRegistry()
        let buckets = Histogram.Buckets(seconds: [0.001, 0.01, 1])
        let histograms = (0..<2).map { _ in
            registry.histogram("gateway_wait_seconds", "Wait.", buckets)
        }
        histograms[0].observe(.milliseconds(1))
        histograms[0].observe(.microseconds(1001))
        histograms[0].observe(.seconds(-1))
        histograms[1].observe(.milliseconds(500))
        histograms[1].observe(.seconds(2))
        #expect(
            registry.renderPrometheus() == """
                # HELP gateway_wait_seconds Wait.
                # TYPE gateway_wait_seconds histogram
                gateway_wait_seconds_bucket{le="0.001"} 2
                gateway_wait_seconds_bucket{le="0.01"} 3
                gateway_wait_seconds_bucket{le="1"} 4
                gateway_wait_seconds_bucket{le="+Inf"} 5
                gateway_wait_seconds_sum 2.502001
                gateway_wait_seconds_count 5

                """)
    }

    @Test("every bound of every ready-made histogram is hit from both sides")
    func bounds() {
        for buckets in [Histogram.Buckets.waiting, .gaps, .instant, .responses] {
            for (index, bound) in buckets.boundsNanoseconds.enumerated() {
                let histogram = Histogram(buckets)
                histogram.observe(nanoseconds: bound)
                histogram.observe(nanoseconds: bound + 1)
                #expect(histogram.snapshot.counts[index] == 1)
                #expect(histogram.snapshot.counts[index + 1] == 1)
            }
        }
        let extreme = Histogram(.waiting)
        extreme.observe(nanoseconds: .max)
        extreme.observe(nanoseconds: .min)
        extreme.observe(.seconds(Int64.max))
        #expect(extreme.snapshot.counts.reduce(0, +) == 3)
    }

    @Test(
        "names are checked",
        arguments: [
            ("things_total", "counter"), ("gateway_things", "counter"),
            ("gateway_x_total", "gauge"),
            ("gateway_wait_ms", "gauge"), ("gateway_wait_ms_total", "counter"),
            ("gateway_Wait", "gauge"), ("gateway_wait", "histogram"), ("gateway_a-b", "gauge"),
        ])
    func names(name: String, kind: String) throws {
        let kind = try #require(MetricDefinition.Kind(rawValue: kind))
        let definition = MetricDefinition(name: name, help: "", kind: kind, label: nil)
        #expect(definition.nameProblem != nil)
    }

    @Test("the gateway's metrics are well named, and made once per shard")
    func gatewayMetrics() throws {
        let registry = MetricRegistry()
        let shards = (0..<2).map { _ in
            GatewayMetrics(registry, errorCodes: ["rate_limited"], closeCodes: [1000, 4400])
        }
        let logger = Logger(sink: CapturingSink())
        ProcessMetrics.register(in: registry, version: "1.2.3", logger: logger)
        shards[0].responses[.completed].increment()
        shards[1].responses[.completed].increment()
        shards[0].closes["4400"].increment()
        shards[0].firstText.observe(.milliseconds(120))
        let text = registry.renderPrometheus()
        #expect(text.contains("\ngateway_responses_total{outcome=\"completed\"} 2\n"))
        #expect(text.contains("\ngateway_closes_total{code=\"4400\"} 1\n"))
        #expect(text.contains("\ngateway_first_text_seconds_sum 0.12\n"))
        #expect(text.contains("\ngateway_build_info{version=\"1.2.3\"} 1\n"))
        #expect(text.contains("\ngateway_token_usage_total{kind=\"cached_input\"} 0\n"))
        for name in [
            "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
            "process_max_fds", "process_start_time_seconds", "process_threads",
        ] {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name) ") })
            let value = try #require(Double(line.drop { $0 != " " }.dropFirst()))
            #expect(value > 0, "\(line)")
            if name == "process_start_time_seconds" {
                #expect(abs(Date().timeIntervalSince1970 - value) < 86_400)
            }
        }
        let table = registry.renderMetricsReference()
        for definition in registry.definitions {
            #expect(definition.nameProblem == nil)
            #expect(definition.help.hasSuffix("."))
            #expect(table.contains("| `\(definition.name)` | \(definition.kind.rawValue) |"))
        }
        let names = registry.definitions.map(\.name)
        #expect(Set(names).count == names.count)
    }

    @Test("a scrape while counting sees numbers that only grow")
    func scrapeWhileCounting() async {
        let registry = MetricRegistry()
        let counter = registry.counter("gateway_things_total", "Things.")
        let writer = Task.detached { for _ in 0..<100_000 { counter.increment() } }
        var last: UInt64 = 0
        for _ in 0..<50 {
            let now = counter.value
            #expect(now >= last)
            last = now
            _ = registry.renderPrometheus()
        }
        await writer.value
        #expect(counter.value == 100_000)
    }
}
