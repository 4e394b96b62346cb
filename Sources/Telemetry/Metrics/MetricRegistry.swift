import Synchronization

/// All metrics of the process: made at start-up, once per shard, and added up on scrape.
///
/// Making a metric of a name that exists gives a further instance, for another writer; its
/// definition must be the same. A wrong name or another definition is a mistake in this program
/// and traps, at start-up. Safe on any thread; the metrics themselves have one writer each.
package final class MetricRegistry: Sendable {
    /// Everything of one name.
    struct Family {
        let definition: MetricDefinition
        var buckets: Histogram.Buckets?
        /// Per label value (one without a label), the instances of all shards.
        var counters: [[Counter]]
        var gauges: [Gauge] = []
        var histograms: [Histogram] = []
        /// Read on scrape instead of kept: one number per label value, nil where there is none.
        var source: (@Sendable () -> [Double?])?
    }

    private let families = Mutex<[Family]>([])

    package init() {}

    /// A counter without a label.
    package func counter(_ name: String, _ help: String) -> Counter {
        let definition = MetricDefinition(name: name, help: help, kind: .counter, label: nil)
        return counters(definition, count: 1)[0]
    }

    /// One counter per value of `Label`.
    package func counters<Label: MetricLabel>(
        _ name: String, _ help: String, by label: Label.Type
    ) -> CounterFamily<Label> {
        let values = Label.allCases.map(\.labelValue)
        precondition(
            Label.allCases.map(\.rawValue) == Array(0..<values.count), "raw values have gaps")
        let definition = MetricDefinition(
            name: name, help: help, kind: .counter,
            label: .init(name: Label.labelName, values: values))
        return CounterFamily(counters: counters(definition, count: values.count))
    }

    /// One counter per text of `values`, and one for every other text.
    package func counters(
        _ name: String, _ help: String, label: String, values: [String]
    ) -> NamedCounterFamily {
        let values = values.filter { $0 != NamedCounterFamily.other }
        let definition = MetricDefinition(
            name: name, help: help, kind: .counter,
            label: .init(name: label, values: values + [NamedCounterFamily.other]))
        let made = counters(definition, count: values.count + 1)
        return NamedCounterFamily(
            counters: Dictionary(zip(values, made), uniquingKeysWith: { first, _ in first }),
            otherCounter: made[values.count])
    }

    /// A gauge; the gauges of all shards are added up.
    package func gauge(_ name: String, _ help: String) -> Gauge {
        let gauge = Gauge()
        update(MetricDefinition(name: name, help: help, kind: .gauge, label: nil)) {
            $0.gauges.append(gauge)
        }
        return gauge
    }

    /// A histogram of durations.
    package func histogram(
        _ name: String, _ help: String, _ buckets: Histogram.Buckets
    ) -> Histogram {
        let histogram = Histogram(buckets)
        update(MetricDefinition(name: name, help: help, kind: .histogram, label: nil)) { family in
            precondition(family.buckets == nil || family.buckets == buckets, "\(name): buckets")
            family.buckets = buckets
            family.histograms.append(histogram)
        }
        return histogram
    }

    /// A number that is read when somebody asks: `source` runs on the scraping thread.
    ///
    /// `nil` leaves the metric out.
    package func observe(
        _ name: String, _ help: String, _ kind: MetricDefinition.Kind,
        label: (name: String, value: String)? = nil, _ source: @escaping @Sendable () -> Double?
    ) {
        precondition(kind != .histogram, "\(name): a histogram cannot be read on scrape")
        let label = label.map { MetricDefinition.Label(name: $0.name, values: [$0.value]) }
        update(MetricDefinition(name: name, help: help, kind: kind, label: label)) {
            $0.source = { [source()] }
        }
    }

    /// Numbers that are read when somebody asks, one for each of `values`, in their order.
    package func observe(
        _ name: String, _ help: String, _ kind: MetricDefinition.Kind, label: String,
        values: [String], _ source: @escaping @Sendable () -> [Double?]
    ) {
        precondition(kind != .histogram, "\(name): a histogram cannot be read on scrape")
        let label = MetricDefinition.Label(name: label, values: values)
        update(MetricDefinition(name: name, help: help, kind: kind, label: label)) {
            $0.source = source
        }
    }

    /// What there is, in the order in which it was made.
    package var definitions: [MetricDefinition] { snapshot.map(\.definition) }

    var snapshot: [Family] { families.withLock { $0 } }

    private func counters(_ definition: MetricDefinition, count: Int) -> [Counter] {
        let made = (0..<count).map { _ in Counter() }
        update(definition) { family in
            if family.counters.isEmpty {
                family.counters = Array(repeating: [], count: count)
            }
            for index in 0..<count { family.counters[index].append(made[index]) }
        }
        return made
    }

    private func update(_ definition: MetricDefinition, _ change: (inout Family) -> Void) {
        if let problem = definition.nameProblem {
            preconditionFailure("metric \(definition.name) \(problem)")
        }
        families.withLock { families in
            if let index = families.firstIndex(where: { $0.definition.name == definition.name }) {
                precondition(
                    families[index].definition == definition,
                    "metric \(definition.name) is defined twice")
                change(&families[index])
            } else {
                var family = Family(definition: definition, buckets: nil, counters: [])
                change(&family)
                families.append(family)
            }
        }
    }
}
