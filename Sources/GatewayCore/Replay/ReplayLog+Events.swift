/// How upstream's events are written for a reader of the OpenAI dialect.
package enum EventFraming: Sendable {
    /// `event:` and `data:` lines and a blank one: what the SDKs' parsers agree on.
    case serverSentEvents
    /// One JSON object a line, with `stream_id` and the position in the log in front.
    case lines
}

/// Full fidelity: every upstream event is one entry, with holes for what is ours.
extension ReplayLog {
    /// Appends one upstream event as entry `number` of its response.
    ///
    /// A delta that differs from the one before in its text only joins that one's run: it costs its text
    /// and two bytes.
    mutating func appendEvent(response: Int, number: Int, data: Span<UInt8>) {
        if let text = textForLastRun(data, response, number) {
            lastSequence += 1
            return appendPiece(data, text)
        }
        let event = cut(data)
        guard event.delta >= 0 else { return appendSingle(event, response, number) }
        lastSequence += 1
        if !extendsLastRun(event, response, number) {
            var segment = LogSegment(
                kind: .eventRun, firstSequence: lastSequence, response: response,
                startPosition: totalBytes, bytes: [])
            segment.firstNumber = number
            segment.index = event.outputIndex
            segment.shape = shape(of: event, response, countingIn: &segment)
            push(segment)
        }
        appendPiece(data, event.text)
    }

    private mutating func appendPiece(_ data: Span<UInt8>, _ text: Range<Int>) {
        segments[segments.count - 1].append(piece: data, text)
        storedBytes += text.count + LogSegment.bytesPerPiece
        totalBytes += text.count
    }

    /// The text of an event that the last run goes on with, without cutting it; nil where it has to be cut.
    private func textForLastRun(
        _ data: Span<UInt8>, _ response: Int, _ number: Int
    ) -> Range<Int>? {
        let last = segments.count - 1
        guard last >= 0, segments[last].kind == .eventRun, segments[last].response == response,
            segments[last].firstNumber + segments[last].count == number,
            let text = segments[last].shape?.text(of: data),
            segments[last].bytes.count + text.count <= Self.maximumRunBytes
        else { return nil }
        return text
    }

    private func extendsLastRun(
        _ event: EventCutter, _ response: Int, _ number: Int
    ) -> Bool {
        guard let last = segments.last, last.kind == .eventRun, last.response == response,
            last.firstNumber + last.count == number, let shape = last.shape,
            last.bytes.count + event.text.count <= Self.maximumRunBytes
        else { return false }
        return Self.isShape(shape, of: event)
    }

    private static func isShape(_ shape: EventShape, of event: EventCutter) -> Bool {
        shape.number == event.number && shape.delta == event.delta
            && shape.template == event.bytes
    }

    /// The shape of the event just cut: the response's last one where it is the same.
    private mutating func shape(
        of event: EventCutter, _ response: Int, countingIn segment: inout LogSegment
    ) -> EventShape {
        if let known = shapes[response], Self.isShape(known, of: event) { return known }
        let shape = EventShape(
            template: event.bytes.exact, number: event.number, delta: event.delta,
            type: event.type)
        segment.shapeBytes = shape.template.count
        shapes[response] = shape
        return shape
    }

    private mutating func appendSingle(
        _ event: EventCutter, _ response: Int, _ number: Int
    ) {
        lastSequence += 1
        var segment = LogSegment(
            kind: .event, firstSequence: lastSequence, response: response,
            startPosition: totalBytes, bytes: event.bytes.exact)
        segment.firstNumber = number
        segment.payload = event.payload
        segment.payloadKind = event.payloadKind
        segment.index = event.outputIndex
        segment.shape = EventShape(
            template: [], number: event.number, delta: -1, type: event.type)
        totalBytes += segment.bytes.count
        push(segment)
    }

    /// Appends a frame of ours that has no number: an `error` of a request that upstream refused.
    mutating func appendErrorFrame(response: Int, _ frame: [UInt8]) {
        lastSequence += 1
        var segment = LogSegment(
            kind: .event, firstSequence: lastSequence, response: response,
            startPosition: totalBytes, bytes: frame)
        segment.firstNumber = -1
        segment.shape = EventShape(template: [], number: -1, delta: -1, type: 0..<0)
        totalBytes += frame.count
        push(segment)
    }

    /// Notes the lane of a response, raw JSON, for frames that name it.
    mutating func setLane(_ lane: [UInt8]?, ofResponse response: Int) { lanes[response] = lane }

    /// Forgets what only running responses need.
    mutating func endEvents(ofResponse response: Int) {
        shapes[response] = nil
        if shapes.isEmpty { dropCutter() }
        trimLastRun()
    }

