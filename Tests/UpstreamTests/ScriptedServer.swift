import EventLoop
import Glibc
import Synchronization

/// A server on 127.0.0.1 that does what a test's script says: one thread a connection, plain blocking sockets.
final class ScriptedServer: Sendable {
    /// One accepted connection, in the hands of its script.
    final class Connection: Sendable {
        let number: Int
        private let descriptor: Int32
        private let isOpen = Atomic<Bool>(true)

        init(number: Int, descriptor: Int32) {
            self.number = number
            self.descriptor = descriptor
        }

        /// Reads one request, head and body; nil when the peer closed instead.
        func readRequest() -> Request? {
            var bytes: [UInt8] = []
            let blank = Array("\r\n\r\n".utf8)
            while !bytes.suffix(4).elementsEqual(blank) {
                guard let byte = readSome(1)?.first else { return nil }
                bytes.append(byte)
            }
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
            var length = 0
            for line in lines where line.lowercased().hasPrefix("content-length:") {
                length = Int(line.dropFirst(15).filter(\.isNumber)) ?? 0
            }
            var body: [UInt8] = []
            while body.count < length {
                guard let more = readSome(length - body.count) else { return nil }
                body += more
            }
            return Request(
                line: lines.first.map(String.init) ?? "",
                headers: lines.dropFirst().map(String.init), body: body)
        }

        /// Up to `count` bytes; nil at the end of the stream or on an error.
        func readSome(_ count: Int) -> [UInt8]? {
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                initialized = max(0, recv(descriptor, buffer.baseAddress, count, 0))
            }
            return bytes.isEmpty ? nil : bytes
        }

        /// Writes everything; false when the peer is gone.
        @discardableResult
        func write(_ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes { buffer in
                    send(
                        descriptor, buffer.baseAddress?.advanced(by: sent), bytes.count - sent,
                        Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { return false }
                sent += count
            }
            return true
        }

        @discardableResult
        func write(_ text: String) -> Bool { write(Array(text.utf8)) }

        /// One chunk of a chunked body.
        @discardableResult
        func chunk(_ text: String) -> Bool {
            write("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
        }

        /// Blocks until the peer closes; what it sends until then is dropped.
        func waitForClose() { while readSome(4_096) != nil {} }

        /// Ends the connection with a reset instead of a FIN.
        func reset() {
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(
                descriptor, SOL_SOCKET, SO_LINGER, &linger,
                socklen_t(MemoryLayout<Glibc.linger>.size))
            close()
        }

        func close() {
            if isOpen.exchange(false, ordering: .relaxed) { Glibc.close(descriptor) }
        }

        /// Makes a blocked read or write of the script return.
        func interrupt() {
            if isOpen.load(ordering: .relaxed) { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    struct Request: Sendable {
        let line: String
        let headers: [String]
        let body: [UInt8]

        func header(_ name: String) -> String? {
            headers.first { $0.lowercased().hasPrefix("\(name):") }
                .map { String($0.dropFirst(name.count + 1).drop { $0 == " " }) }
        }
    }

    let port: UInt16
    private let listener: Int32
    private let script: @Sendable (Connection) -> Void
    private let connections = Mutex<[Connection]>([])
    private let threads = Mutex<[LoopThread]>([])

    /// Listens on a free port and runs `script` for each connection, which is closed when it returns.
    init(_ script: @escaping @Sendable (Connection) -> Void) throws {
        self.script = script
        (listener, port) = try Self.listen()
        let thread = try LoopThread(name: "scripted") { [self] in accept() }
        threads.withLock { $0.append(thread) }
    }

    var url: String { "http://127.0.0.1:\(port)/v1" }

    /// How many connections were accepted.
    var connectionCount: Int { connections.withLock { $0.count } }

    /// Ends listening and all scripts, and waits for their threads.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        for connection in connections.withLock({ $0 }) { connection.interrupt() }
        while let thread = threads.withLock({ $0.popLast() }) { thread.join() }
        Glibc.close(listener)
    }

    private func accept() {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            guard descriptor >= 0 else { return }
            var one: Int32 = 1
            setsockopt(
                descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one,
                socklen_t(MemoryLayout<Int32>.size))
            let connection = connections.withLock { connections in
                let connection = Connection(number: connections.count, descriptor: descriptor)
                connections.append(connection)
                return connection
            }
            let thread = try? LoopThread(name: "script") { [self] in
                script(connection)
                connection.close()
            }
            if let thread { threads.withLock { $0.append(thread) } }
        }
    }

    private struct SocketError: Error { let errno: Int32 }

    /// A listening socket on a free port of 127.0.0.1.
    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && Glibc.listen(descriptor, 512) == 0
                    && getsockname(descriptor, address, &size) == 0
            }
        }
        guard status else { throw SocketError(errno: errno) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// True when somebody accepts connections on the port.
    static func accepts(port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { Glibc.close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, size) == 0
            }
        }
    }

    /// A port on which nobody listens: bound, so that nobody else gets it, until `close`.
    static func refusingPort() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && getsockname(descriptor, address, &size) == 0
            }
        }
        guard status else { throw SocketError(errno: errno) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }
}

extension ScriptedServer.Connection {
    static let streamHead =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
        + "transfer-encoding: chunked\r\nx-request-id: req_1\r\n\r\n"

    /// Reads a request and begins an event stream; false when there was no request.
    func beginStream() -> Bool {
        guard readRequest() != nil else { return false }
        return write(Self.streamHead)
    }

    func endStream() { write("0\r\n\r\n") }
}
