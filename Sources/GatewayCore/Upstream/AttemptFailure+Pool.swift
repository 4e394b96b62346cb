/// What one failed attempt says about its upstream to those who come after it.
extension AttemptFailure {
    /// What the breaker counts it as; `isAlone` when there is no other upstream to go to.
    package func breakerOutcome(isAlone: Bool) -> CircuitBreaker.Outcome {
        switch reason {
        case .unreachable, .tls: .unreachable
        case .timeout, .serverError, .cut, .invalid: .failure
        // A key that is refused is refused next time too; alone, the client should hear of it.
        case .refused: isAlone ? .neutral : .failure
        case .rateLimited, .conflict, .notStreaming, .rejected: .neutral
        }
    }

    /// How long upstream asks everybody to wait, not only the one whose attempt has failed.
    package var pauseForAll: Duration? {
        switch reason {
        case .rateLimited, .serverError: retryAfter
        case .unreachable, .tls, .timeout, .conflict, .cut, .invalid, .refused, .notStreaming,
            .rejected:
            nil
        }
    }
}
