import GatewayCore
import Glibc
import TokenSigning

/// Makes and reads the resume tokens of sessions, with the wall clock and the keys of `resume.token_keys`.
struct SessionTokens: Sendable {
    /// What a genuine token says about the session that it resumes.
    struct Admitted {
        let session: SessionID
        let epoch: String
        /// Where the conversation goes on.
        let conversation: ConversationPlace?
        /// A background response that went on while nobody was there.
        let running: ResumeClaims.Running?
    }

    private let signer: TokenSigner
    /// Sessions name their shard; one of an earlier process may name one that is not there.
    private let shards: Int

    init(signer: TokenSigner, shards: Int) {
        self.signer = signer
        self.shards = shards
    }

    /// A token for `session`, valid for `lifetime` from now; empty when none can be made.
    func sign(
        session: SessionID, epoch: String, subject: String, conversation: ConversationPlace?,
        running: ResumeClaims.Running?, lifetime: Duration
    ) -> String {
        do {
            let claims = try ResumeClaims(
                session: session.text, epoch: epoch, subject: subject, rights: .all,
                conversation: conversation, running: running,
                expiresAt: Int64(time(nil)) + Int64(lifetime.seconds))
            return try signer.sign(claims)
        } catch {
            // An upstream id too long for a token: the session resumes without it.
            guard conversation != nil || running != nil else { return "" }
            return sign(
                session: session, epoch: epoch, subject: subject, conversation: nil, running: nil,
                lifetime: lifetime)
        }
    }

    /// What `token` admits its bearer, who is `subject`, to; or why it is refused.
    func admit(_ token: String, subject: String) -> Result<Admitted, Refusal> {
        let claims: ResumeClaims
        do {
            claims = try signer.verify(token, now: Int64(time(nil)))
        } catch {
            return .failure(Refusal(code: GatewayErrorCode(error)))
        }
        guard claims.subject == subject, claims.rights.contains(.read) else {
            return .failure(Refusal(code: .tokenSubject))
        }
        guard let session = SessionID(parsing: claims.session), session.node == 0 else {
            return .failure(Refusal(code: .sessionNotFound))
        }
        return .success(
            Admitted(
                session: session.home(among: shards), epoch: claims.epoch,
                conversation: claims.conversation,
                running: claims.running))
    }

    struct Refusal: Error { let code: GatewayErrorCode }
}
