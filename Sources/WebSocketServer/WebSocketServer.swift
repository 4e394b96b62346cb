internal import CLibwebsockets
package import EventLoop
internal import Glibc

/// HTTP/1.1 and WebSockets on one event loop through libwebsockets; belongs to the loop's thread.
///
/// The server accepts on its own socket and hands the descriptor to the library, because the library's
/// own listening cannot share a port between contexts. Extensions, HTTP/2 and the library's timers
/// are off (docs/decisions). Everything the library calls arrives in `handle`.
package final class WebSocketServer {
    /// The loop that all of it runs on.
    package let loop: EventLoop
    let options: ServerOptions
    /// Outlives the server: the owner of both destroys the server first.
    private unowned let handler: any ServerHandler
    private var context: OpaquePointer?
    private var wakeUp = WakeUpDescriptor.none
    private var vhost: OpaquePointer?
    private var listener: Listener?
    /// Sockets whose callback is on the stack, innermost last.
    private var active: [OpaquePointer] = []
    /// Sockets to close as soon as their callback returns.
    private var doomed: Set<OpaquePointer> = []
    /// Sockets whose write failed outside their callback, to close with the next turn of the loop.
    private var broken: Set<OpaquePointer> = []
    private var reaper: LoopTimer?
    /// Sockets whose request waits for its answer.
    private var answering: Set<OpaquePointer> = []
    /// Those of them that the library does not read meanwhile: their requests had no body.
    private var unread: Set<OpaquePointer> = []
    private var lookout: LoopTimer?
    /// Every accepted socket that the library holds, whatever state it is in.
    private var peers: [OpaquePointer: Peer] = [:]
    /// Sockets that were answered, and whose peers may still be sending.
    private var lingering: [ObjectIdentifier: LingeringSocket] = [:]
    private var clock = ResponseClock()
    /// Bytes of bodies that are being collected, or were not taken yet.
    private(set) var collectedBytes = 0

    /// Makes the server; nothing is accepted before `listen`.
    ///
    /// Servers are made one after another: the library's start-up is not thread-safe.
    package init(
        loop: EventLoop, options: ServerOptions, handler: any ServerHandler
    ) throws(ServerError) {
        loop.assertOnLoop()
        self.loop = loop
        self.options = options
        self.handler = handler
        LibwebsocketsLog.install()
        var info = lws_context_creation_info()
        info.port = -1  // CONTEXT_PORT_NO_LISTEN: the listener is ours.
        info.options = millrace_lws_options()
        info.gid = -1
        info.uid = -1
        info.count_threads = 1
        info.pt_serv_buf_size = 32 << 10
        // It reads heads of our making only.
        info.max_http_header_data2 = 1 << 10
        info.timeout_secs = options.requestTimeoutSeconds
        info.timeout_secs_ah_idle = options.requestTimeoutSeconds  // For the head; 10 by default.
        info.keepalive_timeout = Int32(clamping: options.keepAliveSeconds)
        info.protocols = LibraryTables.protocols(named: options.subprotocol)
        info.retry_and_idle_policy = LibraryTables.noTimers
        info.user = Unmanaged.passUnretained(self).toOpaque()
        info.alpn = LibraryTables.alpn
        info.vhost_name = LibraryTables.vhostName
        var loops: [UnsafeMutableRawPointer?] = [loop.rawLoop]
        (context, wakeUp) = WakeUpDescriptor.find(on: loop) {
            loops.withUnsafeMutableBufferPointer { buffer in
                info.foreign_loops = buffer.baseAddress
                return lws_create_context(&info)
            }
        }
        guard let context else { throw .context }
        vhost = lws_create_vhost(context, &info)
        guard vhost != nil else {
            destroy()
            throw .context
        }
    }

    /// Accepts on `host` and `port` from now on and returns the port, which the system chooses for 0.
    ///
    /// With `isShared` another server of this process may be there already, and gets its part of the connections.
    package func listen(
        host: String, port: UInt16, isShared: Bool = false
    ) throws(ServerError) -> UInt16 {
        let listener = try Listener(
            loop: loop, host: host, port: port, isShared: isShared, backlog: options.backlog
        ) { [unowned self] descriptor in adopt(descriptor) }
        self.listener = listener
        return listener.port
    }

    /// Accepts no more; open sockets go on.
    package func stopListening() {
        listener?.close()
        listener = nil
    }

    /// Accepted sockets that are open: those that the library holds, and those that linger behind their answers.
    var socketCount: Int { peers.count + lingering.count }

    /// Closes everything, first step: closing handles finish while the loop runs out.
    ///
    /// Call `finishDestroying` after the loop's `run` has returned. Not to be called within the callback of a socket:
    /// there the library would put off its own closing, past the guard of its wake-up descriptor.
    package func destroy() {
        assert(active.isEmpty, "destroyed within a callback of the library")
        stopListening()
        reaper?.cancel()
        lookout?.cancel()
        vhost = nil
        // The library itself would give sockets that wait for a close frame their full time.
        for wsi in Array(peers.keys) where peers[wsi] != nil { kill(wsi) }
        // After the others: whoever hears that one has ended may end another answer, whose socket lingers then.
        for socket in lingering.values { socket.close() }
        lingering.removeAll()
        if let context { wakeUp.guardClosing { lws_context_destroy(context) } }
    }

    /// Second step: frees the library's context once no handle of it is left.
    package func finishDestroying() {
        if let context { lws_context_destroy(context) }
        context = nil
    }

    private func adopt(_ descriptor: Int32) {
        guard let vhost, socketCount < options.maximumSockets else {
            refuse(descriptor)
            return
        }
        // Its first callback makes the peer. On failure the library has closed the descriptor.
        _ = lws_adopt_socket_vhost(vhost, descriptor)
    }

    /// Turns a socket away before a request was read; the answer is best effort.
    private func refuse(_ descriptor: Int32) {
        let answer = Array(
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                .utf8)
        _ = Glibc.send(descriptor, answer, answer.count, Int32(MSG_NOSIGNAL))
        Glibc.shutdown(descriptor, Int32(SHUT_WR))
        Glibc.close(descriptor)
    }

    /// Closes a socket without ceremony: now, or when its callback that is running returns.
    func kill(_ wsi: OpaquePointer) {
        if active.contains(wsi) {
            doomed.insert(wsi)
        } else {
            // For its owner it is gone now; the library may take a turn of the loop to agree.
            forget(wsi)
            millrace_lws_kill(wsi)
        }
    }

    /// Closes a socket whose write failed, but never within the call of the owner who wrote.
    ///
    /// The library would neither read from it nor call back any more, and its loop would spin on the
    /// hang-up that `epoll` goes on reporting.
    func writeFailed(_ wsi: OpaquePointer) {
        if active.contains(wsi) {
            doomed.insert(wsi)
            return
        }
        broken.insert(wsi)
        let reaper =
            reaper
            ?? loop.makeTimer { [unowned self] in
                while let wsi = broken.first {
                    broken.remove(wsi)
                    kill(wsi)
                }
            }
        self.reaper = reaper
        reaper.arm(after: .zero)
    }

    // MARK: The library's callback

    /// One call of the library about one socket.
    ///
    /// A result other than 0 closes it.
    func handle(
        _ wsi: OpaquePointer, _ reason: lws_callback_reasons,
        _ input: UnsafeMutableRawPointer?, _ length: Int
    ) -> Int32 {
        active.append(wsi)
        let result = dispatch(wsi, reason, UnsafeRawBufferPointer(start: input, count: length))
        active.removeLast()
        if !doomed.isEmpty, doomed.contains(wsi), !active.contains(wsi) {
            forget(wsi)
            millrace_lws_shut_down(wsi)
            return -1
        }
        return result
    }

    private func dispatch(
        _ wsi: OpaquePointer, _ reason: lws_callback_reasons, _ input: UnsafeRawBufferPointer
    ) -> Int32 {
        switch reason {
        case LWS_CALLBACK_RECEIVE: return received(wsi, input)
        case LWS_CALLBACK_SERVER_WRITEABLE: return peers[wsi]?.socket?.writable() == false ? -1 : 0
        case LWS_CALLBACK_HTTP_WRITEABLE: return exchangeWritable(wsi)
        case LWS_CALLBACK_RECEIVE_PONG:
            peers[wsi]?.socket?.heard()
            return 0
        case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
            peers[wsi] = Peer(wsi, server: self)
            return peers[wsi] == nil ? -1 : 0
        case LWS_CALLBACK_HTTP: return requestBegan(wsi)
        case LWS_CALLBACK_HTTP_BODY: return bodyArrived(wsi, input)
        case LWS_CALLBACK_HTTP_BODY_COMPLETION: return requestEnded(wsi)
        case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return confirmUpgrade(wsi)
        case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
            // Reached without CONFIRM_UPGRADE only on paths that are switched off: never let through.
            return peers[wsi]?.upgrade == nil ? -1 : 0
        case LWS_CALLBACK_ESTABLISHED: return established(wsi)
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: return peerClosed(wsi, input)
        case LWS_CALLBACK_CLOSED, LWS_CALLBACK_CLOSED_HTTP, LWS_CALLBACK_WSI_DESTROY:
            forget(wsi)
            return 0
        default: return 0
        }
    }

    private func forget(_ wsi: OpaquePointer) {
        doomed.remove(wsi)
        broken.remove(wsi)
        answering.remove(wsi)
        unread.remove(wsi)
        guard let peer = peers.removeValue(forKey: wsi) else { return }
        peer.leave()
        peer.exchange?.gone()
        peer.socket?.gone()
    }

    // MARK: HTTP

    private func requestBegan(_ wsi: OpaquePointer) -> Int32 {
        guard let peer = peers[wsi], let head = peer.takeHead() else { return -1 }
        let exchange = HTTPExchange(server: self, wsi: wsi, request: head.request)
        peer.exchange = exchange
        if head.request.endsConnection { exchange.closeAfterResponse() }
        // Answers go on for as long as they take; our own deadlines watch them.
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0)
        if let refusal = head.refusal {
            exchange.answerAndClose(refusal)
            return 0
        }
        switch head.request.framing {
        case .none: return requestEnded(wsi)
        case .length(let count): bodyBegins(of: exchange, count: count)
        case .chunks:
            // The library does not learn of the body's end.
            exchange.closeAfterResponse()
            bodyBegins(of: exchange, count: nil)
        }
        return 0
    }

    /// A body follows, of so many bytes or in chunks: also of a GET or HEAD, where it means nothing and yet comes
    /// (RFC 9110, section 9.3.1).
    private func bodyBegins(of exchange: HTTPExchange, count: Int?) {
        let request = exchange.request
        exchange.hasBody = true
        let policy = handler.bodyPolicy(of: request)
        if let refusal = refusal(of: count, policy) { return exchange.answerAndClose(refusal) }
        exchange.watchBody()
        // A peer of HTTP/1.0 does not wait for it (RFC 9110, section 10.1.1).
        if request.takesChunks, request.headers["expect"]?.lowercased() == "100-continue" {
            exchange.askForBody()
        }
        if case .stream = policy, let count {
            exchange.streamBody(count)
            handler.respond(to: exchange)
        } else {
            exchange.collectBody(count ?? 0)
        }
    }

    /// The largest body that is read although nobody wants it.
    private static let smallBodyBytes = 64 << 10

    private func refusal(of count: Int?, _ policy: BodyPolicy) -> HTTPResponse? {
        switch policy {
        case .refuse(let response):
            // A small body is read all the same, and the connection goes on.
            guard let count, count <= Self.smallBodyBytes else { return response }
            return refusal(ofBodyOf: count, reserving: count)
        case .stream(let limit):
            guard let count else {
                return .error(411, "length_required", "a file comes with a content-length")
            }
            return count <= limit ? nil : Self.tooLarge(limit)
        case .collect: return refusal(ofBodyOf: count ?? 0, reserving: count ?? 0)
        }
    }

    /// Why a body of so many bytes is not collected, of which some are to be reserved.
    func refusal(ofBodyOf count: Int, reserving further: Int) -> HTTPResponse? {
        guard count <= options.maximumBodyBytes else {
            return Self.tooLarge(options.maximumBodyBytes)
        }
        guard collectedBytes + further > options.maximumCollectedBytes else { return nil }
        return .error(
            503, "overloaded", "too many requests are being read", headers: [("retry-after", "1")])
    }

    private static func tooLarge(_ limit: Int) -> HTTPResponse {
        .error(413, "body_too_large", "a body may have \(limit) bytes here")
    }

    /// The date of a response that begins now (RFC 9110, section 6.6.1).
    var date: String { clock.text(unixSeconds: Glibc.time(nil)) }

    /// An exchange begins to hold bytes of a body, or holds less of them.
    func collectedBytesChanged(by change: Int) { collectedBytes += change }

    private func bodyArrived(_ wsi: OpaquePointer, _ piece: UnsafeRawBufferPointer) -> Int32 {
        guard let peer = peers[wsi], let exchange = peer.exchange else { return -1 }
        let end = peer.chunksEnd
        exchange.receive(end == nil ? piece : UnsafeRawBufferPointer(rebasing: piece.dropLast()))
        // What follows an early refusal is read past, so that the peer can read the refusal.
        guard let end, exchange.isOpen else { return 0 }
        switch end {
        case .broken: exchange.answerAndClose(RequestFault.chunks.response)
        case .whole:
            _ = requestEnded(wsi)
            // The library is about to give the rest that it expects its time.
            if exchange.isOpen { exchange.askForWritable() }
        }
        return 0
    }

    private func requestEnded(_ wsi: OpaquePointer) -> Int32 {
        guard let exchange = peers[wsi]?.exchange, exchange.requestIsComplete() else { return -1 }
        if exchange.streamedBodyBytes == nil { handler.respond(to: exchange) }
        if peers[wsi]?.exchange === exchange { beginAnswering(wsi, isRead: exchange.hasBody) }
        return 0
    }

    private func exchangeWritable(_ wsi: OpaquePointer) -> Int32 {
        peers[wsi]?.exchange?.writable() == false ? -1 : 0
    }

    /// A response has been written whole, and the kernel has all of it.
    ///
    /// Done at once and not at the next writable callback: the peer's
    /// next request may come before that, and the library would take it for more of this one's body.
    func completed(_ wsi: OpaquePointer, closes: Bool) {
        guard !closes else {
            linger(wsi)
            return kill(wsi)
        }
        let peer = peers[wsi]
        peer?.exchange?.readOn()
        peer?.exchange = nil
        unread.remove(wsi)
        if answering.remove(wsi) != nil { millrace_readable_from(lws_get_socket_fd(wsi), 1) }
        if lws_http_transaction_completed(wsi) != 0 { kill(wsi) }
    }

    /// Sockets that may linger at a time, a descriptor each; beyond that one is closed without waiting for its peer.
    static let maximumLingering = 256

    /// Lets the peer read its answer, though it may not have sent all of its request.
    private func linger(_ wsi: OpaquePointer) {
        guard options.lingerBytes > 0, lingering.count < Self.maximumLingering,
            let socket = LingeringSocket(
                lws_get_socket_fd(wsi), loop: loop, bytes: options.lingerBytes,
                time: .seconds(Int64(options.requestTimeoutSeconds)),
                ended: { [unowned self] in lingering[ObjectIdentifier($0)] = nil })
        else { return }
        lingering[ObjectIdentifier(socket)] = socket
    }

    // MARK: Peers that do not wait

    /// What a peer may send behind a request that is being answered.
    private static let aheadBytes: Int32 = 64 << 10
    /// How often `lookOut` looks.
    private static let lookoutInterval = Duration.milliseconds(250)

    /// Leaves in the kernel what comes before the answer is written.
    ///
    /// Behind a body the library would take it for the end of another one. Without a body it does not read at all
    /// then, and the loop would spin on a readable socket: so it would on the peer's end, which is looked for.
    private func beginAnswering(_ wsi: OpaquePointer, isRead: Bool) {
        guard !doomed.contains(wsi), answering.insert(wsi).inserted else { return }
        millrace_readable_from(lws_get_socket_fd(wsi), Self.aheadBytes)
        guard !isRead else { return }
        unread.insert(wsi)
        let timer = lookout ?? loop.makeTimer { [unowned self] in lookOut() }
        lookout = timer
        if !timer.isArmed { timer.arm(after: Self.lookoutInterval) }
    }

    /// Ends what has left, or sends more than it may.
    private func lookOut() {
        // Whoever hears of one that goes may end others.
        for wsi in unread where unread.contains(wsi) {
            if millrace_is_readable(lws_get_socket_fd(wsi)) { kill(wsi) }
        }
        if !unread.isEmpty { lookout?.arm(after: Self.lookoutInterval) }
    }

    // MARK: WebSockets

    private func confirmUpgrade(_ wsi: OpaquePointer) -> Int32 {
        guard let peer = peers[wsi], let request = peer.takeHead()?.request else { return -1 }
        let refusal: HTTPResponse
        switch handler.upgrade(request) {
        case .accept(let handler):
            peer.upgrade = handler
            return 0
        case .refuse(let response): refusal = response
        }
        let exchange = HTTPExchange(server: self, wsi: wsi, request: request)
        peer.exchange = exchange
        exchange.answerAndClose(refusal)
        return -1
    }

    private func established(_ wsi: OpaquePointer) -> Int32 {
        guard let peer = peers[wsi], let handler = peer.upgrade else { return -1 }
        let socket = WebSocket(server: self, wsi: wsi, handler: handler)
        peer.becomes(socket)
        socket.opened()
        return 0
    }

    private func received(_ wsi: OpaquePointer, _ piece: UnsafeRawBufferPointer) -> Int32 {
        guard let socket = peers[wsi]?.socket else { return -1 }
        let remaining = lws_remaining_packet_payload(wsi)
        let isLast = lws_is_final_fragment(wsi) != 0 && remaining == 0
        let goesOn = socket.received(
            piece, remaining: Int(remaining), isLast: isLast,
            isBinary: lws_frame_is_binary(wsi) != 0)
        return goesOn ? 0 : -1
    }

    private func peerClosed(_ wsi: OpaquePointer, _ payload: UnsafeRawBufferPointer) -> Int32 {
        guard let socket = peers[wsi]?.socket else { return 0 }
        guard payload.count != 1 else { return socket.peerClosedWrongly() ? 0 : -1 }
        let code =
            payload.count >= 2
            ? CloseCode(UInt16(payload[0]) << 8 | UInt16(payload[1])) : .noStatus
        return socket.peerClosed(code: code) ? 0 : -1
    }
}
