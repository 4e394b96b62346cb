import GatewayCore
import Telemetry
import Upstream
import WebSocketServer

/// One request that upstream answers: passed on, and the answer passed back as it comes.
///
/// The client's key stays here, the gateway's goes with the request. The answer is never held whole: a
/// client that reads slowly holds upstream back.
final class DialectPass: UpstreamTransferDelegate, HTTPBodyReceiver {
    /// Bytes of an upload that may wait for upstream.
    private static let highUploadBytes = 256 << 10

    private unowned let owner: DialectExchange
    private var transfer: UpstreamTransfer?
    private var waiting: [UInt8] = []
    private var isEnding = false

    init(_ owner: DialectExchange) { self.owner = owner }

    private var exchange: HTTPExchange { owner.exchange }

    func start() {
        let request = exchange.request
        let method: UpstreamRequest.Method
        switch request.method {
        case .post: method = .post
        case .delete: method = .delete
        case .get, .head, .options, .put, .patch: method = .get
        }
        var upstream = UpstreamRequest(
            method, String(request.path.dropFirst("/v1".count)) + Self.query(request),
            to: owner.shard.context.pool.upstreams[0].server, body: exchange.body,
            expecting: .bytes)
        if let type = request.headers["content-type"] { upstream.contentType = type }
        if let beta = request.headers["openai-beta"] {
            upstream.headers.append(("openai-beta", beta))
        }
        upstream.uploadBytes = exchange.streamedBodyBytes
        exchange.bodyReceiver = self
        do {
            transfer = try owner.shard.worker.start(upstream, delegate: self)
        } catch {
            owner.respond(DialectError.overloaded.response())
        }
    }

    /// The query, encoded again: upstream reads what the client meant, and nothing else of it.
    private static func query(_ request: HTTPRequest) -> String {
        guard !request.query.isEmpty else { return "" }
        var query = "?"
        for (position, argument) in request.query.enumerated() {
            if position > 0 { query += "&" }
            let equals = argument.firstIndex(of: "=") ?? argument.endIndex
            query += encoded(argument[..<equals])
            if equals < argument.endIndex {
                query += "=" + encoded(argument[argument.index(after: equals)...])
            }
        }
        return query
    }

    private static func encoded(_ text: Substring) -> String {
        var output = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: output.unicodeScalars.append(.init(byte))
            case _ where "-_.~".utf8.contains(byte): output.unicodeScalars.append(.init(byte))
            default:
                let digits = Array("0123456789ABCDEF".unicodeScalars)
                output.unicodeScalars.append("%")
                output.unicodeScalars.append(digits[Int(byte >> 4)])
                output.unicodeScalars.append(digits[Int(byte & 15)])
            }
        }
        return output
    }

    func cancel() {
        transfer?.cancel()
        transfer = nil
    }

    func exchangeIsClear() {
        write()
        if waiting.isEmpty, !isEnding { transfer?.resume() }
    }

    // MARK: The upload

    func exchange(_ exchange: HTTPExchange, received piece: Span<UInt8>) {
        guard let transfer else { return }
        transfer.feed(piece)
        if transfer.waitingUploadBytes > Self.highUploadBytes { exchange.pauseBody() }
    }

    func exchangeBodyEnded(_ exchange: HTTPExchange) {}

    func transferWantsBody(_ transfer: UpstreamTransfer) { exchange.resumeBody() }

    // MARK: From the transfer

    func transferConnected(_ transfer: UpstreamTransfer) {}

    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead) {
        guard head.isSuccess else { return }
        var headers = head.fieldsOfInterest.map { ($0.name, $0.value) }
        headers.append(("content-type", head["content-type"] ?? "application/octet-stream"))
        exchange.begin(status: head.status, headers: headers, length: .chunked)
    }

    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow {
        waiting.append(bytes)
        write()
        return waiting.isEmpty ? .proceed : .pause
    }

    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome) {
        self.transfer = nil
        switch outcome {
        case .finished:
            isEnding = true
            write()
        case .failed(let failure):
            guard transfer.head?.isSuccess != true else {
                // Broken off inside: the client must not take it for whole.
                exchange.abort(reset: false)
                return owner.end()
            }
            owner.respond(DialectError(ResponseError(failure)).response())
        }
    }

    private func write() {
        if !waiting.isEmpty {
            guard exchange.isClear else { return exchange.askForWritable() }
            owner.shard.withScratch { frame in
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

/// Tells upstream to cancel a background response; nobody waits for the answer.
final class DialectCancel: UpstreamTransferDelegate {
    static func start(_ id: [UInt8], on shard: ShardCore) {
        let name = JSONValue(kind: .string, range: 0..<id.count).decoded(in: id.span)
            .map { String(decoding: $0, as: UTF8.self) }
        guard let name, DialectRoutes.isPlain(name) else { return }
        let request = UpstreamRequest(
            .post, "/responses/\(name)/cancel", to: shard.context.pool.upstreams[0].server,
            expecting: .document)
        do {
            // The transfer keeps its delegate until it ends.
            _ = try shard.worker.start(request, delegate: DialectCancel())
        } catch {
            shard.logger.warn(
                "upstream was not told of a cancel", ["error.message": .text("\(error)")])
        }
    }

    func transferConnected(_ transfer: UpstreamTransfer) {}
    func transfer(_ transfer: UpstreamTransfer, received head: UpstreamResponseHead) {}
    func transfer(_ transfer: UpstreamTransfer, received bytes: Span<UInt8>) -> UpstreamFlow {
        .proceed
    }
    func transfer(_ transfer: UpstreamTransfer, ended outcome: UpstreamOutcome) {}
}
