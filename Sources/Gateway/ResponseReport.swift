import GatewayCore
import Telemetry

/// One response's whole story once it has ended: its counts, and its one line in the log.
///
/// Neither says anything of the prompt or the answer but their size.
struct ResponseReport {
    let summary: ResponseSummary
    /// What happened at the upstreams; nil when none was asked.
    let story: UpstreamStory?
    let session: SessionID

    func count(in metrics: GatewayMetrics) {
        metrics.responses[Telemetry.ResponseOutcome(summary.outcome)].increment()
        metrics.responseDuration.observe(summary.total)
        if let first = summary.firstEvent { metrics.firstEvent.observe(first) }
        if let first = summary.firstText { metrics.firstText.observe(first) }
        if let closed = summary.cancelToClose { metrics.cancelClose.observe(closed) }
        if summary.outcome == .cancelled, let source = CancelSource(reason: summary.reason) {
            metrics.cancels[source].increment()
        }
        guard let usage = summary.usage else { return }
        metrics.tokenUsage[.input].increment(by: usage.input)
        metrics.tokenUsage[.cachedInput].increment(by: usage.cachedInput)
        metrics.tokenUsage[.output].increment(by: usage.output)
        metrics.tokenUsage[.reasoning].increment(by: usage.reasoning)
    }

    func log(to logger: Logger) {
        guard logger.writes(.info) else { return }
        var attributes: LogAttributes = [
            "gateway.session.id": .text(session.text),
            "gateway.response.id": .text(summary.id),
            "gateway.response.outcome": .text(summary.outcome.wireName),
            "gateway.response.total_ms": .integer(Int(summary.total.milliseconds)),
            "gateway.response.text_bytes": .integer(summary.textBytes),
        ]
        attributes.set("gateway.response.reason", summary.reason.map { .text($0) })
        attributes.set("error.type", summary.errorCode.map { .text($0) })
        attributes.set("gen_ai.response.model", summary.model.map { .text($0) })
        attributes.set("gen_ai.response.id", summary.upstreamID.map { .text($0) })
        attributes.set(
            "gateway.response.first_text_ms",
            summary.firstText.map { .integer(Int($0.milliseconds)) })
        attributes.set(
            "gateway.response.first_event_ms",
            summary.firstEvent.map { .integer(Int($0.milliseconds)) })
        story?.describe(in: &attributes)
        logger.info("response ended", attributes)
    }
}
