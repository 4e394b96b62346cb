/// How a response ends: what upstream's end means, and the one `complete` of the log.
extension SessionMachine {
    mutating func finishFromUpstream(
        _ number: Int, _ end: ResponseEnd, _ data: Span<UInt8>, now: Instant,
        actions: inout [SessionAction]
    ) {
        let usage = end.usage.map { copy(data, $0) }
        switch end.status {
        case .completed:
            finish(number, .completed, usage: usage, now: now, actions: &actions)
        case .incomplete:
            let reason = end.reason.flatMap {
                JSONValue(kind: .string, range: $0).decoded(in: data)
            }
            finish(
                number, .incomplete,
                reason: reason.map { String(decoding: $0, as: UTF8.self) } ?? "unknown",
                usage: usage, now: now, actions: &actions)
        case .failed:
            let error = ResponseError(
                code: "upstream_failed",
                message: end.error?.message ?? "upstream ended the response as failed",
                isRetryable: Self.isRetryable(end.error?.code), upstreamCode: end.error?.code)
            finish(number, .failed, error: error, usage: usage, now: now, actions: &actions)
        case .cancelled:
            finish(
                number, .cancelled, reason: CancelReason.upstream.rawValue, usage: usage, now: now,
                actions: &actions)
        }
    }

    /// Codes of a failed response after which the same message may succeed.
    private static func isRetryable(_ code: String?) -> Bool {
        switch code {
        case "server_error", "rate_limit_exceeded", "vector_store_timeout", "slow_down",
            "server_is_overloaded":
            true
        default: false
        }
    }

    /// Appends the one `complete` of a response.
    mutating func finish(
        _ number: Int, _ outcome: ResponseOutcome, reason: String? = nil,
        error: ResponseError? = nil, usage: [UInt8]? = nil, cancelledSince: Instant? = nil,
        now: Instant, actions: inout [SessionAction]
    ) {
        guard let index = recordIndex(number), !responses[index].isFinished else { return }
        log.trimLastRun()
        guard settings.fidelity == .native else {
            return finishEvents(
                index, outcome, reason: reason, error: error, usage: usage,
                cancelledSince: cancelledSince, now: now, actions: &actions)
        }
        closeTools(index)
        let text = log.text(of: responses[index].extent)
        let digest = settings.digest(text)
        let record = responses[index]
        log.append(.complete, type: "complete", response: number) { frame in
            frame.field("response", record.id)
            frame.field("message", record.messageID)
            frame.field("status", outcome.wireName)
            if let reason { frame.field("reason", reason) }
            if let error { Self.append(error, to: &frame) }
            if let usage { frame.field("usage", raw: usage) }
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
            if let cancelledSince {
                frame.field("upstream_closed_us", Int((now - cancelledSince).microseconds))
            }
        }
        responses[index].lastSequence = log.lastSequence
        responses[index].phase = .finished(outcome, at: now)
        messages.end(record.messageID, outcome)
        lastEnd = now
        if firstEnd == nil { firstEnd = now }
        continueConversation(index, outcome)
        actions.append(
            .responseEnded(
                summary(
                    of: record, outcome, reason: reason, error: error, usage: usage,
                    cancelledSince: cancelledSince, textBytes: text.count, now: now)))
        enforceBounds()
    }

    /// What the shell counts and reports of a response that ends now.
    func summary(
        of record: ResponseRecord, _ outcome: ResponseOutcome, reason: String?,
        error: ResponseError?, usage: [UInt8]?, cancelledSince: Instant?, textBytes: Int,
        now: Instant
    ) -> ResponseSummary {
        ResponseSummary(
            response: record.number, id: record.id, outcome: outcome, reason: reason,
            errorCode: error?.code, acceptedAt: record.acceptedAt,
            firstEvent: record.firstEventAt.map { $0 - record.acceptedAt },
            firstText: record.firstTextAt.map { $0 - record.acceptedAt },
            total: now - record.acceptedAt,
            cancelToClose: cancelledSince.map { now - $0 }, textBytes: textBytes,
            usage: usage.map(TokenUsage.init(parsing:)), model: Self.plain(record.model),
            upstreamID: Self.plain(record.upstreamID))
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
