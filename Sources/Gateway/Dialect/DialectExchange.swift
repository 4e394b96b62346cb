import Configuration
import EventLoop
import GatewayCore
import Telemetry
import WebSocketServer

/// One HTTP request of the OpenAI dialect and its answer: an object, an event stream, or upstream's own.
///
///     asked ──first event──▶ streaming ──terminal event──▶ ended
///       ├──object, refusal────────────────────────────────▲
///       └──unknown here──▶ passing ──upstream's answer─────┘
///
/// A client that leaves detaches it from its session, which then waits `dialect.abandon_ms`.
final class DialectExchange: HTTPExchangeObserver, LogReader {
    private enum Phase {
        case asked
        case streaming
        case passing(DialectPass)
        case ended
    }

    let id: ConnectionID
    let subject: String
    /// Its place among the connections, until it is over.
    private var place: Admission.Place?
    let shard: ShardCore
    let exchange: HTTPExchange
    private var phase = Phase.asked
    /// The upstream that has the response it is about; nil when that is not known.
    private var member: Int?
    /// The session that answers, and its shard.
    private var session: (id: SessionID, hosted: HostedSession?)?
    private var heartbeat: LoopTimer?
    private var wroteSinceHeartbeat = false
    /// Pieces from another shard that the socket has not taken; bounded by the credit there.
    private var waiting: [[UInt8]] = []
    private var isEndingAfterWaiting = false

    init(_ exchange: HTTPExchange, shard: ShardCore, subject: String, place: Admission.Place) {
        self.exchange = exchange
        self.shard = shard
        self.subject = subject
        self.place = place
        id = shard.makeConnectionID()
        exchange.observer = self
    }

    // MARK: What is wanted

    /// `POST /v1/responses`.
    func create() {
        let body = exchange.takeBody()
        let request: DialectRequest
        do throws(DialectError) {
            request = try DialectRequest(
                parsing: body.span, isFrame: false,
                maximumDepth: shard.context.configuration.limits.jsonDepth)
        } catch {
            return take(.refused(error))
        }
        guard
            let session = shard.makeSession(
                subject: subject, for: request.isBackground ? .background : .request)
        else { return take(.refused(.overloaded)) }
        self.session = (session.machine.id, session)
        session.begin(request, for: id, self)
    }

    /// Asks whoever has the response; where nobody has, upstream is asked.
    func ask(_ kind: DialectQuestion.Kind, about name: String) {
        let name = ResponseIndex.name(Array(name.utf8))
        let owner = shard.context.responses.owner(of: name)
        if let owner, owner.subject != subject { return take(.refused(.noResponse(name))) }
        member = owner?.member
        guard let home = owner?.session else { return passOn() }
        session = (home, nil)
        shard.ask(
            DialectQuestion(
                connection: id, session: home, id: Array(name.utf8), subject: subject, kind: kind))
    }

    /// Lets upstream answer what is about a response; its owner may ask.
    func passOn(about name: String) {
        let name = ResponseIndex.name(Array(name.utf8))
        let owner = shard.context.responses.owner(of: name)
        if let owner, owner.subject != subject { return take(.refused(.noResponse(name))) }
        member = owner?.member
        passOn()
    }

    /// Lets upstream answer what goes on from a response, with a model that may be asked for; its owner may ask.
    func passOnAfterPrevious() {
        let body = exchange.body
        let root = try? JSONReader(
            maximumDepth: shard.context.configuration.limits.jsonDepth
        ).read(body.span)
        let models = shard.context.requests.models
        if root == nil, !models.isEmpty { return take(.refused(.unreadable)) }
        if let value = root?.member("model", in: body.span),
            let model = models.refused(Array(body[value.range]))
        {
            return take(.refused(.noModel(model)))
        }
        if let value = root?.member("previous_response_id", in: body.span) {
            let previous = Array(body[value.range])
            let owner = shard.context.responses.owner(ofValue: previous)
            if let owner, owner.subject != subject { return take(.refused(.noPrevious(previous))) }
            member = owner?.member
        }
        passOn()
    }

    /// Lets upstream answer the request as it is: the one upstream of that place, where one is given.
    func passOn(to place: Int? = nil) {
        let pass = DialectPass(self, pinned: place ?? member)
        phase = .passing(pass)
        pass.start()
    }

    // MARK: The answer

