import GatewayCore
import Telemetry
import TokenSigning
import Upstream
import WebSocketServer

// One vocabulary into another: what the core and the libraries say, as codes and metric labels.

extension GatewayErrorCode {
    init(_ error: TokenError) {
        switch error {
        case .malformed: self = .tokenMalformed
        case .wrongVersion: self = .tokenVersion
        case .unknownKey: self = .tokenKeyUnknown
        case .badSignature: self = .tokenSignature
        case .expired: self = .tokenExpired
        case .unavailable: self = .internalError
        }
    }
}

extension ResponseError {
    /// Why a request of the gateway's own making could not even be handed over.
    init(_ error: UpstreamError) {
        switch error {
        case .tooManyTransfers:
            self.init(
                code: GatewayErrorCode.overloaded.rawValue,
                message: "no room for another upstream transfer (upstream.connections)",
                isRetryable: true)
        case .shutDown:
            self.init(
                code: GatewayErrorCode.draining.rawValue, message: error.description,
                isRetryable: true)
        case .libraryFailed, .loopFailed:
            // For want of memory or descriptors, which pass.
            self.init(
                code: GatewayErrorCode.internalError.rawValue, message: error.description,
                isRetryable: true)
        case .invalid:
            self.init(
                code: GatewayErrorCode.internalError.rawValue, message: error.description,
                isRetryable: false)
        }
    }
}

extension ResumeOutcome {
    /// The label for a resume that was refused with a code.
    init(_ code: GatewayErrorCode) {
        switch code {
        case .tokenVersion: self = .wrongVersion
        case .tokenKeyUnknown: self = .unknownKey
        case .tokenSignature: self = .badSignature
        case .tokenExpired: self = .expired
        case .tokenSubject: self = .wrongSubject
        case .epochMismatch: self = .wrongEpoch
        case .sessionNotFound, .overloaded: self = .sessionGone
        case .positionInFuture: self = .positionAhead
        default: self = .malformed
        }
    }
}

extension Telemetry.ResponseOutcome {
    init(_ outcome: GatewayCore.ResponseOutcome) {
        switch outcome {
        case .completed: self = .completed
        case .incomplete: self = .incomplete
        case .failed: self = .failed
        case .cancelled: self = .cancelled
        }
    }
}

extension MessageResult {
    init(_ outcome: SessionMachine.MessageOutcome) {
        switch outcome {
        case .accepted: self = .accepted
        case .attached: self = .attached
        case .conflict: self = .conflict
        case .limited: self = .limited
        case .refused: self = .refused
        }
    }
}

extension CancelSource {
    init?(reason: String?) {
        switch reason.flatMap({ CancelReason(rawValue: $0) }) {
        case .client: self = .client
        case .abandoned: self = .abandoned
        case .draining: self = .draining
        case .upstream: self = .upstream
        case nil: return nil
        }
    }
}

extension CloseCode {
    /// The codes of docs/protocol.md, section 6, for metric labels.
    static let documented: [UInt16] = [
        1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1011, 1012, 1013, 4400, 4401, 4408, 4409,
        4410, 4429,
    ]
}
