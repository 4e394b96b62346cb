internal import CLibwebsockets
package import EventLoop
internal import GatewayCore

/// What the one who answers a request hears while it does; called on the loop's thread.
package protocol HTTPExchangeObserver: AnyObject {
    /// The kernel takes bytes again, after a write that was refused.
    func exchangeIsClear(_ exchange: HTTPExchange)

    /// The peer has gone before the response ended; nothing can be written any more.
    func exchangePeerClosed(_ exchange: HTTPExchange)
}

/// Who takes the body of a request that is handed over piece by piece; called on the loop's thread.
package protocol HTTPBodyReceiver: AnyObject {
    /// The next piece; lent for the call.
    func exchange(_ exchange: HTTPExchange, received piece: Span<UInt8>)

    /// The body is whole.
    func exchangeBodyEnded(_ exchange: HTTPExchange)
}

/// One HTTP request and its response; belongs to the loop's thread.
///
/// A response is sent whole, or begun, written in pieces and ended. Like a WebSocket it has no queue:
/// a piece is refused while earlier bytes wait.
package final class HTTPExchange {
    /// How the end of a response is found by the peer.
    package enum Length: Sendable {
        case known(Int)
        /// Pieces of `Transfer-Encoding: chunked`; `untilClose` for a peer of HTTP/1.0.
        case chunked
        /// Ends with the connection.
        case untilClose
        /// The status says that no content follows (RFC 9110, section 8.6; RFC 9112, section 6.1).
        case nothing
    }

    /// How far the exchange is.
    ///
    ///     receiving ──whole request──▶ waiting ──begin──▶ writing ──end──▶ ended
    ///         └─────early answer to a streamed body─────────▲
    ///
    /// A peer that leaves before `ended` makes it `gone`.
    private enum Phase {
        case receiving
        /// For whoever answers.
        case waiting
        case writing(Length)
        /// All was handed over, though the kernel may not have taken all of it.
        case ended
        case gone
    }

    private let server: WebSocketServer
    private var wsi: OpaquePointer?
    private var phase = Phase.receiving
    private var closesAfter = false
    private var wantsWritable = false
    /// A write has failed: the peer's leaving is about to be told.
    private var isBroken = false
    /// Looks whether the peer still takes bytes, once somebody has asked for that.
    private var reading: LoopTimer?
    /// How many it had taken when that was last looked at.
    private var confirmedBytes: UInt64 = 0
    /// The head of the request.
    package let request: HTTPRequest
    /// The whole body, until it is taken.
    package private(set) var body: [UInt8] = []
    /// What the body counts in the server's limit.
    private var countedBytes = 0
    /// When a collected body must be whole.
    private var bodyDeadline: Instant?
    /// The request came to its end.
    private var isWhole = false
    /// The library reads nothing of the peer.
    private var isHeldBack = false
    /// The request has a body.
    var hasBody = false
    /// The length of a body that is handed over piece by piece; nil when it is collected.
    package private(set) var streamedBodyBytes: Int?
    /// Who takes such a body; held weakly.
    package weak var bodyReceiver: (any HTTPBodyReceiver)?
    /// Who hears of room and of the peer's leaving; held weakly.
    package weak var observer: (any HTTPExchangeObserver)?

    init(server: WebSocketServer, wsi: OpaquePointer, request: HTTPRequest) {
        self.server = server
        self.wsi = wsi
        self.request = request
    }

    /// The loop that the exchange belongs to.
    package var loop: EventLoop { server.loop }

    /// True when a piece would be written at once.
    package var isClear: Bool {
        guard let wsi, !isBroken else { return false }
        return lws_partial_buffered(wsi) == 0
    }

    /// True while the peer is there and the response has not ended.
    package var isOpen: Bool {
        switch phase {
        case .receiving, .waiting, .writing: wsi != nil && !isBroken
        case .ended, .gone: false
        }
    }

    /// Hands the body over: it is not kept for as long as the answer takes.
    package func takeBody() -> [UInt8] {
        defer { releaseBody() }
        return body
    }

    private func releaseBody() {
        body = []
        server.collectedBytesChanged(by: -countedBytes)
        countedBytes = 0
    }

    /// Sends a whole response.
    package func respond(_ response: HTTPResponse) {
        begin(
            status: response.status, headers: response.headers, length: .known(response.body.count))
        if !response.body.isEmpty, request.method != .head, HTTPStatus.hasContent(response.status) {
            var frame = OutgoingFrame(capacity: response.body.count)
            frame.bytes.append(contentsOf: response.body)
            writeRaw(frame.bytes[OutgoingFrame.headroom...])
        }
        end()
    }

    /// Sends the head of a response that is then written in pieces; of one whose status has no content, none is.
    package func begin(status: Int, headers: [(String, String)], length: Length) {
        switch phase {
        case .waiting: break
        case .receiving where streamedBodyBytes != nil:
            // An answer before the body's end: it may end before that too.
            closesAfter = true
        case .receiving, .writing, .ended, .gone: return
        }
        var length = length
        if case .chunked = length, !request.takesChunks { length = .untilClose }
        if !HTTPStatus.hasContent(status) { length = .nothing }
        phase = .writing(length)
        var head = "HTTP/1.1 \(status) \(HTTPStatus.reason(status))\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        switch length {
        case .known(let count): head += "content-length: \(count)\r\n"
        case .chunked: head += "transfer-encoding: chunked\r\n"
        case .untilClose: closesAfter = true
        case .nothing where status == 205: head += "content-length: 0\r\n"
        case .nothing: break
        }
        if closesAfter { head += "connection: close\r\n" }
        head += "date: \(server.date)\r\n\r\n"
        writeRaw(Array(head.utf8)[...])
    }

    /// Writes the payload of `frame` as one piece; false when earlier bytes still wait (`exchangeIsClear` follows).
    package func write(_ frame: inout OutgoingFrame) -> Bool {
        guard let wsi, case .writing(let length) = phase, !frame.isEmpty else { return true }
        if case .nothing = length { return true }
        guard lws_partial_buffered(wsi) == 0 else {
            askForWritable()
            return false
        }
        var start = OutgoingFrame.headroom
        if case .chunked = length {
            // The length goes into the room in front, so that a piece is one write.
            start -= 2
            frame.bytes[start] = UInt8(ascii: "\r")
            frame.bytes[start + 1] = UInt8(ascii: "\n")
            var rest = frame.count
            repeat {
                start -= 1
                let digit = UInt8(rest & 15)
                frame.bytes[start] = digit < 10 ? 48 + digit : 87 + digit
                rest >>= 4
            } while rest > 0
            frame.bytes.append(UInt8(ascii: "\r"))
            frame.bytes.append(UInt8(ascii: "\n"))
        }
        writeRaw(frame.bytes[start...])
        return true
    }

    /// Writes bytes as they are, past any framing: for a peer that is to be confused on purpose.
    package func writeUnframed(_ bytes: [UInt8]) { writeRaw(bytes[...]) }

    /// Announces and does a close after the response; call before it begins.
    func closeAfterResponse() { closesAfter = true }

    /// Ends the response; the connection is kept for another request where HTTP allows it.
    package func end() {
        guard !isBroken, case .writing(let length) = phase else { return }
        if case .chunked = length { writeRaw(Array("0\r\n\r\n".utf8)[...]) }
        phase = .ended
        observer = nil
        releaseBody()
        complete()
    }

    private func complete() {
        guard let wsi, !isBroken else { return }
        // What the kernel did not take yet goes out first: `writable` comes back.
        guard lws_partial_buffered(wsi) == 0 else { return limitReading() }
        reading?.cancel()
        reading = nil
        server.completed(wsi, closes: closesAfter)
    }

    /// Closes the connection when the peer takes nothing of what waits for it for as long as it may pause in a body.
    ///
    /// For answers that only their reader holds up, until it has taken what waits: what others still write may wait for
    /// a peer for reasons of its own.
    package func limitReading() {
        guard let wsi, reading == nil else { return }
        confirmedBytes = millrace_confirmed_bytes(lws_get_socket_fd(wsi))
        let timer = loop.makeTimer { [weak self] in self?.lookWhetherRead() }
        reading = timer
        timer.arm(after: .seconds(Int64(server.options.requestTimeoutSeconds)))
    }

    private func lookWhetherRead() {
        guard let wsi else { return }
        let confirmed = millrace_confirmed_bytes(lws_get_socket_fd(wsi))
        guard confirmed > confirmedBytes else { return server.kill(wsi) }
        confirmedBytes = confirmed
        reading?.arm(after: .seconds(Int64(server.options.requestTimeoutSeconds)))
    }

    /// Closes the connection now, wherever the response is; with `reset` the peer sees a reset.
    package func abort(reset: Bool) {
        guard let wsi else { return }
        observer = nil
        if reset { millrace_reset_connection(lws_get_socket_fd(wsi)) }
        server.kill(wsi)
    }

    /// Asks to be told by `exchangeIsClear`.
    package func askForWritable() {
        guard let wsi, !wantsWritable else { return }
        wantsWritable = true
        lws_callback_on_writable(wsi)
    }

    private func writeRaw(_ bytes: ArraySlice<UInt8>) {
        guard let wsi, !isBroken, !bytes.isEmpty else { return }
        // The library takes a mutable pointer and does not write to it for HTTP/1.
        let written = bytes.withUnsafeBufferPointer { buffer -> Int32 in
            guard let base = UnsafeMutablePointer(mutating: buffer.baseAddress) else { return -1 }
            return lws_write(wsi, base, buffer.count, LWS_WRITE_HTTP)
        }
        guard written < 0 else { return }
        isBroken = true
        server.writeFailed(wsi)
    }

    /// Holds a streamed body back, so that the peer's window fills.
    package func pauseBody() {
        // A peer that is held back is not late.
        forgetBodyTimeout()
        guard let wsi, streamedBodyBytes != nil, !isHeldBack else { return }
        isHeldBack = true
        _ = lws_rx_flow_control(wsi, 0)
    }

    /// Lets it come again, in time.
    package func resumeBody() {
        watchBody()
        readOn()
    }

    /// Lets come what nobody wants any more, at the peer's pace: a peer may stop sending once it is answered.
    package func discardBody() {
        forgetBodyTimeout()
        readOn()
    }

    private func forgetBodyTimeout() {
        if let wsi { lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0) }
    }

    /// Has the library read on; what follows the exchange on the connection is not to be held back for its body.
    func readOn() {
        guard let wsi, isHeldBack else { return }
        isHeldBack = false
        _ = lws_rx_flow_control(wsi, 1)
    }

    // MARK: From the library's callback

    /// The body is to be handed over piece by piece.
    func streamBody(_ count: Int) { streamedBodyBytes = count }

    /// The body is to be collected; so many bytes of it are reserved.
    func collectBody(_ count: Int) {
        countedBytes = count
        server.collectedBytesChanged(by: count)
        bodyDeadline = loop.now + server.options.bodyTimeout
    }

    /// The peer waits for a word before it sends the body.
    func askForBody() { writeRaw(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)[...]) }

    /// Gives the body's next piece its time; with every piece the library does it itself.
    func watchBody() {
        guard let wsi, isOpen, !isWhole else { return }
        lws_set_timeout(
            wsi, PENDING_TIMEOUT_HTTP_CONTENT, Int32(clamping: server.options.requestTimeoutSeconds)
        )
    }

    /// Takes a piece of the body, or answers that it is too much or too late; nothing once the response has ended.
    func receive(_ piece: UnsafeRawBufferPointer) {
        guard isOpen else { return }
        if streamedBodyBytes != nil {
            // Also after the answer has begun: whoever gives it may still read.
            bodyReceiver?.exchange(self, received: piece.bindMemory(to: UInt8.self).span)
            return
        }
        guard case .receiving = phase else { return }
        if let bodyDeadline, loop.now >= bodyDeadline {
            return answerAndClose(.error(408, "request_timeout", "the body took too long"))
        }
        let count = body.count + piece.count
        let further = max(count - countedBytes, 0)
        if let refusal = server.refusal(ofBodyOf: count, reserving: further) {
            return answerAndClose(refusal)
        }
        countedBytes += further
        server.collectedBytesChanged(by: further)
        body.append(contentsOf: piece)
    }

    /// Marks the request as whole.
    ///
    /// False when it was before, by a peer that sends on and on, or was refused before its end.
    func requestIsComplete() -> Bool {
        guard !isWhole else { return false }
        isWhole = true
        if case .receiving = phase {
            phase = .waiting
        } else if streamedBodyBytes == nil {
            return false
        }
        if streamedBodyBytes != nil { bodyReceiver?.exchangeBodyEnded(self) }
        return true
    }

    func answerAndClose(_ response: HTTPResponse) {
        if case .receiving = phase { phase = .waiting }
        closesAfter = true
        respond(response)
    }

    /// The kernel takes bytes again.
    ///
    /// Returns false when all is written and the connection is to close.
    func writable() -> Bool {
        wantsWritable = false
        if isWhole { forgetBodyTimeout() }
        switch phase {
        case .writing, .waiting:
            // It has taken all that waited.
            reading?.cancel()
            reading = nil
            observer?.exchangeIsClear(self)
            return true
        case .ended:
            complete()
            return true
        case .receiving, .gone: return true
        }
    }

    func gone() {
        wsi = nil
        reading?.cancel()
        reading = nil
        releaseBody()
        if case .ended = phase { return }
        phase = .gone
        observer?.exchangePeerClosed(self)
    }
}
