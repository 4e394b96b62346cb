import GatewayCore
import Telemetry

/// Connections, here or elsewhere, that want to go on with a session of this shard: finds it, or says why not.
struct Resumption {
    private struct Refusal: Error { let code: GatewayErrorCode }

    let shard: ShardCore

    /// Attaches a connection, here or on shard `origin`, to a session of this shard.
    func attach(_ request: AttachRequest, from origin: Int) {
        switch find(request) {
        case .success(let (session, attached)):
            shard.metrics.resumes[attached.reason == nil ? .recovered : .wrongEpoch].increment()
            let after = attached.reason == nil ? request.after : 0
            if origin == shard.index {
                shard.connections[request.connection]?.attachHere(
                    to: session, attached, isResume: attached.reason == nil, after: after)
            } else {
                session.attach(
                    request.connection, .there(shard: origin),
                    as: request.isDialect ? .lines : .native, after: after
                ) {
                    shard.send(.attached(request.connection, attached), to: origin)
                }
            }
        case .failure(let refusal):
            shard.metrics.resumes[ResumeOutcome(refusal.code)].increment()
            if origin == shard.index {
                shard.connections[request.connection]?.beginFresh(
                    reason: refusal.code, continuing: request.conversation)
            } else {
                shard.send(
                    .attachRefused(
                        request.connection, refusal.code,
                        continuing: request.conversation), to: origin)
            }
        }
    }

    private func find(
        _ request: AttachRequest
    ) -> Result<(HostedSession, AttachedSession), Refusal> {
        guard request.epoch == shard.context.epoch else {
            // The log of an earlier process is lost. The chat is not: all its tabs meet again in a
            // session of the same name, and the conversation goes on from where upstream knows it.
            guard
                let session = shard.session(request.session)
                    ?? shard.makeSession(
                        id: request.session, subject: request.subject,
                        continuing: request.conversation,
                        dialect: request.isDialect ? .connection : nil)
            else { return .failure(Refusal(code: .overloaded)) }
            guard session.subject == request.subject, session.logsEvents == request.isDialect else {
                return .failure(Refusal(code: .tokenSubject))
            }
            if session.machine.log.lastSequence == 0, let running = request.running {
                session.adopt(running)
            }
            return .success((session, describe(session, reason: .epochMismatch)))
        }
        guard let session = shard.session(request.session),
            session.logsEvents == request.isDialect
        else { return .failure(Refusal(code: .sessionNotFound)) }
        guard request.after <= session.machine.log.lastSequence else {
            return .failure(Refusal(code: .positionInFuture))
        }
        return .success((session, describe(session, reason: nil)))
    }

    private func describe(_ session: HostedSession, reason: GatewayErrorCode?) -> AttachedSession {
        AttachedSession(
            session: session.machine.id, sequence: session.machine.log.lastSequence,
            reason: reason, conversation: session.conversation,
            running: session.runningResponse)
    }
}