    // MARK: Reading

    /// The cursor of a reader that has had a response's events up to `number`; -1 stands for none.
    ///
    /// Nil when the log has no such event (any more).
    package func cursor(ofResponse response: Int, after number: Int) -> Int? {
        for segment in segments where segment.response == response && segment.shape != nil {
            if number == -1, segment.firstNumber <= 0 {
                return segment.firstNumber == 0 || segment.firstNumber == -1
                    ? segment.firstSequence - 1 : nil
            }
            guard number >= segment.firstNumber, segment.firstNumber >= 0 else { return nil }
            if number < segment.firstNumber + segment.count {
                return segment.firstSequence + number - segment.firstNumber
            }
        }
        return nil
    }

    /// Appends upstream's events after `cursor` and returns the number of the last one looked at.
    ///
    /// Writes at least one event, where one is wanted, and then as many as fit into `maximumBytes`.
    /// With `response` the events of others are passed over.
    /// - Precondition: `cursor` is at least `compactedThrough`.
    package func renderEvents(
        after cursor: Int, ofResponse response: Int? = nil, into output: inout [UInt8],
        maximumBytes: Int, framing: EventFraming
    ) -> Int {
        precondition(cursor >= compactedThrough, "a cursor inside the compacted part")
        guard cursor < lastSequence else { return cursor }
        let start = output.count
        var next = cursor + 1
        for index in segmentIndex(holding: next)..<segments.count {
            let last = segments[index].lastSequence
            guard response == nil || segments[index].response == response else {
                next = last + 1
                continue
            }
            while next <= last {
                let begin = segments[index].offset(of: next)
                let end = segments[index].offset(of: next + 1)
                let size = (segments[index].shape?.template.count ?? 0) + end - begin + 96
                if output.count > start {
                    guard output.count - start + size <= maximumBytes else { return next - 1 }
                    if framing == .lines { output.append(UInt8(ascii: "\n")) }
                }
                appendEvent(index, next, begin..<end, framing, to: &output)
                next += 1
            }
        }
        return next - 1
    }

    private func appendEvent(
        _ index: Int, _ sequence: Int, _ range: Range<Int>, _ framing: EventFraming,
        to output: inout [UInt8]
    ) {
        guard let shape = segments[index].shape else { return }
        let whole = segments[index].kind == .eventRun ? shape.template : segments[index].bytes
        var position = 0
        switch framing {
        case .serverSentEvents:
            output.append(literal: "event: ")
            if shape.type.isEmpty {
                output.append(literal: "error")
            } else {
                output.append(contentsOf: whole[shape.type])
            }
            output.append(literal: "\ndata: ")
        case .lines:
            output.append(UInt8(ascii: "{"))
            if let lane = lanes[segments[index].response] {
                output.append(literal: "\"stream_id\":")
                output.append(contentsOf: lane)
                output.append(UInt8(ascii: ","))
            }
            output.append(literal: "\"gateway_seq\":")
            output.append(decimal: sequence)
            output.append(UInt8(ascii: ","))
            position = 1
        }
        func fillNumber() {
            output.append(contentsOf: whole[position..<shape.number])
            output.append(
                decimal: segments[index].firstNumber + sequence - segments[index].firstSequence)
            position = shape.number
        }
        if shape.number >= 0, shape.number <= shape.delta || shape.delta < 0 { fillNumber() }
        if shape.delta >= 0 {
            output.append(contentsOf: whole[position..<shape.delta])
            output.append(contentsOf: segments[index].bytes[range])
            position = shape.delta
            if shape.number > shape.delta { fillNumber() }
        }
        output.append(contentsOf: whole[position...])
        if framing == .serverSentEvents { output.append(literal: "\n\n") }
    }

    // MARK: What a response consists of

    /// The latest `response` object of a response.
    func latestResponse(_ response: Int) -> [UInt8]? {
        segments.last { $0.response == response && $0.payloadKind == .response }
            .map { Array($0.bytes[$0.payload]) }
    }

    /// The finished items of a response, in order of output index.
    func finishedItems(ofResponse response: Int) -> [[UInt8]] {
        var items: [(index: Int, item: [UInt8])] = []
        for segment in segments
        where segment.response == response && segment.payloadKind == .item {
            items.append((segment.index, Array(segment.bytes[segment.payload])))
        }
        // Sorting is not stable, and one index may stand for several items.
        return items.enumerated()
            .sorted { ($0.element.index, $0.offset) < ($1.element.index, $1.offset) }
            .map(\.element.item)
    }
}
