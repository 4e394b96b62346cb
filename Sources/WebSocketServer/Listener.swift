internal import CLibwebsockets
internal import EventLoop
internal import Glibc

/// Owns one listening TCP socket and hands out what it accepts; belongs to the loop's thread.
///
/// Each shard has its own, with SO_REUSEPORT, so the kernel spreads connections over the shards.
final class Listener {
    /// Accepts taken in one turn of the loop, so that a flood of them cannot starve the open sockets.
    private static let acceptsPerTurn = 64

    private let loop: EventLoop
    private(set) var descriptor: Int32
    private var watcher: FileDescriptorWatcher?
    private var pause: LoopTimer?
    private let accepted: (Int32) -> Void
    /// The bound port, also when port 0 was asked for.
    let port: UInt16

    init(
        loop: EventLoop, host: String, port: UInt16, isShared: Bool, backlog: Int32,
        accepted: @escaping (Int32) -> Void
    ) throws(ServerError) {
        let bound = try Self.bind(host: host, port: port, isShared: isShared, backlog: backlog)
        self.loop = loop
        self.accepted = accepted
        self.descriptor = bound.descriptor
        self.port = bound.port
        do {
            let watcher = try FileDescriptorWatcher(loop: loop, descriptor: bound.descriptor) {
                [unowned self] _, _ in acceptPending()
            }
            watcher.watch(.readable)
            self.watcher = watcher
        } catch {
            // `deinit` closes the descriptor.
            throw .eventLoop(error)
        }
    }

    deinit { close() }

    /// Stops accepting; sockets that were accepted live on.
    func close() {
        watcher?.close()
        watcher = nil
        pause?.cancel()
        pause = nil
        if descriptor >= 0 {
            Glibc.close(descriptor)
            descriptor = -1
        }
    }

    private func acceptPending() {
        for _ in 0..<Self.acceptsPerTurn {
            guard descriptor >= 0 else { return }
            let socket = millrace_accept(descriptor)
            if socket >= 0 {
                accepted(socket)
                continue
            }
            switch errno {
            case EAGAIN, EWOULDBLOCK: return
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return pauseAccepting()
            default: continue  // The peer has gone again; the next one may not have.
            }
        }
    }

    /// No descriptor is left: a readable listener would spin until one is.
    private func pauseAccepting() {
        watcher?.watch([])
        let timer = pause ?? loop.makeTimer { [unowned self] in watcher?.watch(.readable) }
        pause = timer
        timer.arm(after: .milliseconds(100))
    }

    private static func bind(
        host: String, port: UInt16, isShared: Bool, backlog: Int32
    ) throws(ServerError) -> (descriptor: Int32, port: UInt16) {
        let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &list)
        guard status == 0, let first = list else {
            throw .listen(address: address, reason: String(cString: gai_strerror(status)))
        }
        defer { freeaddrinfo(list) }
        let socketType =
            Int32(SOCK_STREAM.rawValue) | Int32(bitPattern: SOCK_NONBLOCK.rawValue)
            | Int32(bitPattern: SOCK_CLOEXEC.rawValue)
        let descriptor = socket(first.pointee.ai_family, socketType, 0)
        guard descriptor >= 0 else { throw .listen(address: address, reason: lastError()) }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
        if first.pointee.ai_family == AF_INET6 {
            // "::" listens on IPv6 alone; "0.0.0.0" on IPv4: what is written is what is open.
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, size)
        }
        if !isShared, port != 0 {
            // With SO_REUSEPORT the port of another gateway would be shared instead of refused.
            do {
                try probe(first.pointee, socketType, address)
            } catch {
                Glibc.close(descriptor)
                throw error
            }
        }
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, size)
        guard Glibc.bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0,
            listen(descriptor, backlog) == 0
        else {
            let reason = lastError()
            Glibc.close(descriptor)
            throw .listen(address: address, reason: reason)
        }
        return (descriptor, boundPort(descriptor))
    }

    /// Throws when somebody listens at the address.
    private static func probe(
        _ information: addrinfo, _ socketType: Int32, _ address: String
    ) throws(ServerError) {
        let descriptor = socket(information.ai_family, socketType, 0)
        defer { Glibc.close(descriptor) }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
        if information.ai_family == AF_INET6 {
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, size)
        }
        guard Glibc.bind(descriptor, information.ai_addr, information.ai_addrlen) == 0 else {
            throw .listen(address: address, reason: lastError())
        }
    }

    private static func boundPort(_ descriptor: Int32) -> UInt16 {
        var storage = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &length)
            }
        }
        // The port lies at the same place in IPv4's and IPv6's address.
        return UInt16(bigEndian: storage.sin6_port)
    }

    private static func lastError() -> String { String(cString: strerror(errno)) }
}
