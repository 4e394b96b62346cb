import Configuration
import EventLoop
import GatewayCore
import Synchronization
import Telemetry
import WebSocketServer

/// The plain requests of the gateway's port: health, readiness, metrics, the front.
struct HTTPRoutes {
    let context: GatewayContext

    func respond(to exchange: HTTPExchange) {
        let request = exchange.request
        guard request.method == .get || request.method == .head else {
            return exchange.respond(Self.methodNotAllowed)
        }
        switch request.path {
        case "/healthz": exchange.respond(plain(200, "ok\n"))
        case "/readyz": exchange.respond(readiness(now: exchange.loop.now))
        case "/metrics" where context.configuration.metrics.isEnabled:
            exchange.respond(
                HTTPResponse(
                    status: 200, headers: [("content-type", MetricRegistry.prometheusContentType)],
                    body: Array(context.registry.renderPrometheus().utf8)))
        case "/v1/chat":
            exchange.respond(
                .error(
                    426, "upgrade_required", "/v1/chat is a WebSocket",
                    headers: [("upgrade", "websocket")]))
        default:
            exchange.respond(
                context.staticFiles.response(to: request)
                    ?? .error(404, "not_found", "no such path"))
        }
    }

    static let methodNotAllowed = HTTPResponse.error(
        405, "method_not_allowed", "only GET and HEAD are answered here",
        headers: [("allow", "GET, HEAD")])

    /// Why a body is not read that is more than a few bytes, or of unknown length.
    static func refusal(ofBodyOf request: HTTPRequest) -> HTTPResponse {
        request.method == .get || request.method == .head
            ? .error(413, "body_too_large", "a GET has no body here") : methodNotAllowed
    }

    private func readiness(now: Instant) -> HTTPResponse {
        if context.isDraining.load(ordering: .relaxed) {
            return .error(503, "draining", "the gateway is shutting down")
        }
        guard context.pool.isUsable(now: now) else {
            return .error(
                503, "upstream_unusable", "the last requests to every upstream have failed")
        }
        return plain(200, "ready\n" + context.pool.report(now: now))
    }

    private func plain(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(
            status: status,
            headers: [
                ("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store"),
            ],
            body: Array(text.utf8))
    }
}
