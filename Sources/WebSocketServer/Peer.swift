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
    /// A request was answered here before.
    var wasAnswered = false
    private let descriptor: Int32
    private var incoming = Incoming.requests(lastBytes: 0)

    private enum Incoming {
        /// Requests, and the last four bytes that came of them.
        case requests(lastBytes: UInt32)
        case frames(IncomingFrames)
        /// Frames behind others that came with the request: where they begin is not known.
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

    /// The handshake is done: frames follow.
    func becomes(_ socket: WebSocket) {
        self.socket = socket
        upgrade = nil
        exchange = nil
        if case .requests(lastBytes: 0x0D0A_0D0A) = incoming {
            incoming = .frames(IncomingFrames())
        } else {
            incoming = .unseen
        }
    }

    /// Reads into `buffer` what the library is to see; as `recv` does.
    fileprivate func read(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let count = recvfrom(descriptor, buffer.baseAddress, buffer.count, 0, nil, nil)
        guard count > 0 else { return count }
        var bytes = UnsafeMutableBufferPointer(rebasing: buffer[..<count]).mutableSpan
        switch incoming {
        case .requests(let earlier):
            let last = bytes.span.extracting(max(0, count - 4)...)
            var lastBytes = earlier
            for index in last.indices { lastBytes = lastBytes << 8 | UInt32(last[index]) }
            incoming = .requests(lastBytes: lastBytes)
            return count
        case .unseen: return count
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
