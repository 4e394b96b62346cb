import Glibc
import Testing

@testable import EventLoop

@Suite("A descriptor watcher", .timeLimit(.minutes(10)))
struct FileDescriptorWatcherTests {
    @Test("tells of bytes in front of an error until they are read, a piece at a time")
    func bytesBeforeError() throws {
        let loop = try EventLoop()
        let (client, server) = try Self.connectedPair()
        defer { close(client) }
        // A reset that finds bytes in the receiver's queue: readable and in error at once.
        let bytes = [UInt8](repeating: 1, count: 10_000)
        #expect(send(server, bytes, bytes.count, 0) == bytes.count)
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            server, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close(server)
        var received = 0
        var failure: Int32 = 0
        var watcher: FileDescriptorWatcher?
        loop.run(started: {
            watcher = try? FileDescriptorWatcher(loop: loop, descriptor: client) { _, _ in
                var piece = [UInt8](repeating: 0, count: 100)
                let count = recv(client, &piece, piece.count, 0)
                if count > 0 {
                    received += count
                } else {
                    failure = errno
                    watcher?.close()
                    watcher = nil
                    loop.close()
                }
            }
            watcher?.watch(.readable)
        })
        #expect(received == bytes.count)
        #expect(failure == ECONNRESET)
        #expect(loop.destroy())
    }

    private struct SocketError: Error { let errno: Int32 }

    private static func connectedPair() throws -> (Int32, Int32) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 1) == 0
                    && getsockname(listener, address, &size) == 0
                    && connect(client, address, size) == 0
            }
        }
        guard isConnected else { throw SocketError(errno: errno) }
        return (client, accept(listener, nil, nil))
    }
}
