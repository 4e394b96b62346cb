import GatewayCore
import Synchronization

/// Whether upstream can be used, as far as recent requests tell; shared by all shards.
///
/// Counts failures to reach it at all; any answer clears them. A breaker per upstream can take its place.
final class UpstreamHealth: Sendable {
    private struct State {
        var failures = 0
        var lastFailure = Instant(nanoseconds: .min)
    }

    private static let failuresToDoubt = 3
    /// After this long without a try, doubt is no knowledge any more.
    private static let doubtLasts = Duration.seconds(30)

    private let state = Mutex(State())

    func unreachable(now: Instant) {
        state.withLock {
            $0.failures += 1
            $0.lastFailure = now
        }
    }

    func reached() { state.withLock { $0.failures = 0 } }

    func isUsable(now: Instant) -> Bool {
        state.withLock {
            $0.failures < Self.failuresToDoubt || now >= $0.lastFailure + Self.doubtLasts
        }
    }
}
