import EventLoop
import Glibc
import Testing

@testable import WebSocketServer

/// Runs a server on this thread while `client` uses it from another, and expects a clean teardown.
func withServer(
    options: ServerOptions = ServerOptions(), handler: any ServerHandler,
    client: @escaping @Sendable (UInt16) -> Void
) throws {
    let loop = try EventLoop()
    let done = Mailbox<Bool>(loop: loop)
    var server: WebSocketServer?
    var thread: LoopThread?
    loop.run(started: {
        do {
            let started = try WebSocketServer(loop: loop, options: options, handler: handler)
            server = started
            let port = try started.listen(host: "127.0.0.1", port: 0)
            done.setHandler { _ in
                started.destroy()
                loop.close()
            }
            thread = try LoopThread(name: "client") {
                client(port)
                done.send(true)
            }
        } catch {
            Issue.record(error)
            server?.destroy()
            loop.close()
        }
    })
    thread?.join()
    server?.finishDestroying()
    #expect(loop.destroy(), "handles were left on the loop")
}

/// A blocking TCP client for tests that need every byte in their own hands.
struct RawClient: ~Copyable {
    private let descriptor: Int32

    /// `receiveBufferBytes` makes a peer that the server soon feels.
    init(port: UInt16, receiveBufferBytes: Int32? = nil) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var bytes = receiveBufferBytes {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        // A test that waits for what never comes fails instead of hanging.
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    deinit { close(descriptor) }

    /// The end of this client is a reset.
    func resetOnClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// Nothing more comes; what is still to be read can be.
    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    func send(_ bytes: [UInt8]) { _ = sendsAll(bytes) }

    /// False when the server has reset the connection, or takes nothing more.
    func sendsAll(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Bytes of which the server's kernel has not said yet that it has them.
    var unconfirmedBytes: Int32 {
        var count: Int32 = 0
        _ = ioctl(descriptor, UInt(TIOCOUTQ), &count)
        return count
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// Reads until `isEnough` or the end of the connection.
    func read(until isEnough: ([UInt8]) -> Bool) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !isEnough(all) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            // A process that was stopped and goes on has its waiting ended.
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            all.append(contentsOf: buffer[..<count])
        }
        return all
    }

    func readText(until mark: String) -> String {
        String(decoding: read { String(decoding: $0, as: UTF8.self).contains(mark) }, as: UTF8.self)
    }

    /// Reads to the end of the connection.
    func readToEnd() -> [UInt8] { read { _ in false } }

    /// Upgrades `path` and returns the head of the answer.
    func upgrade(path: String, headers: String = "") -> String {
        send(Self.upgradeRequest(path: path, headers: headers))
        return readText(until: "\r\n\r\n")
    }

    static func upgradeRequest(path: String, headers: String = "") -> [UInt8] {
        Array(
            """
            GET \(path) HTTP/1.1\r
            Host: localhost\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            \(headers)\r

            """.utf8)
    }

    /// One client frame, masked as RFC 6455 shows it (section 5.7).
    static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
        var frame: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
        let count = payload.count
        switch count {
        case ...125: frame.append(0x80 | UInt8(count))
        case ...0xFFFF: frame += [0x80 | 126, UInt8(count >> 8), UInt8(count & 255)]
        default:
            frame.append(0x80 | 127)
            for shift in (0..<8).reversed() { frame.append(UInt8(count >> (8 * shift) & 255)) }
        }
        let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        return frame + key + payload.indices.map { payload[$0] ^ key[$0 % 4] }
    }
}
