/// Every error code a client can meet that has nothing to do with upstream, with what it means for the client.
///
/// The others are `UpstreamFailure.Code`, `UpstreamDeadlines.Expiry` and `UpstreamErrorCode`.
/// The names are stable: clients switch on them and dashboards group by them. docs/protocol.md lists the
/// same table, and a test compares the two.
package enum GatewayErrorCode: String, CaseIterable, Sendable {
    // What a client sent.
    case invalidJSON = "invalid_json"
    case invalidFrame = "invalid_frame"
    case unknownType = "unknown_type"
    case helloRequired = "hello_required"
    case helloRepeated = "hello_repeated"
    case helloTimeout = "hello_timeout"
    case unauthorized = "unauthorized"
    case tooManyErrors = "too_many_errors"
    case rateLimited = "rate_limited"
    case invalidMessageID = "invalid_message_id"
    case messageIDConflict = "message_id_conflict"
    case inputTooLarge = "input_too_large"
    case optionNotAllowed = "option_not_allowed"
    case modelNotAllowed = "model_not_allowed"
    case tooManyResponses = "too_many_responses"
    case responseNotFound = "response_not_found"
    case toolOutputUnsupported = "tool_output_unsupported"
    case slowReader = "slow_reader"

    // Why a resume was not honoured.
    case tokenMalformed = "token_malformed"
    case tokenVersion = "token_version"
    case tokenKeyUnknown = "token_key_unknown"
    case tokenSignature = "token_signature"
    case tokenExpired = "token_expired"
    case tokenSubject = "token_subject"
    case sessionNotFound = "session_not_found"
    case epochMismatch = "epoch_mismatch"
    case positionInFuture = "position_in_future"

    // What the gateway cannot do now.
    case draining
    case overloaded
    case conversationTooLarge = "conversation_too_large"
    case responseTooLarge = "response_too_large"
    case internalError = "internal_error"

    /// Whether the same thing may work later without the client changing anything.
    package var isRetryable: Bool {
        switch self {
        case .rateLimited, .tooManyResponses, .draining, .overloaded, .internalError, .helloTimeout,
            .slowReader:
            true
        case .invalidJSON, .invalidFrame, .unknownType, .helloRequired, .helloRepeated,
            .unauthorized, .tooManyErrors, .invalidMessageID, .messageIDConflict, .inputTooLarge,
            .optionNotAllowed, .modelNotAllowed, .responseNotFound, .toolOutputUnsupported,
            .tokenMalformed, .tokenVersion, .tokenKeyUnknown, .tokenSignature, .tokenExpired,
            .tokenSubject,
            .sessionNotFound, .epochMismatch, .positionInFuture, .conversationTooLarge,
            .responseTooLarge:
            false
        }
    }

    /// Where a client meets it, and what it means; one line of the table in docs/protocol.md.
    package var meaning: String {
        switch self {
        case .invalidJSON: "`error`: the frame is not valid JSON, or nested too deeply"
        case .invalidFrame: "`error`: a field is missing or has the wrong type"
        case .unknownType: "`error`: the frame's `type` is not one of §3"
        case .helloRequired: "`error`, then close 4400: the first frame was no `hello`"
        case .helloRepeated: "`error`: a second `hello` on one connection"
        case .helloTimeout: "close 4408: no `hello` within `limits.hello_timeout_ms`"
        case .unauthorized: "`error`, then close 4401: `auth` is missing or unknown"
        case .tooManyErrors: "close 4400: more faulty frames than `limits.errors_per_connection`"
        case .rateLimited: "`error`, later close 4429: more frames than `limits.frames_per_s`"
        case .invalidMessageID: "`error`: `id` does not match `[A-Za-z0-9_.:-]{1,64}`"
        case .messageIDConflict: "`error`: the `id` was used for another `input`"
        case .inputTooLarge:
            "`error`: `input` exceeds `limits.input_bytes`, or `options` `limits.options_bytes`"
        case .optionNotAllowed: "`error`: `options` has a key that `options.allow` does not list"
        case .modelNotAllowed:
            "`error`: `options.model` is none of `ready.options.models` (`options.models`)"
        case .tooManyResponses:
            "`error`: `limits.responses_per_connection` or `limits.responses_per_session` are running"
        case .responseNotFound: "`error`: `cancel` names a response this session does not have"
        case .toolOutputUnsupported: "`error`: this version runs no client tools"
        case .slowReader: "close 4410: answers to commands pile up because nothing is read"
        case .tokenMalformed: "`ready.reason`: the token is not one of ours"
        case .tokenVersion: "`ready.reason`: the token has a version this gateway does not read"
        case .tokenKeyUnknown:
            "`ready.reason`: the key that signed the token is not configured (any more)"
        case .tokenSignature: "`ready.reason`: the signature does not match"
        case .tokenExpired: "`ready.reason`: the token is past its expiry"
        case .tokenSubject:
            "`ready.reason`: the token belongs to another subject, or gives no right to read"
        case .sessionNotFound: "`ready.reason`: the session is over, or this gateway never had it"
        case .epochMismatch: "`ready.reason`: the token belongs to another life of the log"
        case .positionInFuture: "`ready.reason`: `after` lies beyond the end of the log"
        case .draining: "`error`: the gateway takes no new messages, reconnect"
        case .overloaded:
            "`error`, `complete.error`, or close 1013: a limit of the whole gateway is reached"
        case .conversationTooLarge: "`error`: the kept conversation exceeds `conversation.bytes`"
        case .responseTooLarge: "`complete.error`: the answer exceeds `limits.response_bytes`"
        case .internalError: "`error` or `complete.error`: a fault in the gateway"
        }
    }
}
