import Configuration
import GatewayCore

/// Makes the resume tokens of one connection: knows what the next one is to say, and when it is due.
struct ResumeTokenIssuer {
    /// A token, and how long it admits its bearer.
    struct Token {
        let text: String
        let expiresInSeconds: Int
    }

    private var session: SessionID?
    private var conversation: ConversationPlace?
    private var running: ResumeClaims.Running?
    /// When the client is to have a new one, though nothing has changed.
    private(set) var refreshAt = Instant(nanoseconds: .max)

    /// Issues tokens for `session` from now on, and for its conversation where it goes on with one.
    mutating func begin(
        _ session: SessionID, conversation: ConversationPlace? = nil,
        running: ResumeClaims.Running? = nil
    ) {
        self.session = session
        self.conversation = conversation
        self.running = running
    }

    /// Notes where the conversation goes on; false when the newest token says so already, or there is none.
    mutating func note(
        conversation: ConversationPlace?, running: ResumeClaims.Running?
    ) -> Bool {
        guard session != nil,
            self.conversation != conversation || self.running != running
        else { return false }
        self.conversation = conversation
        self.running = running
        return true
    }

    /// A token for `subject`; an empty one without a session.
    mutating func issue(to subject: String, of context: GatewayContext, now: Instant) -> Token {
        guard let session else { return Token(text: "", expiresInSeconds: 0) }
        let lifetime = context.configuration.resume.tokenLifetime
        // Refreshed well before it expires, also for a client that is away when it would be.
        refreshAt = now + lifetime / 2
        let text = context.tokens.sign(
            session: session, epoch: context.epoch, subject: subject, conversation: conversation,
            running: running, lifetime: lifetime)
        return Token(text: text, expiresInSeconds: Int(lifetime.seconds))
    }
}
