internal import CLibcurl
internal import GatewayCore

/// How a transfer ended: a value of what is known when libcurl gives it back.
///
/// Three may have a word in it, in this order: we, where we stopped it; upstream, by a status that is not 2xx;
/// libcurl, by an error of its own.
struct TransferVerdict {
    /// Why we stopped libcurl ourselves; its own code says nothing then.
    enum Stop: Equatable {
        case head(UpstreamHeadParser.Failure)
        case contentEncoding(String)
        case documentTooLarge(limitBytes: Int)
        /// The limit or the time for the body of an error was met: what came of it has to do.
        case errorBodyCut
        case connectTimeout
        case cannotRun(String)
    }

    var expectation: UpstreamRequest.Expectation
    var stop: Stop?
    /// Of the final response, once it came; may be abridged.
    var head: UpstreamResponseHead?
    /// The part of the body that was kept; nil where it went to the delegate, or none was to come.
    var keptBody: [UInt8]?
    /// Of the wall clock: for a `retry-after` in a response without a `date`.
    var unixSeconds: Int64
    /// What libcurl says; asked where nobody else has a word.
    var diagnosis: TransferDiagnosis

    var outcome: UpstreamOutcome {
        if let failure { .failed(failure) } else { .finished }
    }

    /// Nil for a 2xx of the kind that was asked for, whose body came to its end.
    var failure: UpstreamFailure? {
        if let stop, let failure = failure(of: stop) { return failure }
        guard let head else { return diagnosis.failure }
        guard head.isSuccess else { return refusal(head) }
        guard CURLcode(diagnosis.code) == CURLE_OK else { return breach(after: head) }
        switch expectation {
        case .eventStream: return keptBody == nil ? nil : wrongContentType(head)
        case .streamOrDocument, .document, .bytes: return nil
        }
    }

    /// Nil where it is for upstream's status to say.
    private func failure(of stop: Stop) -> UpstreamFailure? {
        switch stop {
        case .head(.tooLarge(let limit)):
            .init(
                .tooLarge, .upstream, isRetryable: false,
                "\(endpoint) sent more than \(limit) bytes of headers")
        case .head(.malformedStatusLine):
            .init(
                .protocolError, .upstream, isRetryable: true,
                "\(endpoint) sent a malformed status line")
        case .head(.switchedProtocols):
            .init(
                .protocolError, .upstream, isRetryable: true,
                "\(endpoint) switched to another protocol, which was not asked for")
        case .contentEncoding(let encoding):
            .init(
                .protocolError, .upstream, isRetryable: false,
                "\(endpoint) compressed its answer (\(encoding)), which was not asked for")
        case .documentTooLarge(let limit):
            switch (expectation, head) {
            case (.eventStream, let head?): wrongContentType(head)
            case (.eventStream, nil), (.streamOrDocument, _), (.document, _), (.bytes, _):
                .init(
                    .tooLarge, .upstream, isRetryable: false,
                    "\(endpoint) sent a document of more than \(limit) bytes")
            }
        case .errorBodyCut: nil
        case .connectTimeout: diagnosis.timedOut
        case .cannotRun(let reason):
            .init(.internalError, .gateway, isRetryable: true, "\(endpoint): \(reason)")
        }
    }

    private var endpoint: String { diagnosis.endpoint }

    private func refusal(_ head: UpstreamResponseHead) -> UpstreamFailure {
        .http(head: head, body: keptBody ?? [], endpoint: endpoint, unixSeconds: unixSeconds)
    }

    private func wrongContentType(_ head: UpstreamResponseHead) -> UpstreamFailure {
        .wrongContentType(head: head, expected: "text/event-stream", endpoint: endpoint)
    }

    private func breach(after head: UpstreamResponseHead) -> UpstreamFailure {
        var failure = diagnosis.failure
        failure.status = head.status
        failure.requestID = head.requestID
        return failure
    }
}
