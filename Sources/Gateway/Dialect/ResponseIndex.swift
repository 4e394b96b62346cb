import GatewayCore
import Synchronization

/// Which session has a response of the OpenAI dialect, by upstream's id; shared by all shards.
///
/// Upstream's ids say nothing about shards, and SDKs must see them. One look-up a request under a lock
/// is no matter: nothing on the way of an event touches it. Bounded: the oldest name is forgotten first.
final class ResponseIndex: Sendable {
    private struct State {
        var sessions: [String: SessionID] = [:]
        /// In order of arrival, from `first` on; names that are gone stay until they are passed.
        var order: [String] = []
        var first = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// Notes where a response is; `name` is raw JSON.
    func add(_ name: String, in session: SessionID) {
        state.withLock { state in
            if state.sessions.updateValue(session, forKey: name) == nil { state.order.append(name) }
            while state.sessions.count > limit, state.first < state.order.count {
                state.sessions[state.order[state.first]] = nil
                state.first += 1
            }
            if state.order.count > 2 * state.sessions.count + 1024 {
                let sessions = state.sessions
                state.order = state.order[state.first...].filter { sessions[$0] != nil }
                state.first = 0
            }
        }
    }

    func remove(_ name: String, in session: SessionID) {
        state.withLock { state in
            if state.sessions[name] == session { state.sessions[name] = nil }
        }
    }

    func session(of name: String) -> SessionID? { state.withLock { $0.sessions[name] } }
}
