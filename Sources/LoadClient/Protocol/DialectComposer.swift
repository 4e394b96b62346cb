/// Writes the client's frames of OpenAI's WebSocket mode as JSON.
///
/// A response says which message it answers by its `metadata`, which servers repeat; each message on its way
/// has a lane of its own, since deltas name no response.
struct DialectComposer: MessageComposer {
    /// The member of `metadata` that holds the message's id.
    static let messageKey = "millrace_message"

    private let head: [UInt8]
    private let tail: [UInt8]
    private let auth: String?
    /// One response at a time goes without lanes, as most clients do.
    private let hasLanes: Bool

    init(request: Scenario.Request, hasLanes: Bool, auth: String?) {
        self.auth = auth
        self.hasLanes = hasLanes
        var members = [#""input":\#(JSONText.quote(request.input))"#]
        if !request.model.isEmpty { members.append(#""model":\#(JSONText.quote(request.model))"#) }
        if let more = request.optionMembers { members.append(more) }
        let stamps = request.timestamps ? #""millrace_timestamps":"1","# : ""
        head = Array(
            #"{"type":"response.create",\#(members.joined(separator: ",")),"metadata":{\#(stamps)"\#(Self.messageKey)":""#
                .utf8)
        tail = Array(#""}"#.utf8)
    }

    /// A second `response.create` is a second response.
    var isIdempotent: Bool { false }

    func upgrade(resuming point: ResumePoint?) -> Handshake.Extras {
        Handshake.Extras(
            query: point.map { "resume=\($0.token)&after=\($0.after)" },
            bearer: auth)
    }

    func hello(resuming point: ResumePoint?) -> [UInt8]? { nil }

    func message(id: String, lane: Int) -> [UInt8] {
        head + Array(id.utf8) + tail + Array((member(lane) + "}").utf8)
    }

    func cancel(message id: String, lane: Int) -> [UInt8] {
        // Without a lane everything is meant, which then is this one.
        Array(#"{"type":"response.cancel"\#(member(lane))}"#.utf8)
    }

    private func member(_ lane: Int) -> String {
        hasLanes ? #","stream_id":"\#(Self.laneName)\#(lane)""# : ""
    }

    /// A lane's `stream_id` is this and its number.
    static let laneName = "lane"
}
