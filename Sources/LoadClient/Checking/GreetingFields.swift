/// The fields of the session's own frame that both protocols have: `ready`, and `gateway.session` of the dialect.
protocol GreetingFields {
    /// The end of the log.
    var seq: Int? { get }
    var recovered: Bool? { get }
    var session: JSONMembers.Slice { get }
    var epoch: JSONMembers.Slice { get }
    var reason: JSONMembers.Slice { get }
    var resumeToken: JSONMembers.Slice { get }
}

extension FrameFields: GreetingFields {}
extension DialectFields: GreetingFields {}

extension LogPosition {
    /// Takes the session's own frame, with what a reader is to know of it.
    mutating func greeted(by fields: some GreetingFields, _ line: Span<UInt8>) -> Verdict {
        let end = fields.seq ?? 0
        let isRecovered = fields.recovered ?? false
        let violation = ready(
            session: line.bytes(fields.session), epoch: line.bytes(fields.epoch), end: end,
            isRecovered: isRecovered)
        if let violation { return .violation(violation) }
        return .ready(
            Verdict.Ready(
                seq: end, isRecovered: isRecovered, reason: line.string(fields.reason),
                resumeToken: line.string(fields.resumeToken)))
    }
}
