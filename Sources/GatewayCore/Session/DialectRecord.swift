/// What a session knows of a response of the OpenAI dialect besides its record.
struct DialectRecord {
    /// The response's number within its session.
    let number: Int
    /// Nil is the default lane.
    let lane: [UInt8]?
    let isStored: Bool
    let isBackground: Bool
    /// Input for the next turn, where upstream does not keep this one.
    var turn: DialectTurn?
    /// The response that it goes on from, raw JSON.
    let previous: [UInt8]?
    /// Events so far: the next one's number.
    var events = 0
    /// Upstream's head, as far as clients have a use for it.
    var fields: [UpstreamResponseHead.Field] = []
    /// Why there is no event at all.
    var refusal: DialectError?
    /// Why the gateway had to end it.
    var failure: DialectError?
    /// Output text so far, as written.
    var textBytes = 0
    /// Upstream's terminal event is in the log.
    var hasEnd = false
}
