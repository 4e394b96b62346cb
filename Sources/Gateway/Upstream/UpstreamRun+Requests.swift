import Configuration
import EventLoop
import GatewayCore
import Telemetry
import Upstream

/// The requests of a run: asking for the response, without a stream, for the rest of it, for how it stands.
extension UpstreamRun {
    /// Asks an upstream for the response, from its beginning.
    func open(_ member: Int) {
        continuation = nil
        ask(member)
    }

    /// Asks an upstream for what follows the text so far.
    func goOn(at member: Int) {
        guard let text = session.machine.text(of: response), let asked = body.goingOn(from: text)
        else {
            let error = ResponseError(
                code: GatewayErrorCode.internalError.rawValue,
                message: "the request has no input to go on from", isRetryable: true)
            return failed(AttemptFailure(.rejected, .final, error))
        }
        continuation = asked
        ask(member)
    }

    private func ask(_ member: Int) {
        serve(at: member)
        story.attempts = machine.attempts
        reducer = ResponsesReducer()
        held.discard()
        position = BackgroundPosition()
        shard.metrics.upstreamAttempts.increment()
        if machine.attempts > 1 { session.upstreamConnecting(response) }
        post(isStreaming: !shard.context.pool.refusesStreams(member))
    }

    /// The same request once more, to the same upstream, without `stream`.
    func openWithoutStream() {
        shard.context.pool.noteRefusesStreams(member)
        story.note(shard.context.pool.upstreams[member].name, "not_streaming")
        post(isStreaming: false)
    }

    private func post(isStreaming: Bool) {
        let upstream = shard.context.pool.upstreams[member]
        let body = continuation ?? body
        let model = upstream.replacement(for: body.modelName)
        send(
            isStreaming ? .stream : .document,
            UpstreamRequest(
                .post, "/responses", to: upstream.server,
                body: body.bytes(model: model, isStreaming: isStreaming),
                expecting: isStreaming ? .eventStream : .document))
    }

    /// Goes on with the stream of a background response.
    func reattach(_ member: Int) {
        guard let path = position.reattach() else { return }
        serve(at: member)
        story.reattachments = machine.reattachments
        shard.metrics.upstreamReattached.increment()
        send(
            .reattach, UpstreamRequest(.get, path, to: shard.context.pool.upstreams[member].server))
    }

    /// Asks for a background response as it is now.
    func fetch() {
        guard let path = position.path else { return }
        let server = shard.context.pool.upstreams[member].server
        send(.fetch, UpstreamRequest(.get, path, to: server, expecting: .document))
    }

    private func serve(at member: Int) {
        self.member = member
        story.upstream = shard.context.pool.upstreams[member].name
        story.member = member
    }

    private func send(_ mode: UpstreamAttempt.Mode, _ request: UpstreamRequest) {
        let now = shard.loop.now
        shownKind = nil
        let attempt = UpstreamAttempt(
            mode, parser: makeParser(), deadlines: makeDeadlines(mode, now), now: now)
        self.attempt = attempt
        do {
            let transfer = try shard.worker.start(request, delegate: self)
            attempt.transfer = transfer
            shard.metrics.upstreamTransfers.increment()
            if isPaused {
                attempt.deadlines.paused()
                transfer.pause()
            }
        } catch {
            shard.logger.warn("upstream request not started", ["error.message": .text("\(error)")])
            let overloaded = ResponseError(
                code: GatewayErrorCode.overloaded.rawValue,
                message: "no room for another upstream transfer (upstream.connections)",
                isRetryable: true)
            return failed(AttemptFailure(.rejected, .final, overloaded))
        }
        waiting = .transfer
        checkDeadlines()
    }

    private func makeParser() -> ServerSentEventParser {
        let upstream = shard.context.configuration.upstream
        return ServerSentEventParser(
            limits: .init(
                maximumLineBytes: upstream.lineBytes, maximumEventBytes: upstream.eventBytes))
    }

    private func makeDeadlines(_ mode: UpstreamAttempt.Mode, _ now: Instant) -> UpstreamDeadlines {
        var limits = shard.context.deadlines
        if mode == .document {
            // The head comes when the whole answer is there.
            limits.responseHeader = limits.total
            limits.firstEvent = limits.total
        }
        return UpstreamDeadlines(
            limits: limits, now: now, responseStartedAt: startedAt, hasText: machine.hasOutput)
    }
}
