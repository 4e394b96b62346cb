internal import CEpoll
internal import Glibc

/// An IPv4 or IPv6 address with its port.
package struct SocketAddress {
    private var storage: sockaddr_storage
    private let length: socklen_t

    package var family: Int32 { Int32(storage.ss_family) }
    package var isVersion4: Bool { family == AF_INET }

    /// Resolves a host name, IPv4 first; blocks, so it is called once, before the load.
    package static func resolve(host: String, port: UInt16) throws(SystemError) -> SocketAddress {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        var best: SocketAddress?
        var next = list
        while let entry = next {
            let isFour = entry.pointee.ai_family == AF_INET
            if let address = entry.pointee.ai_addr,
                best == nil || (isFour && best?.family != AF_INET)
            {
                var storage = sockaddr_storage()
                let count = Int(entry.pointee.ai_addrlen)
                withUnsafeMutableBytes(of: &storage) { target in
                    target.copyMemory(from: UnsafeRawBufferPointer(start: address, count: count))
                }
                best = SocketAddress(storage: storage, length: entry.pointee.ai_addrlen)
            }
            next = entry.pointee.ai_next
        }
        guard let best else {
            // No errno, but for a failure of the system beneath.
            if code == EAI_SYSTEM { throw SystemError("resolve \(host)") }
            throw SystemError("resolve \(host)", reason: String(cString: gai_strerror(code)))
        }
        return best
    }

    /// The loopback address that ends in `last`, with no port of its own.
    package static func loopback(_ last: UInt8) -> SocketAddress {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = (0x7F00_0000 | UInt32(last)).bigEndian
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { target in
            withUnsafeBytes(of: &address) { target.copyMemory(from: $0) }
        }
        return SocketAddress(
            storage: storage, length: socklen_t(MemoryLayout<sockaddr_in>.size))
    }

    func with(
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
    ) throws(SystemError) {
        var copy = storage
        let result = withUnsafePointer(to: &copy) { pointer -> Result<Void, SystemError> in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                do throws(SystemError) {
                    return .success(try body(address, length))
                } catch {
                    return .failure(error)
                }
            }
        }
        try result.get()
    }
}
