import Configuration
import Synchronization
import WebSocketServer

/// Decides who may connect: by origin, and by the number of connections in all and per address.
///
/// Shared by all shards.
final class Admission: Sendable {
    private struct Counts {
        var total = 0
        var byAddress: [String: Int] = [:]
    }

    private let configuration: ServerConfiguration
    private let counts = Mutex(Counts())

    init(_ configuration: ServerConfiguration) { self.configuration = configuration }

    /// Why a connection is turned away; nil when it may come.
    func refusal(of request: HTTPRequest) -> HTTPResponse? {
        guard allowsOrigin(of: request) else {
            return .error(403, "origin_not_allowed", "this origin may not connect (server.origins)")
        }
        return nil
    }

    /// A place among the connections, given back when the last reference to it goes: also after a handshake that came
    /// to nothing.
    final class Place {
        private let admission: Admission
        private let address: String

        fileprivate init(_ admission: Admission, _ address: String) {
            self.admission = admission
            self.address = address
        }

        deinit { admission.leave(address) }
    }

    /// Counts a connection in, or says why there is no room.
    func enter(_ address: String) -> Result<Place, Refusal> {
        if let response = count(address) { return .failure(Refusal(response: response)) }
        return .success(Place(self, address))
    }

    /// Why there is no room.
    struct Refusal: Error { let response: HTTPResponse }

    private func count(_ address: String) -> HTTPResponse? {
        counts.withLock { counts in
            guard counts.total < configuration.connections else {
                return .error(
                    503, "overloaded", "no room for more connections (server.connections)",
                    headers: [("retry-after", "5")])
            }
            let limit = configuration.connectionsPerAddress
            guard limit == 0 || counts.byAddress[address, default: 0] < limit else {
                return .error(
                    429, "too_many_connections",
                    "too many connections from this address (server.connections_per_address)",
                    headers: [("retry-after", "5")])
            }
            counts.total += 1
            counts.byAddress[address, default: 0] += 1
            return nil
        }
    }

    private func leave(_ address: String) {
        counts.withLock { counts in
            counts.total -= 1
            let left = counts.byAddress[address, default: 1] - 1
            counts.byAddress[address] = left > 0 ? left : nil
        }
    }

    /// The client's address: the peer's, or where that is a trusted proxy, the last one of `x-forwarded-for` that is not.
    func clientAddress(of request: HTTPRequest) -> String {
        guard isTrusted(request.remoteAddress),
            let forwarded = request.headers["x-forwarded-for"]
        else { return request.remoteAddress }
        for part in forwarded.split(separator: ",").reversed() {
            let address = String(part.drop { $0 == " " }.prefix { $0 != " " })
            if !isTrusted(address) { return String(address.prefix(64)) }
        }
        return request.remoteAddress
    }

    private func isTrusted(_ address: String) -> Bool {
        configuration.trustedProxies.contains { $0.contains(text: address) }
    }

    /// RFC 6455, section 10.2: a browser says where its page came from.
    private func allowsOrigin(of request: HTTPRequest) -> Bool {
        guard let origin = request.headers["origin"] else { return true }
        if configuration.origins.contains("*") || configuration.origins.contains(origin) {
            return true
        }
        guard let scheme = origin.range(of: "://"), let host = request.host else {
            return false
        }
        return origin[scheme.upperBound...].lowercased() == host.lowercased()
    }
}

extension String {
    /// Where `text` first stands; Foundation's name for it, which is not linked here.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) {
                return start..<index(start, offsetBy: text.count)
            }
            start = index(after: start)
        }
        return nil
    }
}
