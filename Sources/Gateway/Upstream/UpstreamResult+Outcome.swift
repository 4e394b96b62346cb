import GatewayCore
import Telemetry
import Upstream

extension UpstreamResult {
    /// The label of a transfer that has ended by itself.
    init(_ outcome: UpstreamOutcome) {
        guard case .failed(let failure) = outcome else {
            self = .finished
            return
        }
        switch failure.code {
        case .dnsFailed, .connectRefused, .connectFailed, .proxyFailed, .noRoom:
            self = .connectFailed
        case .dnsTimeout, .connectTimeout, .tlsTimeout: self = .timedOut
        case .tlsFailed: self = .tlsFailed
        case .reset, .truncated: self = .cut
        case .wrongContentType, .tooLarge, .protocolError, .internalError: self = .invalid
        case .httpStatus:
            switch failure.status ?? 0 {
            case 401, 403: self = .unauthorized
            case 429: self = .rateLimited
            case 500...: self = .serverError
            default: self = .clientError
            }
        }
    }
}

extension GatewayMetrics {
    /// A request goes out, on a connection that stands.
    func transferConnected(_ transfer: UpstreamTransfer) {
        if !transfer.isConnectionReused { upstreamConnections.increment() }
    }

    /// A request to upstream is over.
    func transferEnded(_ result: UpstreamResult) {
        upstreamTransfers.decrement()
        upstreamRequests[result].increment()
    }
}
