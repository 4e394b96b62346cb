import Configuration
import GatewayCore

extension ServerFrames.Ready {
    /// The greeting of a connection of the native protocol that was attached to its session.
    init(
        _ attached: AttachedSession, recovered: Bool, token: ResumeTokenIssuer.Token,
        of context: GatewayContext
    ) {
        let configuration = context.configuration
        let limits = configuration.limits
        // Who may not name a model has no choice among them.
        let mayChoose = configuration.options.allow.contains("model")
        self.init(
            session: attached.session.text, epoch: context.epoch, sequence: attached.sequence,
            resumeToken: token.text, expiresInSeconds: token.expiresInSeconds,
            recovered: recovered, reason: attached.reason,
            limits: [
                ("message_bytes", limits.messageBytes),
                ("input_bytes", limits.inputBytes),
                ("frames_per_s", limits.framesPerSecond),
                ("responses_per_connection", limits.responsesPerConnection),
                ("responses_per_session", limits.responsesPerSession),
                ("resume_window_s", Int(configuration.resume.window.seconds)),
            ],
            heartbeatSeconds: Int(configuration.server.heartbeat.seconds),
            allowedOptions: configuration.options.allow,
            defaultModel: configuration.options.defaultModel,
            models: mayChoose ? context.requests.models : OfferedModels())
    }
}
