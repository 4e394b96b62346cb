import EventLoop
import GatewayCore
import Telemetry
import Upstream
import WebSocketServer

/// One request that upstream answers: passed on, and the answer passed back as it comes.
///
/// The client's key stays here, the gateway's goes with the request. The answer is never held whole: a
/// client that reads slowly holds upstream back. The upstreams' breakers and limits count as they do for
/// responses; what one upstream could not even be asked, or does not have, another one is asked.
final class DialectPass: UpstreamTransferDelegate, HTTPBodyReceiver {
    /// Bytes of an upload that may wait for upstream.
    private static let highUploadBytes = 256 << 10

    /// Outlives the pass's transfer and timer: whatever ends it ends those first.
    private unowned let owner: DialectExchange
    /// Outlives all transfers: it ends them when it stops.
    private unowned let shard: ShardCore
    /// The only upstream that will do.
    private let pinned: Int?
    private let target: String
    private let body: [UInt8]
    private var tried: Set<Int> = []
    private var grant: UpstreamPoolState.Grant?
    private var transfer: UpstreamTransfer?
    private var isConnected = false
    private var hasHead = false
    private var timer: LoopTimer?
    /// Bytes of the answer that has begun, where upstream says how many.
    private var contentBytes: Int?
    /// The client has sent all of its body.
    private var isBodyWhole: Bool
    /// Bytes of the answer that the client's socket has not taken; upstream is paused meanwhile.
    private var waiting: [UInt8] = []
    /// The answer ends with what waits.
    private var isEnding = false
    /// What the first upstream said, while others are asked.
    private var refusal: DialectError?

    init(_ owner: DialectExchange, pinned: Int?) {
        self.owner = owner
        self.pinned = pinned
        shard = owner.shard
        target = PassedTarget.text(of: owner.exchange.request)
        body = owner.exchange.takeBody()
        isBodyWhole = owner.exchange.streamedBodyBytes == nil
    }

    private var exchange: HTTPExchange { owner.exchange }

    func start() {
        let timer = shard.loop.makeTimer { [unowned self] in timedOut() }
        self.timer = timer
        exchange.bodyReceiver = self
        attempt()
    }

    private func attempt() {
        let ticket = shard.makeTicket()
        let pool = shard.context.pool
        switch pool.acquire(ticket, pinned: pinned, tried: tried, now: shard.loop.now) {
        case .granted(let grant): open(grant)
        case .queued:
            // These are short questions: whoever asks may ask again. A place that was given meanwhile
            // goes back on its way, since nobody waits for it.
            _ = pool.leave(ticket, now: shard.loop.now)
            refuse(.upstreamFull)
        case .refused(.paused(let pause)): refuse(.noUpstream(for: pause))
        case .refused: refuse(.noUpstream)
        }
    }

    private func refuse(_ error: DialectError) {
        end()
        owner.respond((refusal ?? error).response())
    }

    private func open(_ grant: UpstreamPoolState.Grant) {
        self.grant = grant
        tried.insert(grant.member)
        isConnected = false
        hasHead = false
        let request = exchange.request
        let method: UpstreamRequest.Method
        switch request.method {
        case .post: method = .post
        case .delete: method = .delete
        case .get, .head, .options, .put, .patch: method = .get
        }
        var upstream = UpstreamRequest(
            method, target, to: shard.context.pool.upstreams[grant.member].server, body: body,
            expecting: .bytes)
        if let type = request.headers["content-type"] { upstream.contentType = type }
        if let beta = request.headers["openai-beta"] {
            upstream.headers.append(("openai-beta", beta))
        }
        upstream.uploadBytes = exchange.streamedBodyBytes
        do {
            transfer = try shard.worker.start(upstream, delegate: self)
        } catch {
            return refuse(DialectError(error))
        }
        watch()
    }

    func cancel() {
        transfer?.cancel()
        transfer = nil
        end()
    }

    private func end() {
        timer?.cancel()
        release(.neutral)
    }

    private func release(_ outcome: CircuitBreaker.Outcome) {
        guard let grant else { return }
        self.grant = nil
        shard.context.pool.release(
            grant, outcome, isAnswered: hasHead, now: shard.loop.now)
    }

    func exchangeIsClear() {
        write()
        guard waiting.isEmpty, !isEnding, let transfer else { return }
        transfer.resume()
        watch()
    }

    // MARK: Time

    /// Gives upstream its time: for the head, then between any two pieces of the answer.
    ///
    /// Where upstream has all that the client has sent of an upload, it is the client that is waited for; that has
    /// its own time (`server.request_timeout_s`).
    private func watch() {
        guard isBodyWhole || (transfer?.waitingUploadBytes ?? 0) > 0 else {
            timer?.cancel()
            return
        }
        let limits = shard.context.deadlines.value
        timer?.arm(after: transfer?.head == nil ? limits.responseHeader : limits.silence)
    }

