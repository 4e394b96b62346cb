internal import WebSocketServer

/// Faults that strike before the first byte of a body.
extension SimulatorCore {
    /// Does what `fault` does instead of a body, or before it.
    func strike(_ fault: Fault, _ creation: Creation) {
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
        case .refuseStream:
            guard creation.request.isStream else {
                resume(creation)
                return
            }
            refuse(
                exchange,
                .invalid(
                    "This server does not stream.", param: "stream", code: "unsupported_value"))
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
}
