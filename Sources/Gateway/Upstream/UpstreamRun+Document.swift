import EventLoop
import GatewayCore

/// What a whole response object said about its end.
enum DocumentEnd {
    case finished
    /// It is queued or in progress.
    case running
}

/// Answers that are no event stream: one response object.
extension UpstreamRun {
    /// Takes a response object as the events that would have told the same.
    func take(document: [UInt8], now: Instant) throws(StreamFailure) -> DocumentEnd {
        let bytes = document.span
        guard let root = try? JSONReader(maximumDepth: JSONReader.upstreamMaximumDepth).read(bytes),
            root.kind == .object,
            let status = root.member("status", in: bytes), status.kind == .string
        else {
            throw StreamFailure(
                message: "upstream answered with no response object", told: errorTold(in: bytes))
        }
        defer { measureDeltas(now: now) }
        let hasError = root.member("error", in: bytes).map { $0.kind != .null } ?? false
        // Whoever reads events as they are needs the first one of them.
        var types = [session.logsEvents ? "response.created" : "response.in_progress"]
        switch String(decoding: status.decoded(in: bytes) ?? [], as: UTF8.self) {
        case "completed": types.append("response.completed")
        case "incomplete": types.append("response.incomplete")
        case "failed": types.append("response.failed")
        case "cancelled": types.append("response.cancelled")
        default: break
        }
        for (position, type) in types.enumerated() {
            // What is shown already needs no beginning.
            if position == 0, machine.hasOutput { continue }
            var event: [UInt8] = []
            event.reserveCapacity(document.count + 64)
            event += Array("{\"type\":\"\(type)\",\"response\":".utf8)
            event += document
            event.append(UInt8(ascii: "}"))
            do throws(ResponsesFailure) {
                let data = event.span
                try reducer.reduce(data) { deliver($0, data, now: now) }
                // Each of these events has all of the object in it.
                if hasError { reducer.mayHoldKey = true }
                deliverEvent(data, now: now)
                tellName()
            } catch {
                throw StreamFailure(message: "\(error)")
            }
        }
        if let attempt, attempt.firstEventAt == nil { attempt.firstEventAt = now }
        return reducer.isFinished ? .finished : .running
    }

    /// The error that a body tells in place of a response: proxies say with a status of success what the API says
    /// with another one.
    ///
    /// Nil where a response is only asked about: it goes on, whatever its upstream says of it just now.
    private func errorTold(in body: Span<UInt8>) -> ToldError? {
        guard let mode = attempt?.mode, mode == .stream || mode == .document else { return nil }
        var reader = ResponsesReducer(mask: mask)
        try? reader.reduce(body) { _ in }
        return reader.toldError
    }
}
