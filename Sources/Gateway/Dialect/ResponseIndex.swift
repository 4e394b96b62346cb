import GatewayCore
import Synchronization

/// Whose the responses of the OpenAI dialect are, and where, by upstream's id; shared by all shards.
///
/// Upstream's ids say nothing about shards, and SDKs must see them. One look-up a request under a lock
/// is no matter: nothing on the way of an event touches it. Bounded: the oldest name is forgotten first.
/// An owner is known for longer than its session lives: upstream may have kept the response.
final class ResponseIndex: Sendable {
    /// What is known of one response.
    struct Owner: Sendable {
        let subject: String
        /// The upstream that has it.
        let member: Int
        /// The session that has its events or its object; nil once that is over.
        var session: SessionID?
    }

    private struct State {
        var owners: [String: Owner] = [:]
        /// Names in order of arrival, from `first` on.
        var order: [String] = []
        var first = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// Notes a response; `name` is raw JSON.
    func add(_ name: String, _ owner: Owner) {
        state.withLock { state in
            if state.owners.updateValue(owner, forKey: name) == nil { state.order.append(name) }
            guard state.owners.count > limit else { return }
            state.owners[state.order[state.first]] = nil
            state.first += 1
            // Each name is moved once for every time that all of them are replaced.
            if state.first > limit {
                state.order.removeFirst(state.first)
                state.first = 0
            }
        }
    }

    /// Notes that a session has a response no longer.
    func forget(_ name: String, in session: SessionID) {
        state.withLock { state in
            if state.owners[name]?.session == session { state.owners[name]?.session = nil }
        }
    }

    /// The owner of the response of that name, raw JSON.
    func owner(of name: String) -> Owner? { state.withLock { $0.owners[name] } }

    /// The same for a value that a client has sent: raw JSON as it was written.
    func owner(ofValue raw: [UInt8]) -> Owner? {
        guard raw.first == UInt8(ascii: "\""),
            let text = JSONValue(kind: .string, range: 0..<raw.count).decoded(in: raw.span)
        else { return nil }
        return owner(of: Self.name(text))
    }

    /// How a decoded id is written here.
    static func name(_ id: [UInt8]) -> String {
        var raw: [UInt8] = []
        raw.append(jsonString: id.span)
        return String(decoding: raw, as: UTF8.self)
    }
}
