extension Scenario {
    /// Applies `entries` in order, later ones over earlier ones.
    package mutating func apply(_ entries: [ScenarioEntry]) throws(ScenarioError) {
        let keys = ScenarioKey.all
        for entry in entries {
            guard let key = keys.first(where: { $0.name == entry.key }) else {
                let near = keys.map(\.name).filter { $0.hasSuffix(".\(entry.key)") }
                let hint = near.isEmpty ? "" : "; did you mean \(near.joined(separator: ", "))?"
                throw ScenarioError(
                    key: entry.key, reason: "no such key\(hint)", line: entry.line)
            }
            if let expected = set(key.field, entry.values) {
                let text = entry.values.joined(separator: ", ")
                throw ScenarioError(
                    key: entry.key, reason: "'\(text)' is not \(expected)", line: entry.line)
            }
        }
    }

    /// What only holds between keys; called once all are applied.
    package func validate() throws(ScenarioError) {
        if messages.perSecond > 0, messages.everyMilliseconds > 0 {
            throw ScenarioError(
                key: "messages.per_s", reason: "excludes messages.every_ms", line: 0)
        }
        if drop.share > 0, drop.atDeltas.isEmpty {
            throw ScenarioError(key: "drop.at_deltas", reason: "names no point", line: 0)
        }
        for threshold in thresholds where !ReportMetric.isKnown(threshold.metric) {
            throw ScenarioError(
                key: "thresholds",
                reason: "no report has a metric '\(threshold.metric)' (--list-metrics)", line: 0)
        }
        if !request.options.isEmpty {
            let bytes = Array(request.options.utf8)
            guard let value = JSONValue(parsing: bytes.span), case .object = value else {
                throw ScenarioError(key: "request.options", reason: "no JSON object", line: 0)
            }
            if wireProtocol == .openai, value["metadata"] != nil {
                throw ScenarioError(
                    key: "request.options",
                    reason: "metadata says which message a response answers (protocol: openai)",
                    line: 0)
            }
        }
        do throws(TargetURL.Failure) {
            _ = try TargetURL(url, defaultPath: wireProtocol.defaultPath)
        } catch {
            throw ScenarioError(key: "url", reason: error.description, line: 0)
        }
    }

    /// Sets one field; what was expected instead, if `values` do not fit.
    private mutating func set(_ field: ScenarioKey.Field, _ values: [String]) -> String? {
        switch field {
        case .integers(let path, let range):
            let numbers = values.compactMap { Int($0) }.filter { range.contains($0) }
            guard numbers.count == values.count else { return "a list of integers" }
            self[keyPath: path] = numbers.sorted()
        case .span(let path): return setSpan(path, values)
        case .thresholds:
            let parsed = values.map { Threshold(parsing: $0) }
            guard parsed.allSatisfy({ $0 != nil }) else { return "a list of 'METRIC <= NUMBER'" }
            thresholds = parsed.compactMap { $0 }
        default:
            guard values.count == 1 else { return "one value" }
            return setSingle(field, values[0])
        }
        return nil
    }

    private mutating func setSpan(
        _ path: WritableKeyPath<Scenario, Span>, _ values: [String]
    ) -> String? {
        let numbers = values.compactMap { Double($0) }.filter { 0...86_400_000 ~= $0 }
        guard numbers.count == values.count, let lowest = numbers.first, numbers.count <= 2,
            let highest = numbers.last, lowest <= highest
        else { return "milliseconds, or [lowest, highest]" }
        self[keyPath: path] = Span(lowest: lowest, highest: highest)
        return nil
    }

    private mutating func setSingle(_ field: ScenarioKey.Field, _ value: String) -> String? {
        switch field {
        case .text(let path): self[keyPath: path] = value
        case .flag(let path):
            guard let flag = Bool(value) else { return "true or false" }
            self[keyPath: path] = flag
        case .integer(let path, let range):
            guard let number = Int(value), range.contains(number) else {
                return "an integer from \(range.lowerBound) to \(range.upperBound)"
            }
            self[keyPath: path] = number
        case .number(let path, let range):
            guard let number = Double(value), range.contains(number) else {
                return "a number from \(range.lowerBound) to \(range.upperBound)"
            }
            self[keyPath: path] = number
        case .wireProtocol:
            guard let spoken = WireProtocol(rawValue: value) else { return "millrace.v1 or openai" }
            wireProtocol = spoken
        case .arrival:
            guard let arrival = Arrival(rawValue: value) else { return "even or poisson" }
            messages.arrival = arrival
        case .ending(let path):
            guard let ending = Ending(rawValue: value) else { return "close or reset" }
            self[keyPath: path] = ending
        case .cancelBy:
            guard let how = CancelBy(rawValue: value) else { return "message, close or reset" }
            cancel.how = how
        case .integers, .span, .thresholds: return "one value"
        }
        return nil
    }
}
