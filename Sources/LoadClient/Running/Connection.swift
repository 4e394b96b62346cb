/// One WebSocket of one reader: its socket and what is between bytes and frames.
final class Connection {
    enum Phase {
        case connecting
        case securing
        case upgrading
        case awaitingReady
        case open
    }

    let socket: Socket
    var tls: TLSStream?
    var phase = Phase.connecting
    var handshake: Handshake
    var parser: FrameParser
    var outbound: [UInt8] = []
    var outboundStart = 0
    var interest: Poller.Interest = .write
    let token: UInt64
    let requestKey: String
    unowned let reader: Reader
    /// When the attempt was due; what is measured includes the wait for its turn.
    let dueAt: UInt64
    /// When it began.
    let begunAt: UInt64
    /// When it was said where to go on.
    var helloAt: UInt64 = 0
    let isResuming: Bool
    let isSlow: Bool

    init(
        socket: consuming Socket, reader: Reader, requestKey: String, serial: UInt32,
        dueAt: UInt64, begunAt: UInt64, isResuming: Bool, isSlow: Bool, subprotocol: String?,
        maximumFrameBytes: Int
    ) {
        token = UInt64(serial) << 32 | UInt64(socket.fd)
        self.socket = socket
        self.reader = reader
        self.requestKey = requestKey
        self.dueAt = dueAt
        self.begunAt = begunAt
        self.isResuming = isResuming
        self.isSlow = isSlow
        handshake = Handshake(key: requestKey, subprotocol: subprotocol, sha1: Digest.sha1)
        parser = FrameParser(maximumMessageBytes: maximumFrameBytes)
    }

    /// Counts against the limit of connects in flight.
    var isOpening: Bool {
        switch phase {
        case .connecting, .securing, .upgrading, .awaitingReady: true
        case .open: false
        }
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Socket.Transfer {
        tls?.receive(into: buffer) ?? socket.receive(into: buffer)
    }

    func send(_ bytes: UnsafeRawBufferPointer) -> Socket.Transfer {
        tls?.send(bytes) ?? socket.send(bytes)
    }
}
