import GatewayCore
import WebSocketServer

/// Why the gateway ends a connection: the close code of docs/protocol.md, section 6, and words for who reads them.
struct CloseReason {
    let code: CloseCode
    let text: String
    /// What the native protocol counts it as, where the client has made a mistake or cannot be served.
    let error: GatewayErrorCode?

    private init(_ code: CloseCode, _ text: String, _ error: GatewayErrorCode? = nil) {
        self.code = code
        self.text = text
        self.error = error
    }
}

extension CloseReason {
    // MARK: What a client has done

    static let notText = Self(.unsupportedData, "send text frames", .invalidFrame)
    static let tooManyErrors = Self(
        CloseCode(4400), "too many faulty frames (limits.errors_per_connection)", .tooManyErrors)
    static let helloRequired = Self(CloseCode(4400), "hello required", .helloRequired)
    static let unauthorized = Self(CloseCode(4401), "unauthorized", .unauthorized)
    static let helloTimeout = Self(CloseCode(4408), "no hello in time", .helloTimeout)
    /// A peer that is gone reads no close frame: its socket is cut when none comes back.
    static let silent = Self(CloseCode(4409), "nothing heard for two heartbeats")
    static let slowReader = Self(CloseCode(4410), "reads too slowly", .slowReader)
    static let rateLimited = Self(CloseCode(4429), "frames keep coming too fast", .rateLimited)

    // MARK: What the gateway has come to

    static let overloaded = Self(.tryAgainLater, "overloaded", .overloaded)
    static let lifetimeOver = Self(.goingAway, "the connection's lifetime is over")
    static let sessionOver = Self(.serviceRestart, "the session is over")
    static let restart = Self(.serviceRestart, "the gateway restarts")
}