    func take(_ answer: DialectAnswer) {
        if case .ended = phase { return }
        switch answer {
        case .unknown: passOn()
        case .forgotten(let isStored):
            if isStored { return passOn() }
            respond(200, [], Array("{\"object\":\"response\",\"deleted\":true}\n".utf8))
        case .refused(let error): respond(error.response())
        case .object(let object, let fields):
            respond(200, fields.map { ($0.name, $0.value) }, object)
        case .begun(let fields): beginStream(fields)
        case .piece(let piece):
            waiting.append(piece)
            writeWaiting()
        case .ended:
            isEndingAfterWaiting = true
            writeWaiting()
        case .lost:
            if case .asked = phase {
                respond(DialectError.eventsExpired(param: nil).response())
            } else {
                exchange.abort(reset: false)
                end()
            }
        }
    }

    private func beginStream(_ fields: [UpstreamResponseHead.Field]) {
        phase = .streaming
        exchange.begin(
            status: 200,
            headers: fields.map { ($0.name, $0.value) } + [
                ("content-type", "text/event-stream; charset=utf-8"),
                ("cache-control", "no-store"), ("x-accel-buffering", "no"),
            ], length: .chunked)
        let timer = shard.loop.makeTimer { [unowned self] in beat() }
        heartbeat = timer
        timer.arm(after: shard.context.configuration.dialect.heartbeat)
    }

    /// A comment, after a time without an event: proxies and clients see that the stream lives.
    private func beat() {
        if !wroteSinceHeartbeat, exchange.isClear {
            shard.scratch.lend { frame in
                frame.bytes.append(literal: ": waiting\n\n")
                _ = exchange.write(&frame)
            }
        }
        wroteSinceHeartbeat = false
        heartbeat?.arm(after: shard.context.configuration.dialect.heartbeat)
    }

    private func writeWaiting() {
        var taken = 0
        while let piece = waiting.first {
            guard exchange.isClear else {
                exchange.askForWritable()
                break
            }
            shard.scratch.lend { frame in
                frame.bytes.append(contentsOf: piece)
                sendLog(&frame)
            }
            waiting.removeFirst()
            taken += piece.count
        }
        if taken > 0, let session {
            shard.send(.delivered(session.id, id, bytes: taken), to: session.id.shard)
        }
        if waiting.isEmpty, isEndingAfterWaiting {
            exchange.end()
            end()
        }
    }

    func respond(_ status: Int, _ headers: [(String, String)], _ body: [UInt8]) {
        respond(
            HTTPResponse(
                status: status,
                headers: headers.filter { $0.0 != "content-type" }
                    + [("content-type", "application/json")], body: body))
    }

    func respond(_ response: HTTPResponse) {
        exchange.respond(response)
        end()
    }

    /// Nothing more is written.
    func end() {
        if case .ended = phase { return }
        phase = .ended
        heartbeat?.cancel()
        heartbeat = nil
        waiting = []
        shard.exchangeEnded(self)
        place = nil
    }

    // MARK: LogReader

    var isReadyForLog: Bool {
        guard case .streaming = phase else { return false }
        return exchange.isClear
    }

    func sendLog(_ frame: inout OutgoingFrame) {
        wroteSinceHeartbeat = true
        let count = frame.count
        guard exchange.write(&frame) else { return }
        shard.metrics.sentBytes.increment(by: count)
    }

    func askForWritable() { exchange.askForWritable() }
    func send(_ frame: [UInt8]) {}
    func sessionIsIdle() {}
    func refreshToken(conversation: ConversationPlace?, running: ResumeClaims.Running?) {}

    /// The session is over, or the gateway is: the stream cannot end as it should.
    func close(_ reason: CloseReason) {
        detach()
        exchange.abort(reset: false)
        end()
    }

    // MARK: HTTPExchangeObserver

    func exchangeIsClear(_ exchange: HTTPExchange) {
        switch phase {
        case .passing(let pass): pass.exchangeIsClear()
        case .streaming:
            writeWaiting()
            guard let session else { return }
            // One of this shard; readers elsewhere go on by the credit that they are given back.
            (session.hosted ?? shard.session(session.id))?.readerIsClear(id)
        case .asked, .ended: break
        }
    }

    func exchangePeerClosed(_ exchange: HTTPExchange) {
        detach()
        end()
    }

    private func detach() {
        if case .passing(let pass) = phase { return pass.cancel() }
        guard let session else { return }
        if let hosted = session.hosted {
            hosted.detach(id)
        } else {
            shard.send(.detach(session.id, id), to: session.id.shard)
        }
    }
}
