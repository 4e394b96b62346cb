/// How a response ends: its one `complete` in the log, and where the conversation goes on.
extension SessionMachine {
    /// Ends a response: appends its one `complete`, or what stands for it in the dialect.
    mutating func finish(
        _ number: Int, _ conclusion: ResponseConclusion, now: Instant,
        actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number), !responses[index].isFinished else { return }
        log.trimLastRun()
        guard settings.fidelity == .native else {
            return finishEvents(index, conclusion, now: now, actions: &actions)
        }
        closeTools(index)
        let record = responses[index]
        let text = log.text(of: record.extent)
        appendComplete(record, conclusion, text, now: now)
        responses[index].lastSequence = log.lastSequence
        responses[index].phase = .finished(conclusion.outcome, at: now)
        messages.end(record.messageID, conclusion.outcome)
        lastEnd = now
        if firstEnd == nil { firstEnd = now }
        continueConversation(index, conclusion.outcome)
        actions.append(
            .responseEnded(summary(of: record, conclusion, textBytes: text.count, now: now)))
        enforceBounds()
    }

    private mutating func appendComplete(
        _ record: ResponseRecord, _ conclusion: ResponseConclusion, _ text: [UInt8], now: Instant
    ) {
        let digest = settings.digest(text)
        log.append(.complete, type: "complete", response: record.number) { frame in
            frame.field("response", record.id)
            frame.field("message", record.messageID)
            frame.field("status", conclusion.outcome.wireName)
            if let reason = conclusion.reason { frame.field("reason", reason) }
            if let error = conclusion.error { Self.append(error, to: &frame) }
            if let usage = conclusion.usage { frame.field("usage", raw: usage) }
            frame.append(literal: ",\"timing\":{\"total_ms\":")
            frame.append(decimal: (now - record.acceptedAt).milliseconds)
            if let first = record.firstEventAt {
                frame.field("first_event_ms", Int((first - record.acceptedAt).milliseconds))
            }
            if let first = record.firstTextAt {
                frame.field("first_text_ms", Int((first - record.acceptedAt).milliseconds))
            }
            frame.append(literal: "},\"text_sha256\":\"")
            frame.append(contentsOf: digest)
            frame.append(UInt8(ascii: "\""))
            frame.field("text_bytes", text.count)
            if let upstreamID = record.upstreamID {
                frame.field("upstream_response", raw: upstreamID)
            }
            Self.appendSeams(of: record, to: &frame)
            if let since = conclusion.cancelledSince {
                frame.field("upstream_closed_us", Int((now - since).microseconds))
            }
        }
    }

    /// What the shell counts and reports of a response that ends now.
    func summary(
        of record: ResponseRecord, _ conclusion: ResponseConclusion, textBytes: Int, now: Instant
    ) -> ResponseSummary {
        ResponseSummary(
            response: record.number, id: record.id, outcome: conclusion.outcome,
            reason: conclusion.reason, errorCode: conclusion.error?.code,
            firstEvent: record.firstEventAt.map { $0 - record.acceptedAt },
            firstText: record.firstTextAt.map { $0 - record.acceptedAt },
            total: now - record.acceptedAt,
            cancelToClose: conclusion.cancelledSince.map { now - $0 }, textBytes: textBytes,
            usage: conclusion.usage.map(TokenUsage.init(parsing:)),
            model: Self.plain(record.model), upstreamID: Self.plain(record.upstreamID))
    }

    /// Gives each tool call that is open in the log its final status.
    ///
    /// The log's word counts, not the reducer's: a limit may have kept out what the reducer has told.
    private mutating func closeTools(_ index: Int) {
        let nothing: [UInt8] = []
        for var tool in responses[index].openTools.sorted(by: { $0.index < $1.index }) {
            tool.status = .incomplete
            tool.arguments = nil
            tool.output = nil
            appendTool(index, tool, nothing.span)
        }
    }

    private static func append(_ error: ResponseError, to frame: inout [UInt8]) {
        frame.append(literal: ",\"error\":{\"code\":")
        frame.append(jsonString: error.code)
        frame.field("message", error.message)
        frame.field("retryable", error.isRetryable)
        if let retryAfter = error.retryAfter {
            frame.field("retry_after_ms", Int(retryAfter.milliseconds))
        }
        if let status = error.upstreamStatus { frame.field("upstream_status", status) }
        if let code = error.upstreamCode { frame.field("upstream_code", code) }
        if let requestID = error.requestID { frame.field("request_id", requestID) }
        frame.append(UInt8(ascii: "}"))
    }

    static func plain(_ raw: [UInt8]?) -> String? {
        guard let raw else { return nil }
        let value = JSONValue(kind: .string, range: 0..<raw.count)
        return value.decoded(in: raw.span).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Lets the next message go on from this response.
    private mutating func continueConversation(_ index: Int, _ outcome: ResponseOutcome) {
        let record = responses[index]
        switch settings.conversation {
        case .none: break
        case .upstream:
            // Upstream knows only what ended there; a cancelled or failed answer is no place to go on from.
            guard outcome == .completed || outcome == .incomplete else { return }
            guard let upstreamID = record.upstreamID else { return }
            previousResponse = upstreamID
            previousOpenCalls =
                record.hasTools
                ? OpenCalls.open(in: log.conversationItems(of: record.extent, isWhole: true))
                : []
        case .gateway:
            pendingInputBytes -= record.keptInputBytes
            responses[index].keptInput = []
            let answer = log.conversationItems(
                of: record.extent, isWhole: outcome == .completed)
            // A message without any answer would make the next one speak into silence: left out.
            guard !answer.isEmpty else { return }
            for item in record.keptInput + answer {
                conversation.append(item)
                conversationBytes += item.count
            }
        }
    }
}
