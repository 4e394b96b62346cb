import EventLoop
import GatewayCore

/// The runs that feed the session's responses: opened here, and what they tell.
extension HostedSession {
    // MARK: Opening

    /// Gets a response from upstream.
    func open(_ response: Int, _ request: UpstreamRequestBody) {
        let run = UpstreamRun(
            response: response, body: request,
            choice: request.isTied ? keeper(of: response) : .any, session: self, shard: shard)
        runs.add(run)
        run.start()
        if machine.isPaused { run.pause() }
    }

    /// The upstream that has what a response goes on from.
    private func keeper(of response: Int) -> UpstreamChoice {
        if let previous = machine.previous(of: response) {
            // A name that is not in the index: an earlier process has heard it, or one long ago.
            let first = runs.conversationMember ?? 0
            return shard.context.responses.owner(ofValue: previous).map { .only($0.member) }
                ?? .search(first, first: first)
        }
        return runs.conversationMember.map { .only($0) } ?? .search(0, first: 0)
    }

    /// Goes on with a background response of an earlier process.
    func adopt(_ adopted: ResumeClaims.Running) {
        guard let member = shard.context.pool.member(named: adopted.upstream) else { return }
        let response = hear { machine, _ in
            machine.adopt(
                message: adopted.message, responseID: shard.names.response(), now: shard.loop.now)
        }
        runs.name(response, adopted)
        let run = UpstreamRun(
            response: response, reattachingTo: adopted.response, at: member, session: self,
            shard: shard)
        runs.add(run)
        run.start()
        commit()
        armTimer()
    }

    /// Reports a response that the machine has ended.
    func responseEnded(_ summary: ResponseSummary) {
        let story = runs.finish(summary)
        shard.responseEnded(
            ResponseReport(summary: summary, story: story, session: machine.id))
        refreshTokens()
    }

    // MARK: What runs tell

    func upstreamConnected(_ response: Int) {
        hear { machine, actions in
            machine.upstreamConnected(response, now: shard.loop.now, actions: &actions)
        }
        commit()
    }

    func upstreamConnecting(_ response: Int) {
        hear { machine, actions in
            machine.upstreamConnecting(response, now: shard.loop.now, actions: &actions)
        }
        commit()
    }

    func upstreamQueued(_ response: Int, until: Instant) {
        hear { machine, actions in
            machine.upstreamQueued(response, until: until, now: shard.loop.now, actions: &actions)
        }
        commit()
    }

    func upstreamRetrying(_ response: Int, at: Instant, attempt: Int) {
        hear { machine, actions in
            machine.upstreamRetrying(
                response, at: at, attempt: attempt, now: shard.loop.now, actions: &actions)
        }
        commit()
    }

    /// A background response has its id: from now on a resume token names it.
    func upstreamNamed(_ response: Int, id: String, upstream: String) {
        guard let message = machine.messageID(of: response) else { return }
        runs.name(
            response, ResumeClaims.Running(response: id, message: message, upstream: upstream))
        refreshTokens()
    }

    func upstreamSilent(_ response: Int) {
        hear { machine, actions in
            machine.upstreamSilent(response, now: shard.loop.now, actions: &actions)
        }
        commit()
    }

    /// Logs one event; the run commits once for all events of a read.
    func upstream(
        _ response: Int, _ output: ResponsesOutput, data: Span<UInt8>, now: Instant
    ) {
        hear { machine, actions in
            machine.upstream(response, output, data: data, now: now, actions: &actions)
        }
    }

    /// Logs deltas that came in one chunk.
    func upstream(
        _ response: Int, _ deltas: DeltaBatch, of chunk: Span<UInt8>, now: Instant
    ) {
        hear { machine, actions in
            machine.upstream(response, deltas, of: chunk, now: now, actions: &actions)
        }
    }

    /// Upstream has answered with a stream.
    func upstreamAnswered(_ response: Int, _ head: UpstreamResponseHead) {
        hear { machine, _ in machine.upstreamAnswered(response, head) }
    }

    /// Logs one event as it came, in a session of the OpenAI dialect; after what the reducer made of it.
    func upstreamEvent(_ response: Int, data: Span<UInt8>, now: Instant) {
        hear { machine, actions in
            machine.upstreamEvent(response, data: data, now: now, actions: &actions)
        }
    }

    /// From here on the answer is another upstream's.
    func upstreamSeam(_ response: Int, reason: String) {
        hear { machine, _ in machine.upstreamSeam(response, reason: reason) }
    }

    func upstreamFailed(_ response: Int, _ error: ResponseError) {
        hear { machine, actions in
            machine.upstreamFailed(response, error, now: shard.loop.now, actions: &actions)
        }
        commit()
    }

    func runEnded(_ run: UpstreamRun) {
        runs.ended(run)
        // The session's deadline depends on what still runs.
        armTimer()
    }

    // MARK: Where the conversation goes on

    /// Where the conversation goes on, for a resume token.
    var conversation: ConversationPlace? {
        let upstreams = shard.context.pool.upstreams
        // The only one need not be named in every token.
        let member = upstreams.count > 1 ? runs.conversationMember : nil
        return ask { $0.conversationPlace(at: member.map { upstreams[$0].name }) }
    }

    /// The newest background response that runs, for a resume token.
    var runningResponse: ResumeClaims.Running? { runs.newestInBackground }
}
