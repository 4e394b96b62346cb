/// The body of a streamed response: the events of its source, with a fault worked into them.
///
/// Pure: the shell asks for the next step, sends what was appended and does what the step says.
package struct ResponseBody {
    package enum Step: Equatable {
        /// Something was appended; the next step is due at `nextDue`.
        case event(ResponseStream.Event)
        /// Nothing to send until the background response goes on.
        case notYet
        /// The body ends as HTTP wants it.
        case end
        /// The connection ends without the body's end.
        case drop
        /// The connection is reset.
        case reset
        /// Nothing more is sent; the connection stays.
        case stall
    }

    package private(set) var source: EventSource
    package let fault: Fault?
    /// Events appended so far, those of the fault included.
    package private(set) var eventCount = 0
    /// Bytes appended so far.
    package private(set) var byteCount = 0
    /// When the next step is due, in nanoseconds since the request.
    package private(set) var nextDue: UInt64 = 0
    /// True once the fault has shown itself.
    package private(set) var hasStruck = false

    private var repetitions = 0
    /// How far pauses of the fault have moved everything behind them.
    private var shift: UInt64 = 0
    private var final: Step?
    private var random: SeededRandom

    package init(source: EventSource, fault: Fault? = nil, random: SeededRandom) {
        self.source = source
        self.fault = fault
        self.random = random
    }

    /// Appends what comes next.
    package mutating func next(into out: inout [UInt8], at moment: Moment) -> Step {
        if let final { return final }
        let start = out.count
        let step = nextStep(into: &out, at: moment)
        if let fault, let limit = fault.afterBytes, let ending = fault.ending,
            byteCount + out.count - start >= limit
        {
            out.removeSubrange((start + limit - byteCount)...)
            final = ending
            hasStruck = true
            byteCount = limit
            return out.count > start ? .event(.other) : ending
        }
        byteCount += out.count - start
        if case .event = step {
            eventCount += 1
        } else if step != .notYet {
            final = step
        }
        return step
    }

    private mutating func nextStep(into out: inout [UInt8], at moment: Moment) -> Step {
        if let fault, !hasStruck, fault.afterBytes == nil, eventCount == fault.afterEvents {
            if let step = strike(fault, into: &out, at: moment) { return step }
        }
        let start = out.count
        let outcome = source.next(into: &out, at: moment)
        if let fault, fault.kind == .stall, !hasStruck, eventCount + 1 == fault.afterEvents,
            let milliseconds = fault.milliseconds
        {
            hasStruck = true
            shift += UInt64(milliseconds) * 1_000_000
        }
        nextDue = source.nextDue &+ shift
        switch outcome {
        case .notYet: return .notYet
        case .end: return end(into: &out)
        case .event(.terminal): return terminal(from: start, into: &out)
        case .event(let event):
            if let fault { disturb(fault, from: start, &out) }
            return .event(event)
        }
    }

    // MARK: the fault

    /// What the fault does at its place; nil when the stream goes on with its own next event.
    private mutating func strike(
        _ fault: Fault, into out: inout [UInt8], at moment: Moment
    ) -> Step? {
        if let ending = fault.ending {
            hasStruck = true
            return ending
        }
        switch fault.kind {
        case .cutCharacter:
            hasStruck = true
            out.put("event: response.output_text.delta\ndata: {\"type\":")
            out.put("\"response.output_text.delta\",\"output_index\":0,\"delta\":\"漢")
            out.removeLast(2)
            final = .end
            return .event(.other)
        case .error, .errorFlat, .errorOnly: return strikeError(fault, into: &out, at: moment)
        case .garbage:
            hasStruck = true
            for _ in 0..<64 {
                let word = random.next()
                for shift in stride(from: UInt64(0), to: 64, by: 8) {
                    out.append(UInt8(truncatingIfNeeded: word >> shift))
                }
            }
            out.put("\n\n")
            return .event(.other)
        case .invalidUTF8:
            hasStruck = true
            let fields = Array("\"output_index\":0,\"content_index\":0,\"delta\":\"".utf8)
            source.appendForeign(
                type: "response.output_text.delta",
                fields: fields + [0xC3, 0x28, 0xFF, 0xED, 0xA0, 0x80, UInt8(ascii: "\"")], to: &out)
            return .event(.other)
        case .comments:
            out.put(": nothing to say\n\n")
            return pause(fault, count: fault.count)
        case .keepalive:
            source.appendForeign(type: "keepalive", fields: [], to: &out)
            return pause(fault, count: fault.count ?? 3)
        case .huge:
            hasStruck = true
            var fields = Array("\"padding\":\"".utf8)
            fields.append(contentsOf: repeatElement(UInt8(ascii: "x"), count: fault.size))
            fields.append(UInt8(ascii: "\""))
            source.appendForeign(type: "response.simulated_padding", fields: fields, to: &out)
            return .event(.other)
        case _: return nil
        }
    }

    /// One repetition of something that repeats every `ms=` (100); `nil` is for ever.
    private mutating func pause(_ fault: Fault, count: Int?) -> Step {
        repetitions += 1
        shift += UInt64(fault.milliseconds ?? 100) * 1_000_000
        nextDue = source.nextDue + shift
        if let count, repetitions >= count { hasStruck = true }
        // Repetitions do not count as events, or the fault would not stay at its place.
        if !hasStruck { eventCount -= 1 }
        return .event(.other)
    }

    private mutating func strikeError(
        _ fault: Fault, into out: inout [UInt8], at moment: Moment
    ) -> Step {
        hasStruck = true
        switch fault.kind {
        case .error where source.fail(fault.error, errorEvent: true):
            _ = source.next(into: &out, at: moment)
            return .event(.other)
        case .errorFlat:
            var fields = Array("\"code\":".utf8)
            fields.putQuoted(fault.error.code ?? "server_error")
            fields.put(",\"message\":")
            fields.putQuoted(fault.error.message)
            fields.put(",\"param\":null")
            source.appendForeign(type: "error", fields: fields, to: &out)
            if !source.fail(fault.error, errorEvent: false) { final = .end }
        case _:
            var fields = Array("\"error\":".utf8)
            fields.put(fault.error.object)
            source.appendForeign(type: "error", fields: fields, to: &out)
            final = .end
        }
        return .event(.other)
    }

    /// Changes the bytes of an event that has just been appended.
    private mutating func disturb(_ fault: Fault, from start: Int, _ out: inout [UInt8]) {
        switch fault.kind {
        case .truncatedJSON where !hasStruck && eventCount == fault.afterEvents:
            hasStruck = true
            let length = out.count - start - 2
            out.removeSubrange((start + length * 2 / 3)...)
            out.put("\n\n")
        case .byteOrderMark where eventCount == 0:
            hasStruck = true
            out.insert(contentsOf: [0xEF, 0xBB, 0xBF], at: start)
        case .carriageReturns:
            hasStruck = true
            let event = Array(out[start...])
            out.removeSubrange(start...)
            for byte in event {
                if byte == 0x0A { out.append(0x0D) }
                out.append(byte)
            }
        case _: break
        }
    }

    private mutating func terminal(from start: Int, into out: inout [UInt8]) -> Step {
        guard let fault else { return .event(.terminal) }
        disturb(fault, from: start, &out)
        switch fault.kind {
        case .noTerminal:
            hasStruck = true
            out.removeSubrange(start...)
            return .end
        case .duplicateTerminal:
            hasStruck = true
            out.append(contentsOf: Array(out[start...]))
        case .afterTerminal:
            hasStruck = true
            source.appendForeign(
                type: "response.output_text.delta",
                fields: Array(
                    "\"output_index\":0,\"content_index\":0,\"delta\":\"too late\"".utf8), to: &out)
        case _: break
        }
        return .event(.terminal)
    }

    private mutating func end(into out: inout [UInt8]) -> Step {
        guard fault?.kind == .doneMarker, !hasStruck else { return .end }
        hasStruck = true
        out.put("data: [DONE]\n\n")
        return .event(.other)
    }
}

extension Fault {
    /// How the body ends where the fault strikes, for faults that do no more than that.
    fileprivate var ending: ResponseBody.Step? {
        switch kind {
        case .stall: milliseconds == nil ? .stall : nil
        case .reset: .reset
        case .cut: .end
        case .drop: .drop
        case _: nil
        }
    }
}
