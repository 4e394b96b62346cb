internal import CInterposed
internal import CLibwebsockets
internal import Glibc

/// What the server keeps about one accepted socket, from its first callback to its last; belongs to the loop's thread.
///
/// It reads for the library, and sees what comes first: docs/decisions/0072 and 0073.
final class Peer {
    let remoteAddress: String
    var exchange: HTTPExchange?
    private(set) var socket: WebSocket?
    /// Who takes the socket over, between the request and the upgrade.
    var upgrade: (any WebSocketHandler)?
    /// How a body in chunks has ended; the library's last piece of it has one byte more, which stands for that.
    private(set) var chunksEnd: ChunkedBody.End?
    /// The owner, which makes peers and forgets them.
    private unowned let server: WebSocketServer
    private let descriptor: Int32
    private var incoming: Incoming
    private var head: ReceivedHead?

    private enum Incoming {
        /// In a box of its own, since a socket that idles would keep the room.
        indirect case head(IncomingHead)
        /// So many bytes of a body.
        case body(remaining: Int)
        case chunks(ChunkedBody)
        case frames(IncomingFrames)
        /// What nobody wants, as what a client sends after it broke a rule; read so that the connection can end in order.
        case discarded
    }

    /// Begins to read from the socket's descriptor; nil where memory is out.
    init?(_ wsi: OpaquePointer, server: WebSocketServer) {
        self.server = server
        descriptor = lws_get_socket_fd(wsi)
        remoteAddress = Self.remoteAddress(descriptor)
        incoming = .head(IncomingHead(limit: server.options.maximumHeadBytes))
        // Until `leave`: the server calls it when it forgets the socket.
        let reader = Unmanaged.passUnretained(self).toOpaque()
        guard millrace_take_reads(descriptor, reader, readForLibrary) else { return nil }
    }

    private static func remoteAddress(_ descriptor: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 64)
        millrace_peer_address(descriptor, &buffer, Int32(buffer.count))
        return String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Reads no more: the descriptor is about to be closed.
    func leave() { millrace_leave_reads(descriptor) }

    /// Hands over the request whose head has just come; its body follows.
    func takeHead() -> ReceivedHead? {
        guard let head else { return nil }
        self.head = nil
        chunksEnd = nil
        switch head.request.framing {
        case .none: incoming = .head(IncomingHead(limit: server.options.maximumHeadBytes))
        case .length(let count): incoming = .body(remaining: count)
        case .chunks: incoming = .chunks(ChunkedBody())
        }
        return head
    }

    /// The handshake is done: frames follow.
    func becomes(_ socket: WebSocket) {
        self.socket = socket
        upgrade = nil
        exchange = nil
        incoming = .frames(IncomingFrames())
    }

    /// Reads into `buffer` what the library is to see; as `recv` does.
    fileprivate func read(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        switch incoming {
        case .head(let head): return readHead(head, into: buffer)
        case .body(let remaining):
            let count = receive(min(remaining, buffer.count), into: buffer)
            guard count > 0 else { return count }
            incoming =
                count < remaining
                ? .body(remaining: remaining - count)
                : .head(IncomingHead(limit: server.options.maximumHeadBytes))
            return count
        case .chunks, .frames, .discarded: break
        }
        let count = receive(buffer.count, into: buffer)
        guard count > 0 else { return count }
        var bytes = UnsafeMutableBufferPointer(rebasing: buffer[..<count]).mutableSpan
        let seen = take(&bytes)
        return seen > 0 ? seen : nothingYet()
    }

    /// Reads no further than the head: what is behind it waits in the kernel for its turn, since the library would take
    /// it for more of the same request, or for its head again.
    private func readHead(
        _ head: consuming IncomingHead, into buffer: UnsafeMutableBufferPointer<UInt8>
    ) -> Int {
        let there = receive(buffer.count, into: buffer, flags: Int32(MSG_PEEK))
        guard there > 0 else { return there }
        incoming = .discarded  // So that the head is not copied.
        let taken = head.take(UnsafeBufferPointer(rebasing: buffer[..<there]).span)
        _ = receive(taken, into: buffer)
        guard let end = head.end else {
            incoming = .head(head)
            return nothingYet()
        }
        let received = ReceivedHead(
            head, end, remoteAddress: remoteAddress, subprotocol: server.options.subprotocol)
        self.head = received
        let bytes = LibraryHead.bytes(for: received, subprotocol: server.options.subprotocol)
        return UnsafeMutableRawBufferPointer(buffer).initializeMemory(
            as: UInt8.self, fromContentsOf: bytes.prefix(buffer.count)
        ).count
    }

    /// Moves what the library is to see to the front of `bytes` and returns how much that is.
    private func take(_ bytes: inout MutableSpan<UInt8>) -> Int {
        switch incoming {
        case .frames(var frames):
            let (count, failure) = frames.take(&bytes) { socket?.pinged($0) }
            incoming = .frames(frames)
            socket?.sendPongs()
            if let failure {
                incoming = .discarded
                socket?.failSoon(failure.reason)
            }
            return count
        case .chunks(var body):
            let (count, end) = body.take(&bytes)
            guard let end else {
                incoming = .chunks(body)
                return count
            }
            // The connection ends with the answer: the library goes on to expect more of the body.
            incoming = .discarded
            chunksEnd = end
            return count + 1
        case .head, .body, .discarded: return 0
        }
    }

    private func receive(
        _ count: Int, into buffer: UnsafeMutableBufferPointer<UInt8>, flags: Int32 = 0
    ) -> Int {
        recvfrom(descriptor, buffer.baseAddress, count, flags, nil, nil)
    }

    /// As `recv` says that more is to come.
    private func nothingYet() -> Int {
        errno = EAGAIN
        return -1
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
