/// What the gateway may do about a fault.
enum FaultPolicy: CaseIterable, Sendable {
    /// Ask the same upstream again.
    case retry
    /// Ask another upstream.
    case fallback
    /// Go on with the response, which upstream has in the background.
    case background
}

/// How an answer ends in spite of a fault, or because of it.
enum FaultOutcome: Equatable, Sendable {
    /// Completed, each piece once, as if there had been no fault.
    case whole
    /// Failed, with what was seen.
    case failed(code: String, isRetryable: Bool)
}
