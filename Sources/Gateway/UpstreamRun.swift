import Configuration
import EventLoop
import GatewayCore
import Telemetry
import Upstream

/// Feeds one upstream transfer into its session: bytes to the parser, events to the reducer, deadlines.
///
/// Lives on the session's shard, from the request to the end of the transfer. A seam for retries: the
/// run ends with a failure that says whether it may be tried again, and nothing has been logged before
/// the first event.
final class UpstreamRun: UpstreamTransferDelegate {
    let response: Int
    private unowned let session: HostedSession
    private unowned let shard: ShardCore
    private var transfer: UpstreamTransfer?
    private var parser: ServerSentEventParser
    private var reducer = ResponsesReducer()
    private var deadlines: UpstreamDeadlines
    private var timer: LoopTimer?
    private var isPaused = false
    private var seenComments = 0
    private var seenEvents = 0
    private var requestID: String?
    private var lastDelta: Instant?
    /// Bytes whose events are in the log and were not offered to the readers yet.
    private var unsentBytes = 0

    /// After the terminal event the body usually ends at once, and its connection serves the next request.
    private static let lingerTime = Duration.seconds(2)

    /// A busy socket's bytes that go on together at most; watermarks are looked at no later either.
    private static let batchBytes = 16 << 10

    init(response: Int, session: HostedSession, shard: ShardCore) {
        self.response = response
        self.session = session
        self.shard = shard
        let upstream = shard.context.configuration.upstream
        parser = ServerSentEventParser(
            limits: .init(
                maximumLineBytes: upstream.lineBytes, maximumEventBytes: upstream.eventBytes))
        deadlines = UpstreamDeadlines(limits: shard.context.deadlines, now: shard.loop.now)
    }

    /// Sends the request; false when there is no room for another transfer.
    func start(_ body: UpstreamRequestBody) -> Bool {
        let request = UpstreamRequest(
            .post, "/responses", to: shard.context.upstream, body: body.bytes)
        do {
            transfer = try shard.worker.start(request, delegate: self)
        } catch {
            shard.logger.warn("upstream request not started", ["error.message": .text("\(error)")])
            return false
        }
        shard.metrics.upstreamTransfers.increment()
        let timer = shard.loop.makeTimer { [unowned self] in checkDeadlines() }
        self.timer = timer
        checkDeadlines()
        return true
    }

    /// Closes the transfer now; nothing is heard of it any more.
    func close(_ result: UpstreamResult = .cancelled) {
        timer?.cancel()
        timer = nil
        guard let transfer else { return }
        self.transfer = nil
        transfer.cancel()
        shard.metrics.upstreamTransfers.decrement()
        shard.metrics.upstreamRequests[reducer.isFinished ? .finished : result].increment()
    }

    func pause() {
        guard !isPaused, !reducer.isFinished else { return }
        isPaused = true
        deadlines.paused()
        transfer?.pause()
        shard.metrics.upstreamPaused.increment()
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        deadlines.resumed(now: shard.loop.now)
        transfer?.resume()
        checkDeadlines()
    }

    // MARK: From the transfer

