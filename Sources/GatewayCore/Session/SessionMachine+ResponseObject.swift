/// A response as the one object that the OpenAI dialect answers with.
extension SessionMachine {
    /// The response object as it stands: upstream's latest, with the items that have come since.
    package func responseObject(_ number: Int) -> [UInt8]? {
        if let index = recordIndex(number) { return responseObject(of: responses[index]) }
        let archived = archive.first { $0.number == number }?.snapshot
        return archived?.isEmpty == true ? nil : archived
    }

    func responseObject(of record: ResponseRecord) -> [UInt8]? {
        guard var base = log.latestResponse(record.number) else { return nil }
        if case .finished(let outcome, _) = record.phase, Self.saysItRuns(base) {
            // The end brought no object: what is left is the one of the beginning.
            base = JSONSplice.replacing(base, [("status", Array("\"\(outcome.wireName)\"".utf8))])
        }
        let output = JSONValue(kind: .object, range: 0..<base.count)
            .member("output", in: base.span)
        var isEmpty = true
        output?.forEachElement(in: base.span) { _ in isEmpty = false }
        guard isEmpty else { return base }
        let items = log.finishedItems(ofResponse: record.number)
        guard !items.isEmpty else { return base }
        var list: [UInt8] = [UInt8(ascii: "[")]
        for item in items {
            if list.count > 1 { list.append(UInt8(ascii: ",")) }
            list.append(contentsOf: item)
        }
        list.append(UInt8(ascii: "]"))
        return JSONSplice.replacing(base, [("output", list)])
    }

    private static func saysItRuns(_ object: [UInt8]) -> Bool {
        let status = JSONValue(kind: .object, range: 0..<object.count)
            .member("status", in: object.span)
        return ["in_progress", "queued"].contains {
            status?.equals($0, in: object.span) == true
        }
    }

    /// A response that nobody but the gateway has made, raw JSON; `id` and `model` raw as well.
    static func minimalObject(id: [UInt8], model: [UInt8]?, status: String) -> [UInt8] {
        var object: [UInt8] = Array("{\"id\":".utf8)
        object.append(contentsOf: id)
        object.append(literal: ",\"object\":\"response\",\"created_at\":0")
        object.field("status", status)
        object.append(literal: ",\"error\":null,\"incomplete_details\":null,\"model\":")
        object.append(contentsOf: model ?? Array("\"\"".utf8))
        object.append(
            literal: ",\"output\":[],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",")
        object.append(literal: "\"tools\":[],\"usage\":null,\"metadata\":{}}")
        return object
    }
}
