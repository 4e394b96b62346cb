internal import WebSocketServer

/// Everything but the creation of a response.
extension SimulatorCore {
    func retrieveResponse(_ exchange: HTTPExchange, _ id: String) {
        guard let entry = store[id] else {
            refuse(exchange, .responseNotFound(id))
            return
        }
        guard exchange.request.queryValue("stream") == "true" else {
            answer(exchange, status: 200, entry.background?.object ?? entry.object)
            return
        }
        guard entry.background != nil, let driver = drivers[id] else {
            refuse(
                exchange,
                .invalid(
                    "Only responses that were created with 'background: true' can be streamed.",
                    param: "stream"))
            return
        }
        let after = exchange.request.queryValue("starting_after").map { Int($0) ?? -2 }
        guard after ?? -1 >= -1 else {
            refuse(exchange, .invalidType("starting_after", expected: "an integer"))
            return
        }
        var random = nextRandom()
        var fault: Fault?
        if let planned = driver.fault, planned.times != nil, ledger.strikes(planned, &random) {
            fault = planned
            statistics.noteFault(planned.kind)
        }
        statistics.noteStatus(200)
        listen(to: driver, from: (after ?? -1) + 1, fault, exchange, random)
    }

    func cancelResponse(_ exchange: HTTPExchange, _ id: String) {
        guard let entry = store[id] else {
            refuse(exchange, .responseNotFound(id))
            return
        }
        guard let response = entry.background else {
            refuse(exchange, .invalid("Cannot cancel a synchronous response."))
            return
        }
        if !response.isOver {
            statistics.cancelledByCall += 1
            drivers[id]?.cancel()
        }
        answer(exchange, status: 200, response.object)
    }

    func deleteResponse(_ exchange: HTTPExchange, _ id: String) {
        guard store[id] != nil else {
            refuse(exchange, .responseNotFound(id))
            return
        }
        drivers.removeValue(forKey: id)?.cancel()
        store.remove(id)
        answer(
            exchange,
            .object([
                .init("id", .string(id)), .init("object", .string("response.deleted")),
                .init("deleted", .bool(true)),
            ]))
    }

    func listInputItems(_ exchange: HTTPExchange, _ id: String) {
        guard let entry = store[id] else {
            refuse(exchange, .responseNotFound(id))
            return
        }
        let request = exchange.request
        var items = entry.inputItems
        if request.queryValue("order") != "asc" { items.reverse() }
        if let after = request.queryValue("after"),
            let index = items.firstIndex(where: { $0["id"]?.string == after })
        {
            items.removeFirst(index + 1)
        }
        let asked = request.queryValue("limit")
        do throws(APIError) {
            // As JSON writes it, so that it is checked as a parameter of a body is.
            try RequestCheck.integer("limit", asked.map { .number($0) }, 1...100)
        } catch {
            refuse(exchange, error)
            return
        }
        let limit = asked.flatMap { Int($0) } ?? 20
        let page = Array(items.prefix(limit))
        answer(
            exchange,
            .object([
                .init("object", .string("list")), .init("data", .array(page)),
                .init("first_id", page.first?["id"] ?? .null),
                .init("last_id", page.last?["id"] ?? .null),
                .init("has_more", .bool(items.count > limit)),
            ]))
    }

    func countTokens(_ exchange: HTTPExchange) {
        do throws(APIError) {
            guard let body = try? JSONParser.parse(exchange.body) else {
                throw .invalid("We could not parse the JSON body of your request.")
            }
            let input = try InputItems(body["input"] ?? .null)
            let instructions = body["instructions"]?.string?.utf8.count ?? 0
            answer(
                exchange,
                .object([
                    .init("object", .string("response.input_tokens")),
                    .init("input_tokens", .integer(input.tokenCount + instructions / 4)),
                ]))
        } catch {
            refuse(exchange, error)
        }
    }

    func listModels(_ exchange: HTTPExchange) {
        let names = ["gpt-5.5", "gpt-5.5-mini"] + Scenario.allCases.map(\.model)
        answer(
            exchange,
            .object([
                .init("object", .string("list")),
                .init("data", .array(names.map { Self.model($0) })),
            ]))
    }

    static func model(_ name: String) -> JSONValue {
        .object([
            .init("id", .string(name)), .init("object", .string("model")),
            .init("created", .integer(1_767_225_600)),
            .init("owned_by", .string(name.hasPrefix("sim-") ? "millrace-sim" : "system")),
        ])
    }
}
