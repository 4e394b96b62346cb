import Configuration
import GatewayCore
import Synchronization
import WebSocketServer

/// The WebSockets of the gateway's port: which are accepted, and who handles them.
struct WebSocketRoutes {
    let shard: ShardCore

    /// Decides on a request to upgrade.
    func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        let context = shard.context
        if request.path == "/debug/echo", context.configuration.server.debugEcho {
            return .accept(EchoConnection())
        }
        let isDialect =
            request.path == "/v1/responses" && context.configuration.dialect.isEnabled
        guard request.path == "/v1/chat" || isDialect else {
            return .refuse(
                .error(404, "not_found", "WebSockets are at /v1/chat and /v1/responses"))
        }
        guard !context.isDraining.load(ordering: .relaxed) else {
            return .refuse(
                .error(
                    503, "draining", "the gateway is shutting down",
                    headers: [("retry-after", "1")]))
        }
        if let refusal = context.admission.refusal(of: request) { return .refuse(refusal) }
        var subject = ""
        if isDialect {
            guard let name = context.keys.subject(of: request) else {
                return .refuse(DialectError.unauthorized.response(isUpgrade: true))
            }
            subject = name
        }
        if let after = request.queryValue("after"), (Int(after) ?? -1) < 0 {
            return .refuse(.error(400, "invalid_frame", "`after` must be a whole number from 0"))
        }
        let address = context.admission.clientAddress(of: request)
        switch context.admission.enter(address) {
        case .failure(let refusal): return .refuse(refusal.response)
        case .success(let place):
            let id = shard.makeConnectionID()
            guard isDialect else {
                return .accept(Connection(shard: shard, id: id, place: place, request: request))
            }
            return .accept(
                DialectConnection(
                    shard: shard, id: id, place: place, subject: subject, request: request))
        }
    }
}
