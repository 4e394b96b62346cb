import GatewayCore
import Telemetry

/// What happened between the gateway and its upstreams for one response, for its one log line.
struct UpstreamStory {
    private(set) var steps: [String] = []
    /// Ids that upstream gave to the requests, for its support.
    private(set) var requestIDs: [String] = []
    var attempts = 0
    var reattachments = 0
    /// Breaks in the text after which another upstream went on.
    var seams = 0
    var queued = Duration.zero
    var connecting = Duration.zero
    var waitingForHeaders = Duration.zero
    var backingOff = Duration.zero
    var upstream: String?
    /// The place of that upstream in the pool.
    var member: Int?

    private static let maximumSteps = 16

    /// Notes how one attempt ended: `primary:server_error`.
    mutating func note(_ upstream: String, _ result: String) {
        guard steps.count < Self.maximumSteps else { return }
        steps.append("\(upstream):\(result)")
    }

    mutating func note(requestID: String) {
        guard requestIDs.count < Self.maximumSteps else { return }
        requestIDs.append(requestID)
    }

    func describe(in attributes: inout LogAttributes) {
        attributes.set("gateway.upstream.attempts", .integer(attempts))
        attributes.set("gateway.upstream.reattachments", .integer(reattachments))
        attributes.set("gateway.upstream.seams", .integer(seams))
        attributes.set("gateway.upstream.story", .text(steps.joined(separator: " ")))
        attributes.set("gateway.upstream.name", upstream.map { .text($0) })
        attributes.set(
            "gateway.upstream.request_ids", .text(requestIDs.joined(separator: " ")))
        attributes.set("gateway.upstream.queue_ms", .integer(Int(queued.milliseconds)))
        attributes.set("gateway.upstream.connect_ms", .integer(Int(connecting.milliseconds)))
        attributes.set("gateway.upstream.header_ms", .integer(Int(waitingForHeaders.milliseconds)))
        attributes.set("gateway.upstream.backoff_ms", .integer(Int(backingOff.milliseconds)))
    }
}
