internal import CLibwebsockets
internal import EventLoop
package import GatewayCore
internal import Glibc

/// One open WebSocket; belongs to its loop's thread.
///
/// There is no send queue: a frame is written when the socket is clear, and refused when it is not.
/// Whoever sends keeps a position and comes back at `webSocketIsClear`.
package final class WebSocket {
    private enum State {
        case open
        /// Our close frame is out, or waits for the socket to become clear.
        case closing(CloseCode, String, isSent: Bool)
        case closed
    }

    /// What became of a frame.
    package enum SendOutcome {
        /// With the kernel, or in the library's hands.
        case sent
        /// Earlier bytes still wait: `webSocketIsClear` follows.
        case busy
        /// The socket is closing or gone.
        case closed
    }

    private let server: WebSocketServer
    private var wsi: OpaquePointer?
    private var state = State.open
    private let handler: any WebSocketHandler
    private var closeTimer: LoopTimer?
    /// The pieces of a message that did not arrive in one.
    private var assembly: [UInt8] = []
    private var pongs = OutgoingPongs()
    /// The peer broke a rule of the protocol: nothing that it says counts any more.
    private var isFailed = false
    private var wantsWritable = false
    /// When anything was last heard from the peer.
    package private(set) var lastHeard: Instant
    /// The code that ended it: the peer's, or ours when we closed first; 1006 when there was none.
    package private(set) var closeCode = CloseCode.abnormal

    init(server: WebSocketServer, wsi: OpaquePointer, handler: any WebSocketHandler) {
        self.server = server
        self.wsi = wsi
        self.handler = handler
        lastHeard = server.loop.now
    }

    /// True until a close was begun by either side.
    package var isOpen: Bool {
        if case .open = state { return true }
        return false
    }

    /// True when a frame would be written at once.
    package var isClear: Bool {
        guard let wsi, isOpen else { return false }
        return lws_partial_buffered(wsi) == 0
    }

    /// Sends the payload of `frame` as one message, unless earlier bytes still wait.
    ///
    /// Written directly, outside the library's writable callback: sound for an HTTP/1.1 socket without
    /// extensions and with nothing buffered, and half the system calls (docs/decisions).
    package func send(_ frame: inout OutgoingFrame, isBinary: Bool = false) -> SendOutcome {
        whenClear { wsi in
            let count = frame.count
            return frame.bytes.withUnsafeMutableBufferPointer { buffer -> Int32 in
                guard let base = buffer.baseAddress else { return -1 }
                return lws_write(
                    wsi, base + OutgoingFrame.headroom, count,
                    isBinary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT)
            }
        }
    }

    /// Sends all of `messages` in one write, unless earlier bytes still wait.
    ///
    /// They are frames already, which go out as they are: the library does so with what it takes for HTTP.
    package func send(_ messages: inout OutgoingMessages) -> SendOutcome {
        whenClear { wsi in
            messages.withFrames { buffer -> Int32 in
                guard let base = buffer.baseAddress else { return 0 }
                return lws_write(wsi, base, buffer.count, LWS_WRITE_HTTP)
            }
        }
    }

    /// Writes unless earlier bytes still wait; `write` says what the library said.
    @inline(__always)
    private func whenClear(_ write: (OpaquePointer) -> Int32) -> SendOutcome {
        guard let wsi, isOpen else { return .closed }
        guard lws_partial_buffered(wsi) == 0 else {
            askForWritable()
            return .busy
        }
        guard write(wsi) >= 0 else {
            server.writeFailed(wsi)
            return .closed
        }
        return .sent
    }

    /// Asks to be told when the socket is clear.
    package func askForWritable() {
        guard let wsi, !wantsWritable else { return }
        wantsWritable = true
        lws_callback_on_writable(wsi)
    }

    /// Sends a ping when the socket is clear; one that is not shows by its unread bytes that it lags.
    package func ping() {
        guard let wsi, isClear else { return }
        // The library tells of a pong only when it has a payload.
        var frame = OutgoingFrame(capacity: 1)
        frame.bytes.append(UInt8(ascii: "h"))
        let written = frame.bytes.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return -1 }
            return lws_write(wsi, base + OutgoingFrame.headroom, 1, LWS_WRITE_PING)
        }
        if written < 0 { server.writeFailed(wsi) }
    }

    /// Closes with `code` and a reason (cut to the 123 bytes a close frame has); the peer has a time to answer.
    package func close(_ code: CloseCode, _ reason: String) {
        guard let wsi, isOpen else { return }
        closeCode = code
        state = .closing(code, reason, isSent: false)
        limitClosing()
        if lws_partial_buffered(wsi) == 0 {
            sendCloseFrame()
        } else {
            askForWritable()
        }
    }

    /// Cuts the connection at once, without a close frame.
    ///
    /// `webSocketClosed` is called before it returns, or when the socket's callback that is running ends.
    package func cut() {
        guard let wsi else { return }
        server.kill(wsi)
    }

    /// A peer that does not answer our close frame is cut off.
    private func limitClosing() {
        let timer = server.loop.makeTimer { [unowned self] in cut() }
        timer.arm(after: server.options.closeTimeout)
        closeTimer = timer
    }

    /// Ends a connection whose peer broke a rule of the protocol, with the next turn of the loop: the library has not
    /// read yet what came before that.
    ///
    /// Source: RFC 6455, section 7.1.7.
    func failSoon(_ reason: String) {
        isFailed = true
        // Not in the place of a timer that a close has armed already, and the socket may be gone before it fires.
        let timer = server.loop.makeTimer { [weak self] in
            self?.close(.protocolError, reason)
            self?.endSending()
        }
        timer.arm(after: .zero)
    }

    /// Ends our direction behind the last byte, where nothing that the peer still says can matter: it need not answer
    /// our close frame, and reads it all the same.
    private func endSending() {
        guard let wsi, isFailed, case .closing(_, _, isSent: true) = state,
            lws_partial_buffered(wsi) == 0
        else { return }
        shutdown(lws_get_socket_fd(wsi), Int32(SHUT_WR))
    }

    private func sendCloseFrame() {
        guard let wsi, case .closing(let code, let reason, false) = state else { return }
        state = .closing(code, reason, isSent: true)
        var frame = [UInt8](repeating: 0, count: OutgoingFrame.headroom)
        frame.append(UInt8(code.rawValue >> 8))
        frame.append(UInt8(code.rawValue & 0xFF))
        var text = Substring(reason)
        while text.utf8.count > 123 { text = text.dropLast() }
        frame.append(contentsOf: text.utf8)
        let count = frame.count - OutgoingFrame.headroom
        let written = frame.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return -1 }
            return millrace_lws_write_close(wsi, base + OutgoingFrame.headroom, count)
        }
        // Not to be waited for: the peer will not answer what it does not get.
        if written < 0 { server.writeFailed(wsi) }
    }

    // MARK: From the library's callback; the result says whether the connection goes on

    func opened() { handler.webSocketOpened(self) }

    /// Takes one piece of a message, of whose frame `remaining` bytes are still to come.
    ///
    /// Returns false to close (the code is set then).
    func received(
        _ piece: UnsafeRawBufferPointer, remaining: Int, isLast: Bool, isBinary: Bool
    ) -> Bool {
        lastHeard = server.loop.now
        guard isOpen else { return true }  // Sent before the peer saw our close: not for us.
        // What a frame's header announces counts at once.
        let announced = piece.count + remaining
        guard announced <= handler.maximumFrameBytes else {
            return refuseTooBig("frame exceeds \(handler.maximumFrameBytes) bytes")
        }
        guard assembly.count + announced <= handler.maximumMessageBytes else {
            return refuseTooBig("message exceeds \(handler.maximumMessageBytes) bytes")
        }
        if assembly.isEmpty, isLast {
            handler.webSocket(
                self, received: piece.bindMemory(to: UInt8.self).span, isBinary: isBinary)
            return wsi != nil
        }
        assembly.append(contentsOf: piece)
        guard isLast else { return true }
        let message = assembly
        assembly = []
        // The library does not look whether an empty frame ends a text inside a character.
        guard isBinary || !piece.isEmpty || !Self.endsInsideCharacter(message) else {
            close(.invalidPayload, "text is not UTF-8")
            return true
        }
        handler.webSocket(self, received: message.span, isBinary: isBinary)
        return wsi != nil
    }

    private static func endsInsideCharacter(_ text: [UInt8]) -> Bool {
        for (following, byte) in text.reversed().prefix(3).enumerated() where byte & 0xC0 != 0x80 {
            let length = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            return following + 1 < length
        }
        return false
    }

    private func refuseTooBig(_ reason: String) -> Bool {
        assembly = []
        // Our own close frame: the library's way to close from here sends it seconds late.
        close(.messageTooBig, reason)
        return true
    }

    func heard() { lastHeard = server.loop.now }

    /// The peer has sent a ping with `payload`: `sendPongs` answers.
    func pinged(_ payload: Span<UInt8>) {
        heard()
        pongs.append(payload)
    }

    /// Sends the pongs that wait, or leaves them until the socket is clear.
    func sendPongs() {
        guard !pongs.frames.isEmpty else { return }
        let outcome = whenClear { wsi in
            pongs.withFrames { buffer -> Int32 in
                guard let base = buffer.baseAddress else { return 0 }
                return lws_write(wsi, base, buffer.count, LWS_WRITE_HTTP)
            }
        }
        if outcome != .busy { pongs = OutgoingPongs() }
    }

    /// The kernel takes bytes again.
    ///
    /// Returns false when the connection is to end.
    func writable() -> Bool {
        wantsWritable = false
        switch state {
        case .open:
            sendPongs()
            handler.webSocketIsClear(self)
        case .closing(_, _, isSent: false):
            sendCloseFrame()
            endSending()
        case .closing: endSending()
        case .closed: break
        }
        return true
    }

    /// The peer sent a close frame.
    ///
    /// Returns false when ours is out already, so that nothing is left to say.
    func peerClosed(code: CloseCode) -> Bool {
        if case .closing(_, _, isSent: true) = state { return false }
        // What waits for its turn only, and not for the peer, goes out before the close is answered.
        if wantsWritable, isClear {
            handler.webSocketIsClear(self)
            // Its owner may have closed the socket over that: one close frame is enough.
            guard isOpen else { return false }
        }
        // Where our own close waits to be sent, it is we who began.
        if isOpen { closeCode = code }
        state = .closing(code, "", isSent: true)
        return true
    }

    /// The peer sent a close frame that is none (RFC 6455, section 5.5.1); the library would repeat it.
    ///
    /// Returns false: nothing is left to say after ours.
    func peerClosedWrongly() -> Bool {
        close(.protocolError, "a close frame has two bytes or more, or none")
        return false
    }

    func gone() {
        guard wsi != nil else { return }
        wsi = nil
        state = .closed
        closeTimer?.cancel()
        closeTimer = nil
        handler.webSocketClosed(self)
    }
}
