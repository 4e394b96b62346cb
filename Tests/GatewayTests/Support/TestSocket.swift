import Glibc

/// A blocking TCP connection to 127.0.0.1; nothing takes longer than 30 seconds.
final class TestSocket {
    struct Failure: Error, CustomStringConvertible { let description: String }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var isClosed = false

    /// Connects; `receiveBuffer` (bytes) makes a reader that is soon full.
    init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var time = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        if var receiveBuffer {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer,
                socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            throw Failure(description: "connect: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close() }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        Glibc.close(descriptor)
    }

    /// Ends the connection with a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &linger,
            socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    func write(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                send(
                    descriptor, buffer.baseAddress?.advanced(by: sent), bytes.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Exactly so many bytes.
    func read(_ count: Int) throws -> [UInt8] {
        while buffer.count < count { try fill() }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    /// The bytes up to the end of a message's head, its empty line included.
    func readHead() throws -> String {
        while true {
            if let end = Self.endOfHead(buffer) {
                return String(decoding: try read(end), as: UTF8.self)
            }
            try fill()
        }
    }

    /// Everything up to the connection's end.
    func readToEnd() -> [UInt8] {
        while (try? fill()) != nil {}
        defer { buffer = [] }
        return buffer
    }

    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        let blank = Array("\r\n\r\n".utf8)
        guard bytes.count >= blank.count else { return nil }
        return (0...(bytes.count - blank.count)).first { bytes[$0...].starts(with: blank) }
            .map { $0 + blank.count }
    }

    private func fill() throws {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        var count = 0
        // A process that was stopped and goes on has its waiting ended.
        repeat {
            count = recv(descriptor, &piece, piece.count, 0)
        } while count < 0 && errno == EINTR
        guard count > 0 else {
            throw Failure(
                description: count == 0
                    ? "the connection ended" : "nothing came: \(String(cString: strerror(errno)))")
        }
        buffer += piece[..<count]
    }
}

/// The body of a plain GET whose length is announced; empty when there is none.
func httpGet(_ port: UInt16, _ path: String) -> [UInt8] {
    guard let socket = try? TestSocket(port: port) else { return [] }
    socket.write(Array("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8))
    guard let head = try? socket.readHead().lowercased(),
        let field = head.split(separator: "\r\n").first(where: { $0.hasPrefix("content-length:") }),
        let length = Int(field.drop { !$0.isNumber }), let body = try? socket.read(length)
    else { return [] }
    return body
}

/// A metric of the gateway on a port, by its name and labels as in its text; -1 when it is not there.
func gatewayMetric(_ name: String, _ port: UInt16) -> Double {
    let text = String(decoding: httpGet(port, "/metrics"), as: UTF8.self)
    for line in text.split(separator: "\n") where line.hasPrefix("\(name) ") {
        return Double(line.dropFirst(name.count + 1)) ?? -1
    }
    return -1
}
