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
        var contentType = "text/event-stream; charset=utf-8"
    }

    func createResponse(_ exchange: HTTPExchange) {
        do throws(APIError) {
            let request = try ResponseRequest(exchange.body)
            var creation = Creation(
                exchange: exchange, request: request, random: nextRandom(), startedAt: monotonic)
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
    private func resume(_ creation: Creation) {
        do throws(APIError) {
            try proceed(creation)
        } catch {
            refuse(creation.exchange, error)
        }
    }

    // MARK: faults before the body

    private func strike(_ fault: Fault, _ creation: Creation) {
        let exchange = creation.exchange
        let milliseconds = Duration.milliseconds(fault.milliseconds ?? 1000)
        switch fault.kind {
        case .status:
            var extra = fault.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            if let seconds = fault.retryAfterDate {
                let date = HTTPDate.text(unixSeconds: moment.unixSeconds + seconds)
                extra.append(("retry-after", date))
            }
            refuse(exchange, fault.error, extra: extra)
        case .silent: _ = HeldExchange(exchange: exchange, core: self)
        case .refuse: exchange.abort(reset: true)
        case .close: exchange.abort(reset: false)
        case .slowHeaders: dripHead(fault, creation)
        case .delay:
            HeldExchange(exchange: exchange, core: self).wait(milliseconds) { [unowned self] in
                resume(creation)
            }
        case .redirect:
            answer(
                exchange, status: fault.error.status, [], extra: [("location", fault.location)])
        case .contentType:
            var creation = creation
            creation.contentType = "text/html; charset=utf-8"
            resume(creation)
        case .httpGarbage:
            var random = creation.random
            exchange.writeUnframed((0..<256).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            exchange.abort(reset: false)
        case _: resume(creation)
        }
    }

    /// The head comes byte by byte; then the answer goes on as it should, and the connection ends.
    private func dripHead(_ fault: Fault, _ creation: Creation) {
        do throws(APIError) {
            var stream = try makeStream(for: creation)
            var object: [UInt8] = []
            var head = "HTTP/1.1 200 OK\r\nconnection: close\r\n"
            if creation.request.isStream {
                head += "transfer-encoding: chunked\r\n"
            } else {
                stream.finish(at: moment)
                stream.appendObject(to: &object)
                head += "content-length: \(object.count)\r\n"
            }
            let type = creation.request.isStream ? creation.contentType : "application/json"
            var random = creation.random
            for (name, value) in headers(contentType: type, &random) {
                head += "\(name): \(value)\r\n"
            }
            statistics.responsesCreated += 1
            statistics.noteStatus(200)
            let exchange = creation.exchange
            HeldExchange(exchange: exchange, core: self).drip(
                Array((head + "\r\n").utf8), interval: .milliseconds(fault.milliseconds ?? 10)
            ) { [unowned self] in
                if creation.request.isStream {
                    send(stream, creation).startUnframed()
                } else {
                    exchange.writeUnframed(object)
                    exchange.abort(reset: false)
                }
            }
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

    private func history(for request: ResponseRequest) throws(APIError) -> History {
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

    private static func conversationID(of request: ResponseRequest) -> String? {
        request.body["conversation"]?.string ?? request.body["conversation"]?["id"]?.string
    }

    private func makeStream(for creation: Creation) throws(APIError) -> ResponseStream {
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
        return ResponseStream(echo: echo, answer: answer, random: random)
    }

    private func send(_ stream: ResponseStream, _ creation: Creation) -> StreamingExchange {
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
            source: .recorded(recording), fault: creation.fault, random: random)
        statistics.noteStatus(200)
        StreamingExchange(
            exchange: creation.exchange, core: self, body: body, responseID: "",
            startedAt: creation.startedAt, random: random
        ).start(headers: headers(contentType: creation.contentType, &random))
    }

    // MARK: what is kept

    /// Keeps a response that has ended, where the request wants that.
    private func keep(_ stream: ResponseStream, _ creation: Creation) {
        let request = creation.request
        var history = ((try? history(for: request)) ?? History())
            .appending(request.input.userTexts)
        history.pendingCalls = stream.answer.items.compactMap(\.pendingCallID)
        if let id = Self.conversationID(of: request) {
            conversations.insert(
                .init(inputItems: [], history: history, costBytes: 1024), id: id)
        }
        guard request.isStored else { return }
        var random = creation.random
        var object: [UInt8] = []
        stream.appendObject(to: &object)
        let entry = ResponseStore.Entry(
            object: object, inputItems: request.input.listed(&random), history: history,
            costBytes: object.count + creation.exchange.body.count)
        store.insert(entry, id: stream.responseID)
    }

    private func startInBackground(_ stream: ResponseStream, _ creation: Creation) {
        let id = stream.responseID
        var random = creation.random
        let response = BackgroundResponse(stream, startedAt: creation.startedAt)
        let request = creation.request
        let history = ((try? history(for: request)) ?? History())
            .appending(request.input.userTexts)
        let bodyBytes = creation.exchange.body.count
        store.insert(
            .init(
                background: response, inputItems: request.input.listed(&random),
                history: history, costBytes: bodyBytes), id: id)
        let driver = BackgroundDriver(response, fault: creation.fault, core: self) {
            [unowned self] response in
            store.update(id) { entry in
                entry.costBytes = bodyBytes + response.log.byteCount
                if !response.isCancelled {
                    entry.history.pendingCalls =
                        response.stream.answer.items.compactMap(\.pendingCallID)
                }
            }
        }
        drivers[id] = driver
        forgetLostDrivers()
        if request.isStream {
            statistics.noteStatus(200)
            listen(to: driver, from: 0, creation.fault, creation.exchange, random)
        } else {
            answer(creation.exchange, status: 200, response.object)
        }
        driver.advance()
    }

    /// Drivers whose response the store has let go of end with it.
    private func forgetLostDrivers() {
        guard drivers.count > 2 * max(64, store.count) else { return }
        drivers = drivers.filter { store[$0.key] != nil }
    }

    /// Streams a background response from event `first` on.
    func listen(
        to driver: BackgroundDriver, from first: Int, _ fault: Fault?, _ exchange: HTTPExchange,
        _ random: SeededRandom
    ) {
        var random = random
        let body = ResponseBody(
            source: .background(driver.response, from: first), fault: fault, random: random)
        let sending = StreamingExchange(
            exchange: exchange, core: self, body: body, responseID: driver.response.stream.responseID,
            startedAt: monotonic, random: random)
        driver.add(sending)
        sending.start(headers: headers(contentType: "text/event-stream; charset=utf-8", &random))
    }
}
