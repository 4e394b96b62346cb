/// One response as a sequence of server-sent events, made one at a time.
///
/// Deterministic: the same request, answer, seed and moments give the same bytes. Numbers are dense, items
/// open and close one after the other, and exactly one terminal event comes last. A delta costs a few
/// copies into the caller's buffer; nothing is rendered before its turn.
package struct ResponseStream: Sendable {
    /// What kind of event was appended.
    package enum Event: Equatable, Sendable {
        case lifecycle
        case delta
        case other
        case terminal
    }

    /// Steps through the answer; indices are item, run, annotation or image.
    private enum Step: Sendable {
        case created
        case queued
        case inProgress
        case itemAdded(Int)
        case status(Int, String)
        case partialImage(Int, Int)
        case partAdded(Int, Int)
        case deltas(Int, Int)
        case annotation(Int, Int, Int)
        case textDone(Int, Int)
        case partDone(Int, Int)
        case itemDone(Int)
        case error
        case terminal

        /// What kind of event it brings.
        var event: Event {
            switch self {
            case .created, .queued, .inProgress: .lifecycle
            case .deltas: .delta
            case .terminal: .terminal
            case .itemAdded, .status, .partialImage, .partAdded, .annotation, .textDone, .partDone,
                .itemDone, .error:
                .other
            }
        }
    }

    package let echo: ResponseEcho
    package private(set) var answer: Answer
    package private(set) var status: ResponseStatus
    /// When the next event is due, in nanoseconds since the request.
    package private(set) var nextDue: UInt64 = 0
    /// The number that the next event will carry.
    package private(set) var sequence = 0
    package var responseID: String { echo.id }
    package var isFinished: Bool { position == steps.count }

    private var steps: [Step] = []
    private var position = 0
    private var delta = 0
    private var ticks = 0
    private var doneItems = 0
    private var completedAt: Int?
    private var random: SeededRandom
    private let stampsText: Bool
    /// When the request was there, until the first stamp has said it.
    private var receivedAt: UInt64?

    // The bytes around the deltas of the run that is streaming.
    private var head: [UInt8] = []
    private var middle: [UInt8] = []
    private var tail: [UInt8] = []
    private var obfuscates = false

    /// `receivedAt` is in nanoseconds of CLOCK_MONOTONIC, for the stamps of a request that wants some.
    package init(
        echo: ResponseEcho, answer: Answer, random: SeededRandom, receivedAt: UInt64? = nil
    ) {
        self.receivedAt = receivedAt
        self.echo = echo
        self.random = random
        let limited = echo.request.maximumOutputTokens.map { answer.limited(to: $0) }
        self.answer = limited ?? answer
        status = echo.request.isBackground ? .queued : .inProgress
        stampsText = echo.request.wantsTimestamps
        plan()
    }

    private mutating func plan() {
        steps = echo.request.isBackground ? [.created, .queued] : [.created]
        steps.append(.inProgress)
        var isFailed = false
        if case .failed = answer.ending { isFailed = true }
        for (index, item) in answer.items.enumerated() {
            let staysOpen = isFailed && item.isIncomplete
            steps.append(.itemAdded(index))
            steps += item.statusEvents.before.map { .status(index, $0) }
            for image in item.partialImages.indices { steps.append(.partialImage(index, image)) }
            for (run, text) in item.runs.enumerated() {
                if text.kind.partEvents != nil { steps.append(.partAdded(index, run)) }
                if text.count > 0 { steps.append(.deltas(index, run)) }
                if staysOpen { continue }
                for note in text.annotations.indices { steps.append(.annotation(index, run, note)) }
                steps.append(.textDone(index, run))
                if text.kind.partEvents != nil { steps.append(.partDone(index, run)) }
            }
            if staysOpen { continue }
            steps += item.statusEvents.after.map { .status(index, $0) }
            steps.append(.itemDone(index))
        }
        if case .failed(_, _, true) = answer.ending { steps.append(.error) }
        steps.append(.terminal)
    }

    /// Appends the next event; `nil` when nothing is left.
    package mutating func next(into out: inout [UInt8], at moment: Moment) -> Event? {
        guard position < steps.count else { return nil }
        let step = steps[position]
        appendStep(step, moment, to: &out)
        schedule()
        return step.event
    }

    /// Works out when the event after this one is due.
    private mutating func schedule() {
        guard position < steps.count else { return }
        let start = UInt64(answer.pacing.firstDeltaMilliseconds * 1e6)
        switch steps[position] {
        case .deltas:
            nextDue = start + answer.pacing.offset(ofDelta: ticks, &random)
            ticks += 1
        case .status, .partialImage:
            // A hosted tool takes its time: as long as three deltas for each sign of life.
            nextDue = start + answer.pacing.offset(ofDelta: ticks, &random)
            ticks += 3
        case .itemAdded: nextDue = max(nextDue, start)
        case _: break
        }
    }

    /// Appends one event, and moves on unless more deltas of the same run follow.
    private mutating func appendStep(_ step: Step, _ moment: Moment, to out: inout [UInt8]) {
        switch step {
        case .deltas(let item, let run):
            appendDelta(item, run, moment.monotonic, to: &out)
            guard delta == answer.items[item].runs[run].count else { return }
            delta = 0
        case .created: appendResponse("response.created", to: &out)
        case .queued: appendResponse("response.queued", to: &out)
        case .inProgress:
            status = .inProgress
            appendResponse("response.in_progress", to: &out)
        case .itemAdded(let item): appendItemAdded(item, to: &out)
        case .status(let item, let type): appendItemStatus(item, type, to: &out)
        case .partialImage(let item, let image): appendPartialImage(item, image, to: &out)
        case .partAdded(let item, let run): appendPart(item, run, isDone: false, to: &out)
        case .annotation(let item, let run, let note): appendAnnotation(item, run, note, to: &out)
        case .textDone(let item, let run): appendTextDone(item, run, to: &out)
        case .partDone(let item, let run): appendPart(item, run, isDone: true, to: &out)
        case .itemDone(let item): appendItemDone(item, to: &out)
        case .error: appendError(to: &out)
        case .terminal: appendTerminal(moment, to: &out)
        }
        position += 1
    }

    // MARK: deltas

    private mutating func appendDelta(
        _ item: Int, _ run: Int, _ now: UInt64, to out: inout [UInt8]
    ) {
        if delta == 0 { prepare(item, run) }
        if stampsText, answer.items[item].runs[run].kind == .outputText {
            answer.items[item].runs[run].stamp(now, receivedAt: receivedAt)
            receivedAt = nil
        }
        out.append(contentsOf: head)
        out.put(UInt(sequence))
        out.append(contentsOf: middle)
        answer.items[item].runs[run].append(delta, to: &out)
        out.append(contentsOf: tail)
        if obfuscates {
            random.appendAlphanumeric(1 + Int(random.next() & 15), to: &out)
            out.append(contentsOf: Self.obfuscationEnd)
        }
        sequence += 1
        delta += 1
    }

    private static let obfuscationEnd = Array("\"}\n\n".utf8)

    private mutating func prepare(_ item: Int, _ run: Int) {
        let kind = answer.items[item].runs[run].kind
        head = Array(
            "event: \(kind.deltaType)\ndata: {\"type\":\"\(kind.deltaType)\",\"sequence_number\":"
                .utf8)
        middle = Array(",".utf8)
        appendPlace(item, run, to: &middle)
        middle.put(",\"delta\":\"")
        obfuscates = echo.request.wantsObfuscation
        tail = Array(kind == .outputText ? "\",\"logprobs\":[]".utf8 : "\"".utf8)
        tail.put(obfuscates ? ",\"obfuscation\":\"" : "}\n\n")
    }

    // MARK: every other event

    private mutating func appendItemAdded(_ item: Int, to out: inout [UInt8]) {
        open("response.output_item.added", &out)
        out.put("\"output_index\":\(item),\"item\":")
        answer.items[item].appendAdded(echo, to: &out)
        close(&out)
    }

    private mutating func appendItemStatus(_ item: Int, _ type: String, to out: inout [UInt8]) {
        open(type, &out)
        out.put("\"output_index\":\(item),\"item_id\":\"\(answer.items[item].id)\"")
        close(&out)
    }

    private mutating func appendPartialImage(_ item: Int, _ image: Int, to out: inout [UInt8]) {
        open("response.image_generation_call.partial_image", &out)
        out.put("\"output_index\":\(item),\"item_id\":\"\(answer.items[item].id)\"")
        out.put(",\"partial_image_index\":\(image),\"partial_image_b64\":\"")
        out.put(answer.items[item].partialImages[image])
        out.put("\",\"output_format\":\"png\"")
        close(&out)
    }

    private mutating func appendAnnotation(
        _ item: Int, _ run: Int, _ note: Int, to out: inout [UInt8]
    ) {
        open("response.output_text.annotation.added", &out)
        appendPlace(item, run, to: &out)
        out.put(",\"annotation_index\":\(note),\"annotation\":")
        out.put(answer.items[item].runs[run].annotations[note])
        close(&out)
    }

    private mutating func appendItemDone(_ item: Int, to out: inout [UInt8]) {
        open("response.output_item.done", &out)
        out.put("\"output_index\":\(item),\"item\":")
        answer.items[item].appendDone(echo, to: &out)
        close(&out)
        doneItems = item + 1
    }

    private mutating func open(_ type: String, _ out: inout [UInt8]) {
        out.put("event: ")
        out.put(type)
        out.put("\ndata: {\"type\":\"")
        out.put(type)
        out.put("\",\"sequence_number\":")
        out.put(UInt(sequence))
        out.put(",")
        sequence += 1
    }

    private func close(_ out: inout [UInt8]) { out.put("}\n\n") }

    private func appendPlace(_ item: Int, _ run: Int, to out: inout [UInt8]) {
        out.put("\"item_id\":\"\(answer.items[item].id)\",\"output_index\":\(item)")
        let kind = answer.items[item].runs[run].kind
        guard let field = kind.indexField else { return }
        let index = answer.items[item].runs[..<run].count { $0.kind.indexField == field }
        out.put(",\"\(field)\":\(index)")
    }

    private mutating func appendPart(
        _ item: Int, _ run: Int, isDone: Bool, to out: inout [UInt8]
    ) {
        let text = answer.items[item].runs[run]
        guard let events = text.kind.partEvents else { return }
        open(isDone ? events.done : events.added, &out)
        appendPlace(item, run, to: &out)
        out.put(",\"part\":")
        text.appendPart(isDone: isDone, to: &out)
        close(&out)
    }

    private mutating func appendTextDone(_ item: Int, _ run: Int, to out: inout [UInt8]) {
        let text = answer.items[item].runs[run]
        open(text.kind.done.type, &out)
        appendPlace(item, run, to: &out)
        out.put(",\"\(text.kind.done.field)\":\"")
        text.appendJoined(text.count, to: &out)
        out.put(text.kind == .outputText ? "\",\"logprobs\":[]" : "\"")
        close(&out)
    }

    private mutating func appendError(to out: inout [UInt8]) {
        guard case .failed(let code, let message, _) = answer.ending else { return }
        open("error", &out)
        let type = code == "insufficient_quota" ? code : "server_error"
        let error = APIError(status: 500, type: type, code: code, message: message)
        out.put("\"error\":")
        out.put(error.object)
        close(&out)
    }

    // MARK: the response object

    private mutating func appendResponse(
        _ type: String, omittingOutput: Bool = false, to out: inout [UInt8]
    ) {
        open(type, &out)
        out.put("\"response\":")
        appendObject(omittingOutput: omittingOutput, to: &out)
        close(&out)
    }

    private mutating func appendTerminal(_ moment: Moment, to out: inout [UInt8]) {
        switch answer.ending {
        case .completed:
            status = .completed
            completedAt = moment.unixSeconds
        case .incomplete: status = .incomplete
        case .failed: status = .failed
        }
        appendResponse(
            "response.\(status.rawValue)", omittingOutput: answer.omitsFinalOutput, to: &out)
    }

    /// Appends the `response` object as it is now.
    package func appendObject(omittingOutput: Bool = false, to out: inout [UInt8]) {
        var state = ResponseEcho.State(status: status, completedAt: completedAt)
        if status == .completed || status == .incomplete {
            state.usage = .init(
                input: echo.request.input.tokenCount, output: answer.tokenCount,
                reasoning: answer.reasoningTokenCount)
        }
        switch answer.ending {
        case .incomplete(let reason) where status == .incomplete: state.incompleteReason = reason
        case .failed(let code, let message, _) where status == .failed:
            state.error = (code, message)
        case .completed, .incomplete, .failed: break
        }
        echo.append(state, to: &out) { out in
            guard !omittingOutput else { return }
            for (index, item) in answer.items.prefix(doneItems).enumerated() {
                if index > 0 { out.put(",") }
                item.appendDone(echo, to: &out)
            }
        }
    }

    // MARK: what others do to a stream

    /// Ends it where it is: nothing more comes, and its object says `cancelled`.
    package mutating func cancel() {
        position = steps.count
        status = .cancelled
    }

    /// Ends it as failed with the next event(s): an `error` event first when `errorEvent` says so.
    package mutating func fail(code: String, message: String, errorEvent: Bool) {
        answer.ending = .failed(code: code, message: message, errorEvent: errorEvent)
        steps.removeSubrange(min(position, steps.count)...)
        delta = 0
        if errorEvent { steps.append(.error) }
        steps.append(.terminal)
    }

    /// Appends an event from outside the script, with a number of its own; `fields` are its JSON members.
    package mutating func appendForeign(
        type: String, fields: [UInt8] = [], to out: inout [UInt8]
    ) {
        open(type, &out)
        if fields.isEmpty { out.removeLast() }
        out.append(contentsOf: fields)
        close(&out)
    }

    /// Runs it to its end without keeping the events: for answers that are not streamed.
    package mutating func finish(at moment: Moment) {
        var scratch: [UInt8] = []
        while next(into: &scratch, at: moment) != nil { scratch.removeAll(keepingCapacity: true) }
    }

    /// How long the whole stream takes at its pace, in nanoseconds.
    package var plannedDuration: UInt64 {
        guard answer.pacing.deltasPerSecond > 0 else {
            return UInt64(answer.pacing.firstDeltaMilliseconds * 1e6)
        }
        let seconds = Double(answer.tokenCount) / answer.pacing.deltasPerSecond
        return UInt64((seconds + answer.pacing.firstDeltaMilliseconds / 1e3) * 1e9)
    }
}
