/// Writes the client's frames of `millrace.v1` as JSON.
struct NativeComposer: MessageComposer {
    private let head: [UInt8]
    private let tail: [UInt8]
    private let auth: String?

    init(request: Scenario.Request, auth: String?) {
        self.auth = auth
        var options: [String] = []
        if !request.model.isEmpty { options.append(#""model":\#(JSONText.quote(request.model))"#) }
        if request.timestamps { options.append(#""metadata":{"millrace_timestamps":"1"}"#) }
        if let more = request.optionMembers { options.append(more) }
        head = Array(#"{"type":"message","id":""#.utf8)
        tail = Array(
            #"","input":\#(JSONText.quote(request.input)),"options":{\#(options.joined(separator: ","))}}"#
                .utf8)
    }

    var isIdempotent: Bool { true }

    func upgrade(resuming point: ResumePoint?) -> Handshake.Extras { Handshake.Extras() }

    func hello(resuming point: ResumePoint?) -> [UInt8]? {
        var text = #"{"type":"hello""#
        if let auth { text += #","auth":\#(JSONText.quote(auth))"# }
        if let point {
            text +=
                #","resume":{"token":\#(JSONText.quote(point.token)),"after":\#(point.after)}"#
        }
        return Array((text + "}").utf8)
    }

    func message(id: String, lane: Int) -> [UInt8] { head + Array(id.utf8) + tail }

    func cancel(message id: String, lane: Int) -> [UInt8] {
        Array(#"{"type":"cancel","message":"\#(id)"}"#.utf8)
    }
}

extension Scenario.Request {
    /// The members of `request.options`, without the braces around them; `nil` when there are none.
    var optionMembers: String? {
        let more = options.drop { $0 == " " }.dropFirst()
        let members = more.prefix(upTo: more.lastIndex(of: "}") ?? more.startIndex)
        return members.contains { $0 != " " } ? String(members) : nil
    }
}
