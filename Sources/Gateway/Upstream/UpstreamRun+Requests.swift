import Configuration
import EventLoop
import GatewayCore
import Telemetry
import Upstream

/// The requests of a run: asking for the response, without a stream, for the rest of it, for how it stands.
extension UpstreamRun {
    /// Asks an upstream for the response, from its beginning.
    func open(_ member: Int) {
        request.beginAfresh()
        ask(member)
    }

    /// Asks an upstream for what follows the text so far.
    func goOn(at member: Int) {
        guard let text = session.machine.text(of: response), request.goOn(from: text) else {
            let error = ResponseError(
                code: GatewayErrorCode.internalError.rawValue,
                message: "the request has no input to go on from", isRetryable: true)
            return failed(AttemptFailure(.rejected, .final, error))
        }
        ask(member)
    }

    private func ask(_ member: Int) {
        serve(at: member)
        story.attempts += 1
        reducer = ResponsesReducer(mask: mask)
        held.discard()
        position = BackgroundPosition()
        if story.attempts > 1 { session.upstreamConnecting(response) }
        post(shard.context.pool.streaming(of: member, for: modelName))
    }

    /// The model that the present upstream is asked for; empty where its own choice is.
    private var modelName: String {
        let name = request.body.modelName
        return shard.context.pool.upstreams[member].replacement(for: name) ?? name ?? ""
    }

    /// Notes for this upstream and model what it makes of `stream: true`.
    func note(_ streaming: UpstreamStreaming) {
        shard.context.pool.note(streaming, of: member, for: modelName)
    }

    /// The same request once more, to the same upstream, without `stream`.
    func openWithoutStream() {
        note(.refuses)
        if let grant = place?.grant {
            place = HeldPlace(grant: shard.context.pool.sendAgain(grant, now: shard.loop.now))
        }
        story.note(shard.context.pool.upstreams[member].name, "not_streaming")
        post(.refuses)
    }

    private func post(_ streaming: UpstreamStreaming) {
        let isStreaming = streaming != .refuses
        let upstream = shard.context.pool.upstreams[member]
        let body = request.body
        let model = upstream.replacement(for: body.modelName)
        send(
            isStreaming ? .stream : .document,
            UpstreamRequest(
                .post, "/responses", to: upstream.server,
                body: body.bytes(model: model, isStreaming: isStreaming),
                expecting: isStreaming ? .eventStream : .streamOrDocument),
            isWhole: streaming != .streams)
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

    /// Keeps the key of the upstream that serves out of its words.
    var mask: KeyMask { shard.context.pool.upstreams[member].server.mask }

    private func serve(at member: Int) {
        self.member = member
        story.upstream = shard.context.pool.upstreams[member].name
        story.member = member
    }

    /// Starts an attempt; `isWhole` says that its answer is likely to come in one piece.
    private func send(
        _ mode: UpstreamAttempt.Mode, _ request: UpstreamRequest, isWhole: Bool = false
    ) {
        let now = shard.loop.now
        let attempt = UpstreamAttempt(
            mode, isWhole: isWhole, parser: makeParser(),
            deadlines: makeDeadlines(isWhole: isWhole, now), now: now)
        self.attempt = attempt
        do {
            let transfer = try shard.worker.start(request, delegate: self)
            attempt.transfer = transfer
            shard.metrics.upstreamTransfers.increment()
            if mode == .stream || mode == .document { shard.metrics.upstreamAttempts.increment() }
            if isPaused {
                attempt.deadlines.paused()
                transfer.pause()
            }
        } catch {
            shard.logger.warn(
                "upstream request not started", ["error.message": .text(error.description)])
            return failed(AttemptFailure(.rejected, .final, ResponseError(error)))
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

    /// An answer that was expected whole comes as a stream, with the deadlines of one.
    ///
    /// The next one is expected to; one that was not asked for says nothing of those that are.
    func streams(_ attempt: UpstreamAttempt) {
        if attempt.mode == .stream { note(.streams) }
        attempt.mode = .stream
        attempt.isWhole = false
        attempt.deadlines = makeDeadlines(isWhole: false, shard.loop.now)
        if isPaused { attempt.deadlines.paused() }
    }

    private func makeDeadlines(isWhole: Bool, _ now: Instant) -> UpstreamDeadlines {
        UpstreamDeadlines(
            shared: isWhole ? shard.context.wholeDeadlines : shard.context.deadlines, now: now,
            responseStartedAt: startedAt, hasText: machine.hasOutput)
    }
}
