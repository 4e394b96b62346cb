internal import WebSocketServer

/// What stays of a response after its answer, and what goes on without one.
extension SimulatorCore {
    /// Keeps a response that has ended, where the request wants that.
    func keep(_ stream: ResponseStream, _ creation: Creation) {
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

    /// Starts a background response and answers with its object or its stream.
    func startInBackground(_ stream: ResponseStream, _ creation: Creation) {
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
        let retention = request.directives.integer("retain_ms").map { Duration.milliseconds($0) }
        let driver = BackgroundDriver(
            response, fault: creation.fault, retention: retention ?? options.retention, core: self
        ) { [unowned self] response in
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
            listen(
                to: driver, from: 0, creation.fault, creation.exchange, random,
                contentType: creation.contentType)
        } else {
            answer(creation.exchange, status: 200, response.object)
        }
        driver.advance()
    }

    /// Drivers whose response the store has let go of end with it.
    private func forgetLostDrivers() {
        guard drivers.count > 2 * max(64, store.count) else { return }
        for (id, driver) in drivers where store[id] == nil {
            drivers[id] = nil
            driver.cancel()
        }
    }

    /// Streams a background response from event `first` on.
    func listen(
        to driver: BackgroundDriver, from first: Int, _ fault: Fault?, _ exchange: HTTPExchange,
        _ random: SeededRandom, contentType: String = Creation.eventStream
    ) {
        var random = random
        let body = ResponseBody(
            source: .background(driver.response, from: first), fault: fault, random: random)
        let sending = StreamingExchange(
            exchange: exchange, core: self, body: body,
            responseID: driver.response.stream.responseID, startedAt: monotonic, random: random)
        driver.add(sending)
        sending.start(headers: headers(contentType: contentType, &random))
    }
}
