/// Which upstreams a request may go to.
package enum UpstreamChoice: Equatable, Sendable {
    /// To every one.
    case any
    /// To one only: it has what the request goes on from.
    case only(Int)
    /// To the one that has what the request goes on from, which nobody here knows: all are asked in turn, beginning
    /// with `first`, and now `member`.
    case search(_ member: Int, first: Int)

    /// The only one that will do at present; nil when every one does.
    package var member: Int? {
        switch self {
        case .any: nil
        case .only(let member), .search(let member, _): member
        }
    }

    /// The present one does not have it: goes over to the next of `count`; false when none is left.
    package mutating func goOn(count: Int) -> Bool {
        guard case .search(let member, let first) = self else { return false }
        let next = (member + 1) % count
        guard next != first else { return false }
        self = .search(next, first: first)
        return true
    }
}
