internal import CEpoll
internal import Glibc

/// Owns one non-blocking TCP socket, closed once.
package struct Socket: ~Copyable {
    package enum Transfer: Equatable {
        case bytes(Int)
        case wouldBlock
        case ended
        case failed(Int32)
    }

    package let fd: Int32

    private init(fd: Int32) { self.fd = fd }

    deinit { close(fd) }

    /// Begins to connect; the socket is writable once that is decided.
    package static func connect(
        to address: SocketAddress, source: UInt8?, receiveBufferBytes: Int?
    ) throws(SystemError) -> Socket {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let fd = Glibc.socket(address.family, type | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw SystemError("socket") }
        let socket = Socket(fd: fd)
        socket.set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        if let receiveBufferBytes {
            socket.set(SOL_SOCKET, SO_RCVBUF, Int32(clamping: receiveBufferBytes))
        }
        if let source {
            // Lets the kernel choose the port with the destination in view: 28,000 for each pair.
            socket.set(Int32(IPPROTO_IP), ce_bind_address_no_port(), 1)
            try SocketAddress.loopback(source).with { pointer, length throws(SystemError) in
                guard bind(fd, pointer, length) == 0 else {
                    throw SystemError("bind 127.0.0.\(source)")
                }
            }
        }
        try address.with { pointer, length throws(SystemError) in
            guard Glibc.connect(fd, pointer, length) == 0 || errno == EINPROGRESS else {
                throw SystemError("connect")
            }
        }
        return socket
    }

    private func set(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// What became of the connect, or of the connection: 0, or an errno.
    package var pendingError: Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length)
        return code
    }

    /// Makes the coming close a TCP reset.
    package func resetOnClose() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        let length = socklen_t(MemoryLayout<linger>.size)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, length)
    }

    package func receive(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        let count = recv(fd, buffer.baseAddress, buffer.count, 0)
        return Self.transfer(count, zeroMeans: .ended)
    }

    package func send(_ bytes: UnsafeRawBufferPointer) -> Transfer {
        let count = Glibc.send(fd, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        return Self.transfer(count, zeroMeans: .wouldBlock)
    }

    private static func transfer(_ count: Int, zeroMeans zero: Transfer) -> Transfer {
        if count > 0 { return .bytes(count) }
        if count == 0 { return zero }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(errno)
    }
}