    private func timedOut() {
        guard let transfer else { return }
        let expiry: UpstreamDeadlines.Expiry = transfer.head == nil ? .responseHeader : .silence
        self.transfer = nil
        transfer.cancel()
        failed(expiry.failure.error, isWhole: transfer.head?.isSuccess != true, .failure)
    }

    // MARK: The upload

    func exchange(_ exchange: HTTPExchange, received piece: Span<UInt8>) {
        guard let transfer else { return }
        transfer.feed(piece)
        if transfer.waitingUploadBytes > Self.highUploadBytes { exchange.pauseBody() }
        watch()
    }

    func exchangeBodyEnded(_ exchange: HTTPExchange) {
        isBodyWhole = true
        guard transfer != nil else { return }
        watch()
    }

    func transferWantsBody(_ transfer: UpstreamTransfer) {
        exchange.resumeBody()
        watch()
    }

    // MARK: From the transfer

    func transferConnected(_ transfer: UpstreamTransfer) {
        shard.metrics.transferConnected(transfer)
        isConnected = true
    }

    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead) {
        if let grant {
            shard.context.pool.observe(
                head, of: grant.member, answering: hasHead ? nil : grant, now: shard.loop.now)
        }
        hasHead = true
        guard head.isSuccess else { return }
        grant = grant.map { shard.context.pool.prove($0, isSlow: false, now: shard.loop.now) }
        watch()
        var headers = head.fieldsOfInterest.map { ($0.name, $0.value) }
        if HTTPStatus.hasContent(head.status) {
            headers.append(("content-type", head[.contentType] ?? "application/octet-stream"))
        }
        exchange.begin(status: head.status, headers: headers, length: .chunked)
        contentBytes =
            HTTPStatus.hasContent(head.status) ? head[.contentLength].flatMap { Int($0) } : 0
        endIfAnswered(transfer)
    }

    /// An upstream may answer before it has the whole upload; what it has not read then, it does not want.
    ///
    /// libcurl would wait for the upload's end. That of an answer in chunks only libcurl sees.
    private func endIfAnswered(_ transfer: UpstreamTransfer) {
        guard transfer.receivedBytes == contentBytes,
            !isBodyWhole || transfer.waitingUploadBytes > 0
        else { return }
        self.transfer = nil
        transfer.cancel()
        timer?.cancel()
        release(.success)
        // Who only writes until all is written reads the answer after that.
        exchange.discardBody()
        isEnding = true
        write()
    }

    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow {
        waiting.append(bytes)
        write()
        endIfAnswered(transfer)
        guard self.transfer != nil else { return .proceed }
        guard waiting.isEmpty else {
            // The client reads slowly: upstream is not late.
            timer?.cancel()
            return .pause
        }
        watch()
        return .proceed
    }

    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome) {
        self.transfer = nil
        switch outcome {
        case .finished:
            timer?.cancel()
            release(.success)
            isEnding = true
            write()
        case .failed(let failure):
            let isWhole = transfer.head?.isSuccess != true
            if isWhole, mayAskAnother(failure) {
                release(Self.outcome(of: failure))
                refusal = refusal ?? DialectError(ResponseError(failure))
                return attempt()
            }
            failed(ResponseError(failure), isWhole: isWhole, Self.outcome(of: failure))
        }
    }

    /// Only what cannot have been done, or is not there; an upload that has begun is gone.
    private func mayAskAnother(_ failure: UpstreamFailure) -> Bool {
        guard pinned == nil, exchange.streamedBodyBytes == nil,
            tried.count < shard.context.pool.upstreams.count
        else { return false }
        // What the gateway itself lacks, it lacks for another upstream, too.
        guard failure.code != .noRoom else { return false }
        return !isConnected || failure.status == 404
    }

    private static func outcome(of failure: UpstreamFailure) -> CircuitBreaker.Outcome {
        switch failure.code {
        case .dnsFailed, .dnsTimeout, .connectRefused, .connectFailed, .connectTimeout, .tlsFailed,
            .tlsTimeout, .proxyFailed:
            .unreachable
        case .httpStatus: (failure.status ?? 0) >= 500 ? .failure : .success
        case .reset, .truncated, .protocolError, .wrongContentType: .failure
        case .tooLarge, .noRoom, .internalError: .neutral
        }
    }

    private func failed(
        _ error: ResponseError, isWhole: Bool, _ outcome: CircuitBreaker.Outcome
    ) {
        timer?.cancel()
        release(outcome)
        guard isWhole else {
            // Broken off inside: the client must not take it for whole.
            exchange.abort(reset: false)
            return owner.end()
        }
        owner.respond((refusal ?? DialectError(error)).response())
    }

    private func write() {
        if !waiting.isEmpty {
            guard exchange.isClear else {
                exchange.limitReading()
                return exchange.askForWritable()
            }
            shard.scratch.lend { frame in
                frame.bytes.append(contentsOf: waiting)
                if exchange.write(&frame) { waiting.removeAll(keepingCapacity: true) }
            }
        }
        if isEnding, waiting.isEmpty {
            exchange.end()
            owner.end()
        }
    }
}
