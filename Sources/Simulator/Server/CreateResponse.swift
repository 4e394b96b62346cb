internal import WebSocketServer

/// `POST /v1/responses`.
extension SimulatorCore {
    /// A request on its way to its answer.
    struct Creation {
        let exchange: HTTPExchange
        let request: ResponseRequest
        var random: SeededRandom
        let startedAt: UInt64
        var fault: Fault?
        var contentType = eventStream

        static let eventStream = "text/event-stream; charset=utf-8"
    }

    func createResponse(_ exchange: HTTPExchange) {
        // Before anything is read: what the simulator itself takes counts as its own.
        let receivedAt = monotonic
        if requestLimit?.take(monotonic: monotonic) == false {
            let wait = String(requestLimit?.retryMilliseconds ?? 0)
            refuse(exchange, .typical(status: 429), extra: [("retry-after-ms", wait)])
            return
        }
        do throws(APIError) {
            let request = try ResponseRequest(exchange.body)
            var creation = Creation(
                exchange: exchange, request: request, random: nextRandom(), startedAt: receivedAt)
            creation.fault = try chooseFault(for: &creation)
            if let fault = creation.fault { statistics.noteFault(fault.kind) }
            if let fault = creation.fault, fault.isBeforeBody {
                strike(fault, creation)
            } else {
                try proceed(creation)
            }
        } catch {
            refuse(exchange, error)
        }
    }

    /// The fault that the request's markers ask for, else its model's name, else the command line.
    private func chooseFault(for creation: inout Creation) throws(APIError) -> Fault? {
        let request = creation.request
        var directives = request.directives
        if directives["fault"] == nil, request.model.hasPrefix("sim-fault-") {
            directives["fault"] = String(request.model.dropFirst("sim-fault-".count))
        }
        if directives["fault"] == nil, let fault { directives = fault }
        let marker = "\(request.model) \(request.input.newestText)"
        guard let fault = try Fault(directives, marker: marker) else { return nil }
        if fault.kind == .redirect, creation.exchange.request.queryValue("redirected") != nil {
            return nil
        }
        return ledger.strikes(fault, &creation.random) ? fault : nil
    }

    /// Goes on after whatever happened before the body; errors are answered.
    func resume(_ creation: Creation) {
        do throws(APIError) {
            try proceed(creation)
        } catch {
            refuse(creation.exchange, error)
        }
    }

    // MARK: the answer

    private func proceed(_ creation: Creation) throws(APIError) {
        let request = creation.request
        if let recording = replays?.recording(for: request) {
            statistics.responsesCreated += 1
            replay(recording, creation)
            return
        }
        let stream = try makeStream(for: creation)
        if request.isBackground,
            drivers.values.count(where: { !$0.response.isOver }) >= options.maximumBackground
        {
            throw .typical(status: 429)
        }
        statistics.responsesCreated += 1
        if request.isBackground {
            startInBackground(stream, creation)
        } else if request.isStream {
            var random = creation.random
            statistics.noteStatus(200)
            send(stream, creation).start(
                headers: headers(contentType: creation.contentType, &random))
        } else {
            answerWhole(stream, creation)
        }
    }

    func history(for request: ResponseRequest) throws(APIError) -> History {
        if let id = request.previousResponseID {
            guard let entry = store[id] else {
                throw .invalid(
                    "Previous response with id '\(id)' not found.", param: "previous_response_id",
                    code: "previous_response_not_found")
            }
            return entry.history
        }
        guard let id = Self.conversationID(of: request) else { return History() }
        return conversations[id]?.history ?? History()
    }

    static func conversationID(of request: ResponseRequest) -> String? {
        request.body["conversation"]?.string ?? request.body["conversation"]?["id"]?.string
    }

    func makeStream(for creation: Creation) throws(APIError) -> ResponseStream {
        let request = creation.request
        var random = creation.random
        let history = try history(for: request)
        try history.check(request.input)
        let echo = ResponseEcho(
            id: random.identifier("resp_"), request: request, createdAt: moment.unixSeconds)
        var pacing = Pacing()
        pacing.deltasPerSecond = options.deltasPerSecond
        let answer = Playwright.answer(
            to: request, history: history, pacing: pacing, random: random)
        return ResponseStream(
            echo: echo, answer: answer, random: random, receivedAt: creation.startedAt)
    }

    func send(_ stream: ResponseStream, _ creation: Creation) -> StreamingExchange {
        let body = ResponseBody(
            source: .generated(stream), fault: creation.fault, random: creation.random)
        let sending = StreamingExchange(
            exchange: creation.exchange, core: self, body: body, responseID: stream.responseID,
            startedAt: creation.startedAt, random: creation.random)
        sending.onTerminal = { [unowned self] stream in
            if let stream { keep(stream, creation) }
        }
        return sending
    }

    private func answerWhole(_ stream: ResponseStream, _ creation: Creation) {
        let delay = Duration.nanoseconds(Int64(clamping: stream.plannedDuration))
        HeldExchange(exchange: creation.exchange, core: self).wait(delay) { [unowned self] in
            var stream = stream
            stream.finish(at: moment)
            var object: [UInt8] = []
            stream.appendObject(to: &object)
            if let fault = creation.fault {
                sendBroken(object, fault, creation)
                return
            }
            answer(creation.exchange, status: 200, object)
            keep(stream, creation)
        }
    }

    /// The body of a response that is not streamed, as far as the fault lets it come.
    private func sendBroken(_ object: [UInt8], _ fault: Fault, _ creation: Creation) {
        let exchange = creation.exchange
        var random = creation.random
        var body = object
        let half = min(fault.afterBytes ?? object.count / 2, object.count)
        switch fault.kind {
        case .truncatedJSON, .cutCharacter: body = Array(object.prefix(half))
        case .garbage: body = object.map { _ in UInt8(truncatingIfNeeded: random.next()) }
        case .invalidUTF8: body.insert(contentsOf: [0xC3, 0x28], at: half)
        case .stall, .reset, .cut, .drop:
            exchange.begin(
                status: 200, headers: headers(contentType: "application/json", &random),
                length: .known(object.count))
            exchange.writeUnframed(Array(object.prefix(half)))
            if fault.kind == .stall {
                _ = HeldExchange(exchange: exchange, core: self)
            } else {
                exchange.abort(reset: fault.kind == .reset)
            }
            return
        case _: break
        }
        answer(exchange, status: 200, body)
    }

    private func replay(_ recording: RecordedStream, _ creation: Creation) {
        var random = creation.random
        if !creation.request.isStream, let response = recording.finalResponse {
            answer(creation.exchange, status: 200, response)
            return
        }
        let body = ResponseBody(
            source: .recorded(
                recording, blocksPerSecond: creation.request.directives.double("rate") ?? 0),
            fault: creation.fault, random: random)
        statistics.noteStatus(200)
        StreamingExchange(
            exchange: creation.exchange, core: self, body: body, responseID: "",
            startedAt: creation.startedAt, random: random
        ).start(headers: headers(contentType: creation.contentType, &random))
    }
}
