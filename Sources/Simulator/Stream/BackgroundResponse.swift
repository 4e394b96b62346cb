/// A response that goes on whether or not somebody listens; its events stay for who comes back.
package final class BackgroundResponse {
    /// Events beyond this are not kept: the response fails instead.
    package static let maximumLogBytes = 32 << 20

    package private(set) var stream: ResponseStream
    package private(set) var log = EventLog()
    package private(set) var isCancelled = false
    package let startedAt: UInt64

    package init(_ stream: ResponseStream, startedAt: UInt64) {
        self.stream = stream
        self.startedAt = startedAt
    }

    package var isOver: Bool { stream.isFinished }

    /// When it has something to do next (ns of CLOCK_MONOTONIC).
    package var nextDue: UInt64 { startedAt + stream.nextDue }

    /// Makes the events that are due; at most `maximum` of them.
    package func advance(to moment: Moment, atMost maximum: Int = 256) {
        for _ in 0..<maximum {
            guard !isOver, nextDue <= moment.monotonic else { return }
            _ = log.add { stream.next(into: &$0, at: moment) }
            if log.byteCount > Self.maximumLogBytes, !isOver, stream.status == .inProgress {
                stream.fail(
                    code: "server_error", message: "The response grew too large to keep.",
                    errorEvent: true)
                while !isOver { _ = log.add { stream.next(into: &$0, at: moment) } }
            }
        }
    }

    /// Ends it, unless it has ended; there is no event for that.
    package func cancel() {
        guard !isOver else { return }
        isCancelled = true
        stream.cancel()
    }

    /// The `response` object as it is now.
    package var object: [UInt8] {
        var out: [UInt8] = []
        stream.appendObject(to: &out)
        return out
    }
}
