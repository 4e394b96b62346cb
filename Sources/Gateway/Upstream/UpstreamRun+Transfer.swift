import EventLoop
import GatewayCore
import Telemetry
import Upstream

/// What a transfer tells: its connection, its head, its bytes, its end.
extension UpstreamRun: UpstreamTransferDelegate {
    func transferConnected(_ transfer: UpstreamTransfer) {
        shard.metrics.transferConnected(transfer)
        guard !isSilent, let attempt else { return }
        let now = shard.loop.now
        if attempt.connectedAt == nil {
            shard.metrics.connectTime.observe(now - attempt.startedAt)
            story.connecting += now - attempt.startedAt
        }
        attempt.connectedAt = now
        _ = machine.handle(.connected)
        session.upstreamConnected(response)
    }

    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead) {
        let now = shard.loop.now
        shard.context.pool.observe(
            head, of: member, answering: place?.unansweredGrant, now: now)
        place?.isAnswered = true
        guard !isSilent, let attempt else { return }
        attempt.requestID = head.requestID
        if let requestID = head.requestID { story.note(requestID: requestID) }
        // Where a stream was asked for, one without a type is taken for it.
        let mediaType = head.mediaType ?? (attempt.mode == .stream ? "text/event-stream" : "")
        if attempt.isWhole, head.isSuccess, mediaType == "text/event-stream" { streams(attempt) }
        let time = now - (attempt.connectedAt ?? attempt.startedAt)
        shard.metrics.headerTime.observe(time)
        story.waitingForHeaders += time
        attempt.deadlines.receivedHead(now: now)
        if head.isSuccess { session.upstreamAnswered(response, head) }
        if !isSilent { checkDeadlines() }
    }

    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow {
        shard.metrics.upstreamReceivedBytes.increment(by: bytes.count)
        guard !isSilent, !reducer.isFinished, let attempt else { return .proceed }
        let now = shard.loop.now
        let isEvent: Bool
        do {
            isEvent = try feed(bytes, to: attempt, now: now)
        } catch {
            failed(invalid(error, isRetryable: true))
            return .proceed
        }
        if failsInside(attempt) { return .proceed }
        attempt.deadlines.received(isEvent: isEvent, now: now)
        if reducer.isFinished {
            finished()
        } else if attempt.deadlines.needsCheck || timer?.isArmed == false {
            checkDeadlines()
        }
        unsentBytes += bytes.count
        if reducer.isFinished || unsentBytes >= shard.handOnBytes { handOn() }
        return isPaused ? .pause : .proceed
    }

    func transferWasRead(_ transfer: UpstreamTransfer) {
        if unsentBytes > 0 { shard.turnEnd.handOnLater(self) }
    }

    /// Offers what was logged to the readers: what one turn brings a session leaves as one frame.
    func handOn() {
        guard unsentBytes > 0 else { return }
        unsentBytes = 0
        session.commit()
    }

    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome) {
        shard.metrics.transferEnded(UpstreamResult(outcome))
        attempt?.transfer = nil
        timer?.cancel()
        guard !machine.isEnded, let attempt else { return end() }
        switch outcome {
        case .finished: bodyEnded(transfer, attempt)
        case .failed(let failure): transferFailed(transfer, attempt, failure)
        }
    }

    private func bodyEnded(_ transfer: UpstreamTransfer, _ attempt: UpstreamAttempt) {
        switch attempt.mode {
        case .stream: failed(truncation(reducer.toldError))
        // A stream that ends without having brought anything may be over: ask how the response stands.
        case .reattach:
            if attempt.firstEventAt == nil { return fetch() }
            failed(truncation(reducer.toldError))
        case .document, .fetch: render(transfer.collectedBody)
        }
    }

    private func transferFailed(
        _ transfer: UpstreamTransfer, _ attempt: UpstreamAttempt, _ failure: UpstreamFailure
    ) {
        if failure.code == .wrongContentType, transfer.head?.mediaType == "application/json" {
            return render(transfer.collectedBody)
        }
        let reason = AttemptFailure(failure)
        if attempt.mode == .stream, reason.reason == .notStreaming, !machine.hasOutput {
            return openWithoutStream()
        }
        if attempt.mode == .reattach, let status = failure.status, (400..<500).contains(status),
            reason.verdict == .final
        {
            return fetch()
        }
        if attempt.mode == .fetch, reason.verdict == .final { return failed(lost(failure)) }
        failed(reason)
    }

    /// Takes a whole response object as the events that would have told the same.
    private func render(_ object: [UInt8]) {
        let end: DocumentEnd
        do {
            end = try take(document: object, now: shard.loop.now)
        } catch {
            return failed(error.told.map(truncation) ?? invalid(error, isRetryable: false))
        }
        if let attempt, failsInside(attempt) { return }
        // Not before it has proved to be a response: an error page of a proxy says nothing about streams.
        if attempt?.mode == .stream { note(.answersWhole) }
        switch end {
        case .finished:
            finished()
            session.commit()
        case .running:
            // A background response, asked for without a stream, or fetched before its end.
            failed(truncation(nil))
        }
    }

    /// Ends an attempt whose answer was an error in place of any output.
    private func failsInside(_ attempt: UpstreamAttempt) -> Bool {
        guard let failure = attempt.pendingFailure else { return false }
        _ = machine.handle(.unnamed)
        failed(failure)
        return true
    }

    // MARK: What went wrong

    /// The body has ended without a terminal event: never a completion.
    func truncation(_ told: ToldError?) -> AttemptFailure {
        // An error that upstream told ends the response there: there is nothing to reattach to.
        if told != nil { _ = machine.handle(.unnamed) }
        return AttemptFailure(
            inStream: told, requestID: attempt?.requestID, isTruncated: true)
    }

    private func invalid(_ failure: StreamFailure, isRetryable: Bool) -> AttemptFailure {
        AttemptFailure(
            .invalid, .again,
            ResponseError(
                code: ResponseError.code(of: .protocolError), message: failure.message,
                isRetryable: isRetryable, requestID: attempt?.requestID))
    }

    private func lost(_ failure: UpstreamFailure) -> AttemptFailure {
        _ = machine.handle(.unnamed)
        return AttemptFailure(
            .rejected, .final,
            ResponseError(
                code: UpstreamErrorCode.responseLost.rawValue,
                message: "upstream does not have the response any more: \(failure.message)",
                isRetryable: true, upstreamStatus: failure.status, requestID: attempt?.requestID))
    }
}
