internal import CInterposed
internal import CLibwebsockets
internal import Glibc

/// What the server keeps about one accepted socket, from its first callback to its last; belongs to the loop's thread.
///
/// It reads for the library, and sees what comes first: docs/decisions/0072.
final class Peer {
    let remoteAddress: String
    var exchange: HTTPExchange?
    private(set) var socket: WebSocket?
    /// Who takes the socket over, between the request and the upgrade.
    var upgrade: (any WebSocketHandler)?
    private let descriptor: Int32
    private var incoming = Incoming.head(lastBytes: 0)

    private enum Incoming {
        /// The head of a request, and the last bytes that came of it: 0 before it.
        case head(lastBytes: UInt32)
        /// So many bytes of a body.
        case body(remaining: Int)
        case frames(IncomingFrames)
        /// Frames behind a head whose end was not found: where they begin is not known.
        case unseen
        /// What a client sends after it broke a rule; read so that the connection can end in order.
        case discarded
    }

    /// Begins to read from the socket's descriptor; nil where memory is out.
    init?(_ wsi: OpaquePointer) {
        remoteAddress = RequestReader.remoteAddress(wsi)
        descriptor = lws_get_socket_fd(wsi)
        // Until `leave`: the server calls it when it forgets the socket.
        let reader = Unmanaged.passUnretained(self).toOpaque()
        guard millrace_take_reads(descriptor, reader, readForLibrary) else { return nil }
    }

    /// Reads no more: the descriptor is about to be closed.
    func leave() { millrace_leave_reads(descriptor) }

    /// A body of that many bytes follows the head.
    func expectBody(_ count: Int) { incoming = .body(remaining: count) }

    /// The handshake is done: frames follow.
    func becomes(_ socket: WebSocket) {
        self.socket = socket
        upgrade = nil
        exchange = nil
        if case .head(lastBytes: 0) = incoming {
            incoming = .frames(IncomingFrames())
        } else {
            incoming = .unseen
        }
    }

    /// Reads into `buffer` what the library is to see; as `recv` does.
    fileprivate func read(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let count = receive(into: buffer)
        guard count > 0 else { return count }
        var bytes = UnsafeMutableBufferPointer(rebasing: buffer[..<count]).mutableSpan
        switch incoming {
        case .head, .body, .unseen: return count
        case .frames(var frames):
            let (rest, failure) = frames.take(&bytes) { socket?.pinged($0) }
            incoming = .frames(frames)
            socket?.sendPongs()
            if let failure {
                incoming = .discarded
                socket?.failSoon(failure.reason)
            }
            guard rest == 0 else { return rest }
        case .discarded: break
        }
        errno = EAGAIN
        return -1
    }

    /// Reads no further than the head or the body that is being read: what is behind it waits in the kernel for its turn,
    /// since the library would take it for more of the same request, or for its head again.
    private func receive(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        func receive(_ count: Int, flags: Int32 = 0) -> Int {
            recvfrom(descriptor, buffer.baseAddress, count, flags, nil, nil)
        }
        switch incoming {
        case .head(var lastBytes):
            let there = receive(buffer.count, flags: Int32(MSG_PEEK))
            guard there > 0 else { return there }
            var end = 0
            repeat {
                lastBytes = lastBytes << 8 | UInt32(buffer[end])
                end += 1
            } while end < there && !Self.isHeadEnd(lastBytes)
            incoming = .head(lastBytes: Self.isHeadEnd(lastBytes) ? 0 : lastBytes)
            return receive(end)
        case .body(let remaining):
            let count = receive(min(remaining, buffer.count))
            if count > 0 {
                incoming =
                    count < remaining
                    ? .body(remaining: remaining - count) : .head(lastBytes: 0)
            }
            return count
        case .frames, .unseen, .discarded: return receive(buffer.count)
        }
    }

    /// An empty line; like the library, this does not ask for the CR of a line end.
    private static func isHeadEnd(_ lastBytes: UInt32) -> Bool {
        lastBytes & 0xFFFF == 0x0A0A || lastBytes & 0xFF_FFFF == 0x0A_0D0A
    }
}

/// A read of the library, on the thread of its loop.
private func readForLibrary(
    _ reader: UnsafeMutableRawPointer?, _ descriptor: Int32, _ bytes: UnsafeMutableRawPointer?,
    _ count: Int
) -> Int {
    guard let reader, let bytes else { return 0 }
    let peer = Unmanaged<Peer>.fromOpaque(reader).takeUnretainedValue()
    let buffer = UnsafeMutableBufferPointer(
        start: bytes.assumingMemoryBound(to: UInt8.self), count: count)
    return peer.read(into: buffer)
}