    func transferConnected(_ transfer: UpstreamTransfer) {
        session.upstreamConnected(response)
    }

    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead) {
        requestID = head.requestID
        deadlines.receivedHead(now: shard.loop.now)
        shard.context.upstreamHealth.reached()
    }

    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow {
        shard.metrics.upstreamReceivedBytes.increment(by: bytes.count)
        guard !reducer.isFinished else { return .proceed }
        let now = shard.loop.now
        var failure: ResponsesFailure?
        var isEvent = false
        do {
            try parser.feed(bytes) { data, _ in
                do throws(ResponsesFailure) {
                    try reducer.reduce(data) { output in
                        isEvent = true
                        observe(output, now: now)
                        session.upstream(response, output, data: data, now: now)
                    }
                } catch {
                    failure = error
                    return .stop
                }
                return reducer.isFinished ? .stop : .proceed
            }
        } catch {
            fail("upstream_protocol_error", "\(error)", isRetryable: false, as: .invalid)
            return .proceed
        }
        if let failure {
            fail("upstream_protocol_error", "\(failure)", isRetryable: false, as: .invalid)
            return .proceed
        }
        deadlines.received(isEvent: isEvent, now: now)
        if reducer.isFinished {
            timer?.arm(after: Self.lingerTime)
        } else {
            noteDeadline(now: now)
        }
        unsentBytes += bytes.count
        if reducer.isFinished || unsentBytes >= Self.batchBytes { handOn() }
        return isPaused ? .pause : .proceed
    }

    func transferWasRead(_ transfer: UpstreamTransfer) {
        if unsentBytes > 0, !shard.defers(self) { handOn() }
    }

    /// Offers what was logged to the readers: what one turn brings a session leaves as one frame.
    func handOn() {
        guard unsentBytes > 0 else { return }
        unsentBytes = 0
        session.commit()
    }

    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome) {
        self.transfer = nil
        timer?.cancel()
        timer = nil
        shard.metrics.upstreamTransfers.decrement()
        shard.metrics.upstreamRequests[UpstreamResult(outcome)].increment()
        if !transfer.timing.isConnectionReused { shard.metrics.upstreamConnections.increment() }
        if case .failed(let failure) = outcome {
            if failure.isUnreachable {
                shard.context.upstreamHealth.unreachable(now: shard.loop.now)
            }
            shard.logger.warn(
                "upstream request failed",
                [
                    "error.type": .text(failure.code.rawValue),
                    "error.message": .text(failure.message),
                    "gateway.session.id": .text(session.machine.id.text),
                ])
        }
        if !reducer.isFinished {
            switch outcome {
            case .finished: brokenOff()
            case .failed(let failure):
                session.upstreamFailed(response, ResponseError(failure))
            }
        }
        session.runEnded(self)
    }

    /// The body has ended without a terminal event: never a completion.
    private func brokenOff() {
        var error: GatewayCore.UpstreamError?
        // The session closes what tools are open.
        let end = reducer.endOfStream { _ in }
        if case .truncated(let told) = end { error = told }
        let message =
            error?.message ?? "upstream ended the stream without saying how the response ended"
        session.upstreamFailed(
            response,
            ResponseError(
                code: error == nil ? "upstream_truncated" : "upstream_failed", message: message,
                isRetryable: true, upstreamCode: error?.code, requestID: requestID))
    }

    /// Ends the response on our account and closes the transfer.
    private func fail(
        _ code: String, _ message: String, isRetryable: Bool, as result: UpstreamResult
    ) {
        session.upstreamFailed(
            response,
            ResponseError(
                code: code, message: message, isRetryable: isRetryable, requestID: requestID))
        close(result)
        session.runEnded(self)
    }

    private func observe(_ output: ResponsesOutput, now: Instant) {
        switch output {
        case .delta, .toolDelta:
            shard.metrics.deltas.increment()
            if let lastDelta { shard.metrics.deltaGap.observe(now - lastDelta) }
            lastDelta = now
        case .response, .tool, .item, .upstreamEvent, .finished: break
        }
    }

    // MARK: Deadlines

    /// Pushes the timer back; it was armed for an earlier time and looks again then.
    private func noteDeadline(now: Instant) {
        guard let timer, !timer.isArmed else { return }
        checkDeadlines()
    }

    private func checkDeadlines() {
        guard let timer else { return }
        if reducer.isFinished {
            // The answer is whole; a body that does not end is not waited for.
            close()
            session.runEnded(self)
            return
        }
        let now = shard.loop.now
        switch deadlines.check(now: now) {
        case .wait(let until): timer.arm(at: until)
        case .notice(let until):
            timer.arm(at: until)
            session.upstreamSilent(response)
        case .expired(let expiry):
            fail(expiry.code, expiry.message, isRetryable: true, as: .timedOut)
        }
    }
}

extension UpstreamDeadlines.Expiry {
    var code: String {
        switch self {
        case .responseHeader: "upstream_header_timeout"
        case .firstEvent: "upstream_first_event_timeout"
        case .silence: "upstream_silence_timeout"
        case .total: "upstream_total_timeout"
        }
    }

    var message: String {
        switch self {
        case .responseHeader:
            "upstream sent no answer in time (upstream.response_header_timeout_ms)"
        case .firstEvent: "upstream sent no event in time (upstream.first_event_timeout_ms)"
        case .silence: "upstream fell silent (upstream.silence_timeout_ms, keepalive_silence_ms)"
        case .total: "the response took too long (upstream.total_timeout_ms)"
        }
    }
}

extension ResponseError {
    /// The name under which a client learns of a failure to reach upstream or of its refusal.
    static func code(of failure: UpstreamFailure.Code) -> String { "upstream_" + failure.rawValue }

    /// What a client is told of a failure to reach upstream or of its refusal.
    init(_ failure: UpstreamFailure) {
        // What concerns the gateway's key is the operator's business, and upstream quotes part of the key.
        let isCredential = failure.status == 401 || failure.status == 403
        self.init(
            code: Self.code(of: failure.code),
            message: isCredential
                ? "upstream refused the gateway's credentials (status \(failure.status ?? 401))"
                : failure.message,
            isRetryable: failure.isRetryable, upstreamStatus: failure.status,
            upstreamCode: failure.upstreamError.flatMap { $0.code ?? $0.type },
            requestID: failure.requestID)
    }
}

extension UpstreamFailure {
    /// True when nobody answered at all.
    var isUnreachable: Bool {
        switch code {
        case .dnsFailed, .dnsTimeout, .connectRefused, .connectFailed, .connectTimeout, .tlsFailed,
            .tlsTimeout, .proxyFailed:
            true
        case .httpStatus, .wrongContentType, .reset, .truncated, .tooLarge, .protocolError,
            .internalError:
            false
        }
    }
}

extension UpstreamResult {
    init(_ outcome: UpstreamOutcome) {
        guard case .failed(let failure) = outcome else {
            self = .finished
            return
        }
        switch failure.code {
        case .dnsFailed, .connectRefused, .connectFailed, .proxyFailed: self = .connectFailed
        case .dnsTimeout, .connectTimeout, .tlsTimeout: self = .timedOut
        case .tlsFailed: self = .tlsFailed
        case .reset, .truncated: self = .cut
        case .wrongContentType, .tooLarge, .protocolError, .internalError: self = .invalid
        case .httpStatus:
            switch failure.status ?? 0 {
            case 401, 403: self = .unauthorized
            case 429: self = .rateLimited
            case 500...: self = .serverError
            default: self = .clientError
            }
        }
    }
}
