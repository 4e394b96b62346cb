/// Writes the client's frames of `millrace.v1` as JSON.
struct MessageComposer {
    private let head: [UInt8]
    private let tail: [UInt8]
    private let auth: String?

    init(request: Scenario.Request, auth: String?) {
        self.auth = auth
        var options: [String] = []
        if !request.model.isEmpty { options.append(#""model":\#(JSONText.quote(request.model))"#) }
        if request.timestamps { options.append(#""metadata":{"millrace_timestamps":"1"}"#) }
        let more = request.options.drop { $0 == " " }.dropFirst()
        let members = more.prefix(upTo: more.lastIndex(of: "}") ?? more.startIndex)
        if members.contains(where: { $0 != " " }) { options.append(String(members)) }
        head = Array(#"{"type":"message","id":""#.utf8)
        tail = Array(
            #"","input":\#(JSONText.quote(request.input)),"options":{\#(options.joined(separator: ","))}}"#
                .utf8)
    }

    func message(id: String) -> [UInt8] { head + Array(id.utf8) + tail }

    func hello(resume token: String?, after: Int) -> [UInt8] {
        var text = #"{"type":"hello""#
        if let auth { text += #","auth":\#(JSONText.quote(auth))"# }
        if let token { text += #","resume":{"token":\#(JSONText.quote(token)),"after":\#(after)}"# }
        return Array((text + "}").utf8)
    }

    func cancel(message id: String) -> [UInt8] {
        Array(#"{"type":"cancel","message":"\#(id)"}"#.utf8)
    }
}
