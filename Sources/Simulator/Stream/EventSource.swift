/// Where the events of a body come from: one of three, mutated in place so that a delta copies nothing.
package struct EventSource {
    private var generated: ResponseStream?
    private var recorded: RecordedStream?
    /// A background response that goes on by itself.
    package private(set) var background: BackgroundResponse?
    /// The next event of a recording or of a background response.
    private var position = 0
    /// Blocks of a recording a second; 0 is flat out.
    private var blocksPerSecond = 0.0

    /// What asking for the next event gave.
    package enum Outcome: Equatable {
        case event(ResponseStream.Event)
        /// Nothing yet; the background response will say when.
        case notYet
        case end
    }

    package static func generated(_ stream: ResponseStream) -> EventSource {
        EventSource(generated: stream)
    }

    /// The blocks of `recording`, flat out or `blocksPerSecond`.
    package static func recorded(
        _ recording: RecordedStream, blocksPerSecond: Double = 0
    ) -> EventSource {
        EventSource(recorded: recording, blocksPerSecond: blocksPerSecond)
    }

    /// The events of `response` from number `first` on.
    package static func background(
        _ response: BackgroundResponse, from first: Int
    ) -> EventSource {
        EventSource(background: response, position: first)
    }

    /// The stream itself, where it is made here and now.
    package var stream: ResponseStream? { generated }

    /// Appends the next event.
    package mutating func next(into out: inout [UInt8], at moment: Moment) -> Outcome {
        if generated != nil {
            guard let event = generated?.next(into: &out, at: moment) else { return .end }
            return .event(event)
        }
        if let background {
            guard position < background.log.count else {
                return background.isOver ? .end : .notYet
            }
            background.log.append(position, to: &out)
            position += 1
            let isLast = background.isOver && position == background.log.count
            return .event(isLast && !background.isCancelled ? .terminal : .other)
        }
        guard let recorded, position < recorded.count else { return .end }
        recorded.append(position, to: &out)
        position += 1
        return .event(position == recorded.count ? .terminal : .other)
    }

    /// When the next event is due, in nanoseconds since the request.
    package var nextDue: UInt64 {
        guard recorded != nil, blocksPerSecond > 0 else { return generated?.nextDue ?? 0 }
        return UInt64(min(Double(position) * 1e9 / blocksPerSecond, 1e18))
    }

    /// Appends an event that is not part of the script.
    mutating func appendForeign(type: String, fields: [UInt8], to out: inout [UInt8]) {
        if generated != nil {
            generated?.appendForeign(type: type, fields: fields, to: &out)
            return
        }
        out.put("event: \(type)\ndata: {\"type\":\"\(type)\"")
        if !fields.isEmpty { out.put(",") }
        out.append(contentsOf: fields)
        out.put("}\n\n")
    }

    /// Turns the rest of the stream into a failure; false for other sources than a generated one.
    mutating func fail(_ error: APIError, errorEvent: Bool) -> Bool {
        guard generated != nil else { return false }
        generated?.fail(
            code: error.code ?? "server_error", message: error.message, errorEvent: errorEvent)
        return true
    }
}
