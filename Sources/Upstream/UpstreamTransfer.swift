internal import CLibcurl
internal import EventLoop
package import GatewayCore
internal import Glibc

/// One exchange with an upstream, from `UpstreamWorker.start` to its outcome; belongs to the loop's thread.
///
///     starting ──next turn──▶ running ──last byte, error──▶ ended
///         └─────────cancel───────┴──────────cancel───────────▲
package final class UpstreamTransfer {
    enum State {
        /// Waits for the loop's next turn.
        case starting
        /// libcurl has it.
        case running
        case ended
    }

    /// Where the bytes of the body go.
    private enum Sink {
        case none
        case delegate
        case collect(limitBytes: Int)
    }

    /// The server it goes to.
    package let server: UpstreamServer
    /// Outlives the transfer's running: `shutDown`, at the latest in its `deinit`, ends all transfers.
    private unowned let worker: UpstreamWorker
    private var delegate: (any UpstreamTransferDelegate)?

    /// The body that is fed, where one is.
    private var upload = TransferUpload()

    // Fields of one byte stand together, behind those of the upload: anywhere else each would take eight, in
    // every transfer.
    private let expectation: UpstreamRequest.Expectation
    private(set) var state = State.starting
    private var isConnected = false
    /// TCP stands and TLS has begun.
    private var isSecuring = false
    /// The delegate wants no bytes.
    package private(set) var isPaused = false
    /// Its delegate has got bytes since it last heard that they were all.
    private var isBeingRead = false
    /// libcurl stopped reading, which it does only once bytes come while `isPaused`.
    private var isHeld = false
    /// The body is compressed or the like, which was not asked for.
    private var isEncoded = false
    /// The `errno` of the last socket, where it could not be made for lack of descriptors.
    private var socketError: Int32 = 0

    /// Held while starting and running.
    private(set) var easy: EasyHandle?
    private var parser: UpstreamHeadParser
    private var sink = Sink.none
    private var stop: TransferVerdict.Stop?
    private var errorBodyTimer: LoopTimer?
    /// Until the connection stands, where TLS has a timeout of its own.
    private var connectTimer: LoopTimer?
    /// In a box that is made at the end: a transfer that runs has no room for it.
    private var ending: Ending?

    /// How much a turn brings.
    private(set) var pace: ReadPace
    /// What had come by the last turn's end.
    private var bytesBefore = 0
    /// The transfer that was read before this one, in the worker's list.
    var readBefore: UpstreamTransfer?

    /// Below this the delegate is asked for more.
    package static let lowUploadBytes = 64 << 10

    /// The final response's head, once it came; abridged once a stream's delegate has heard it.
    package private(set) var head: UpstreamResponseHead?
    /// The body of a document, of a 2xx that is not the stream that was asked for, or of an error; bounded.
    package private(set) var collectedBody: [UInt8] = []
    /// Body bytes so far, without the framing.
    package private(set) var receivedBytes = 0

    init(
        request: UpstreamRequest, easy: EasyHandle, delegate: any UpstreamTransferDelegate,
        worker: UpstreamWorker
    ) {
        server = request.server
        expectation = request.expectation
        self.easy = easy
        self.delegate = delegate
        self.worker = worker
        pace = ReadPace(bufferBytes: worker.options.receiveBufferBytes)
        parser = UpstreamHeadParser(maximumBytes: worker.options.maximumHeadBytes)
    }

    // MARK: For the caller

    /// True once the outcome was told, or the transfer was cancelled.
    package var isEnded: Bool { state == .ended }

    /// When each phase ended; final once the transfer is.
    package var timing: UpstreamTiming {
        if state == .running, let easy { easy.timing } else { ending?.timing ?? UpstreamTiming() }
    }

    /// The request goes out on a connection that another one has opened; known once connected.
    package var isConnectionReused: Bool {
        if state == .running, let easy {
            easy.isConnectionReused
        } else {
            timing.isConnectionReused
        }
    }

    /// What is known once a transfer has run.
    private final class Ending {
        let timing: UpstreamTiming

        init(timing: UpstreamTiming) { self.timing = timing }
    }

    /// Lets another delegate hear what is left to hear; from outside the delegate's own calls.
    package func handOver(to delegate: any UpstreamTransferDelegate) {
        guard self.delegate != nil else { return }
        self.delegate = delegate
    }

    /// Ends the transfer, without another word to the delegate.
    ///
    /// The connection (HTTP/1.1) or stream (HTTP/2) is closed before this returns, or, inside a call to the
    /// delegate, right after that call. Idempotent.
    package func cancel() {
        guard state != .ended else { return }
        worker.cancel(self)
    }

    /// Brings no more bytes before `resume`.
    ///
    /// Up to one read of the socket stays in memory meanwhile.
    package func pause() { isPaused = true }

    /// Goes on; bytes that waited come in the loop's next turn.
    package func resume() {
        guard isPaused else { return }
        isPaused = false
        if isHeld, state == .running { worker.resume(self) }
    }

    /// Sends more of a body whose length was told; the caller watches `waitingUploadBytes`.
    package func feed(_ bytes: Span<UInt8>) {
        guard state != .ended else { return }
        upload.feed(bytes)
        if upload.isStarved, state == .running { worker.resume(self) }
    }

    /// Bytes that were fed and are not sent.
    package var waitingUploadBytes: Int { upload.waitingBytes }

    // MARK: For the worker

    func started() {
        state = .running
        guard server.isSecure, server.options.tlsTimeout != nil else { return }
        connectTimer = deadline(.connectTimeout, after: server.options.connectTimeout)
    }

    /// Ends the transfer in time, for that reason.
    private func deadline(_ reason: TransferVerdict.Stop, after timeout: Duration) -> LoopTimer {
        let timer = worker.makeTimer { [unowned self] in
            stop = reason
            worker.stop(self)
        }
        timer.arm(after: timeout)
        return timer
    }

    private func cancelTimers() {
        errorBodyTimer?.cancel()
        errorBodyTimer = nil
        connectTimer?.cancel()
        connectTimer = nil
    }

    /// libcurl has returned: what it read is all there was.
    func wasRead() {
        isBeingRead = false
        pace.note(receivedBytes - bytesBefore)
        bytesBefore = receivedBytes
        delegate?.transferWasRead(self)
    }

    /// Tells libcurl to go on when that is still wanted; inside the worker's guard.
    func unhold() {
        guard state == .running, let easy else { return }
        let goesOnReading = isHeld && !isPaused
        let goesOnSending = upload.goesOn()
        guard goesOnReading || goesOnSending else { return }
        if goesOnReading { isHeld = false }
        // On failure libcurl has noted the error, or it comes with the next read.
        curl_easy_pause(
            easy.raw, (isHeld ? CURLPAUSE_RECV : 0) | (upload.isStarved ? CURLPAUSE_SEND : 0))
    }

    /// Hears and says no more from here on; gives up the handle.
    func end() -> EasyHandle? {
        silence()
        defer { easy = nil }
        return easy
    }

    /// Marks the transfer as given up while libcurl still has the handle.
    func silence() {
        if state == .running, let easy { ending = Ending(timing: easy.timing) }
        state = .ended
        delegate = nil
        cancelTimers()
    }

    /// The loop or libcurl will not take the transfer.
    func cannotRun(_ reason: String) { stop = .cannotRun(reason) }

    // MARK: How it ended

    /// Whom to tell what; ask before `end`.
    func conclusion(
        _ code: CURLcode
    ) -> (outcome: UpstreamOutcome, delegate: (any UpstreamTransferDelegate)?) {
        // Who refuses a key may repeat it.
        if head?.isSuccess == false { server.mask.apply(to: &collectedBody) }
        return (verdict(code).outcome, delegate)
    }

    private func verdict(_ code: CURLcode) -> TransferVerdict {
        TransferVerdict(
            expectation: expectation, stop: stop, head: head, keptBody: keptBody,
            unixSeconds: Int64(time(nil)), diagnosis: diagnosis(code))
    }

    private func diagnosis(_ code: CURLcode) -> TransferDiagnosis {
        TransferDiagnosis(
            code: code.rawValue, systemError: systemError(code),
            detail: easy?.errorDetail ?? "", endpoint: server.endpoint, phase: phase,
            connectTimeout: server.options.connectTimeout, tlsTimeout: server.options.tlsTimeout,
            usesProxy: server.options.proxy != nil)
    }

    private var keptBody: [UInt8]? {
        switch sink {
        case .none, .delegate: nil
        // The status says enough where the words cannot be read.
        case .collect: isEncoded ? [] : collectedBody
        }
    }

    /// Of a name that was not found nobody says whether there was a descriptor to ask with.
    private func systemError(_ code: CURLcode) -> Int32 {
        if code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY {
            return DescriptorShortage.error(opening: DescriptorShortage.lookup)
        }
        return socketError == 0 ? easy?.systemError ?? 0 : socketError
    }

    private var phase: TransferDiagnosis.Phase {
        if head != nil { return .receiving }
        if isConnected { return .waiting }
        if isSecuring { return .securing }
        return isResolved ? .connecting : .resolving
    }

    private var isResolved: Bool { easy.map { $0.timing.nameLookup > .zero } ?? false }

    // MARK: From libcurl

    /// libcurl waits for bytes before the request is sent: after the name is known, that is the handshake.
    ///
    /// Its own time of connecting is still zero then (7.88).
    func waitsForBytes() {
        guard server.isSecure, !isSecuring, !isConnected, isResolved else { return }
        isSecuring = true
        if let tlsTimeout = server.options.tlsTimeout { connectTimer?.arm(after: tlsTimeout) }
    }

    /// Where libcurl waits for nothing more from the connection, and has not stopped reading: the exchange is over,
    /// and nobody else's is on it.
    var leavesConnection: Bool {
        guard isConnected, head != nil, !isHeld, let easy else { return false }
        return !easy.isHTTP2
    }

    /// Makes a socket for libcurl.
    func makeSocket(_ address: curl_sockaddr) -> curl_socket_t {
        let descriptor = Glibc.socket(address.family, address.socktype, address.protocol)
        // Of a lack libcurl says nothing; of any other reason it tells, and another address may do better.
        socketError = descriptor < 0 && (errno == EMFILE || errno == ENFILE) ? errno : 0
        return descriptor
    }

    func ready() -> Bool {
        guard state == .running, let delegate else { return false }
        isConnected = true
        connectTimer?.cancel()
        connectTimer = nil
        delegate.transferConnected(self)
        return state == .running
    }

    func receive(headerLine line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard state == .running else { return false }
        do {
            guard case .complete(let head) = try parser.feed(line.span) else { return true }
            return begin(head)
        } catch {
            stop = .head(error)
            return false
        }
    }

    private func begin(_ head: UpstreamResponseHead) -> Bool {
        self.head = head
        // Names of codings know no case (RFC 9110, section 8.4.1).
        let encoding = head[.contentEncoding]?.lowercased() ?? ""
        isEncoded = encoding != "" && encoding != "identity"
        if !head.isSuccess {
            beginRefusal()
        } else if isEncoded {
            stop = .contentEncoding(String(encoding.prefix(32)))
            return false
        } else {
            sink = sink(for: head)
            easy?.releaseSentRequest()
        }
        delegate?.transfer(self, received: head)
        if case .delegate = sink { self.head = head.abridged }
        return state == .running
    }

    /// Waits for upstream's reasons, for so long and so far.
    private func beginRefusal() {
        sink = .collect(limitBytes: worker.options.maximumErrorBodyBytes)
        errorBodyTimer = deadline(.errorBodyCut, after: worker.options.errorBodyTimeout)
        upload.refuse()
        // libcurl waits for the upload's end, which it is told now.
        if upload.isStarved { worker.resume(self) }
    }

    /// Where the body of a 2xx goes.
    private func sink(for head: UpstreamResponseHead) -> Sink {
        switch (expectation, head.mediaType) {
        case (.eventStream, nil), (.eventStream, "text/event-stream"?),
            (.streamOrDocument, "text/event-stream"?), (.bytes, _):
            .delegate
        case (.eventStream, _), (.streamOrDocument, _), (.document, _):
            .collect(limitBytes: worker.options.maximumDocumentBytes)
        }
    }

    /// Gives libcurl what was fed, or its word for "not now".
    func provide(_ room: UnsafeMutableBufferPointer<UInt8>) -> Int {
        guard state == .running, let delegate else { return MILLRACE_READ_ABORT }
        switch upload.take(into: room) {
        case .bytes(let count):
            if upload.waitingBytes < Self.lowUploadBytes { delegate.transferWantsBody(self) }
            return count
        case .later: return MILLRACE_READ_PAUSE
        // The connection of a request that was refused ends with the transfer.
        case .end: return 0
        }
    }

    /// How many bytes were taken, or libcurl's word for "not now".
    func receive(body bytes: UnsafeBufferPointer<UInt8>) -> Int {
        guard state == .running, let delegate else { return 0 }
        switch sink {
        case .none:
            stop = .head(.malformedStatusLine)
            return 0
        case .delegate:
            if isPaused {
                // libcurl keeps these bytes and reads no further: the sender's window fills.
                isHeld = true
                return MILLRACE_WRITE_PAUSE
            }
            receivedBytes += bytes.count
            if !isBeingRead {
                isBeingRead = true
                worker.isReading(self)
            }
            if delegate.transfer(self, received: bytes.span) == .pause { isPaused = true }
            return state == .running ? bytes.count : 0
        case .collect(let limit):
            receivedBytes += bytes.count
            collectedBody.append(contentsOf: bytes.prefix(limit - collectedBody.count))
            guard receivedBytes > limit else { return bytes.count }
            stop = head?.isSuccess == true ? .documentTooLarge(limitBytes: limit) : .errorBodyCut
            return 0
        }
    }
}
