/// The top-level fields of one frame of OpenAI's WebSocket mode that the checker reads, found in one pass.
struct DialectFields {
    typealias Slice = JSONMembers.Slice

    enum FrameType: Equatable {
        case created, textDelta, otherDelta, textDone, terminal, event, error
        // What the gateway adds.
        case session, snapshot, token, goingAway, cancelled
    }

    private(set) var type = FrameType.event
    private(set) var typeName = Slice()
    private(set) var gatewaySeq: Int?
    private(set) var number: Int?
    private(set) var outputIndex: Int?
    private(set) var contentIndex: Int?
    private(set) var seq: Int?
    private(set) var reconnectAfterMilliseconds: Int?
    private(set) var upstreamClosedMicroseconds: Int?
    private(set) var recovered: Bool?
    private(set) var lane = Slice()
    private(set) var delta = Slice()
    private(set) var text = Slice()
    private(set) var session = Slice()
    private(set) var epoch = Slice()
    private(set) var reason = Slice()
    private(set) var resumeToken = Slice()
    private(set) var response = Slice()
    private(set) var error = Slice()

    /// Reads `line`; `nil` when it is no JSON object.
    init?(scanning line: Span<UInt8>) {
        var members = JSONMembers()
        while let (key, value) = members.next(in: line) {
            switch value {
            case .number(let number): if let number { assign(number, to: key, line) }
            case .string(let slice): assign(slice, to: key, line)
            case .boolean(let flag):
                if JSONMembers.equal(line, key, "recovered") { recovered = flag }
            case .nested(let slice):
                if JSONMembers.equal(line, key, "response") { response = slice }
                if JSONMembers.equal(line, key, "error") { error = slice }
            }
        }
        guard members.isWhole else { return nil }
    }

    /// Where in the output a text stands: by output index, then by content index.
    var place: Int { (outputIndex ?? 0) << 16 | (contentIndex ?? 0) & 0xFFFF }

    private mutating func assign(_ number: Int, to key: Slice, _ line: Span<UInt8>) {
        switch key.end - key.start {
        case 3 where JSONMembers.equal(line, key, "seq"): seq = number
        case 11 where JSONMembers.equal(line, key, "gateway_seq"): gatewaySeq = number
        case 12 where JSONMembers.equal(line, key, "output_index"): outputIndex = number
        case 13 where JSONMembers.equal(line, key, "content_index"): contentIndex = number
        case 15 where JSONMembers.equal(line, key, "sequence_number"): self.number = number
        case 18 where JSONMembers.equal(line, key, "upstream_closed_us"):
            upstreamClosedMicroseconds = number
        case 18 where JSONMembers.equal(line, key, "reconnect_after_ms"):
            reconnectAfterMilliseconds = number
        default: break
        }
    }

    private mutating func assign(_ slice: Slice, to key: Slice, _ line: Span<UInt8>) {
        switch key.end - key.start {
        case 4 where JSONMembers.equal(line, key, "type"):
            typeName = slice
            type = Self.frameType(line, slice)
        case 4 where JSONMembers.equal(line, key, "text"): text = slice
        case 5 where JSONMembers.equal(line, key, "delta"): delta = slice
        case 5 where JSONMembers.equal(line, key, "epoch"): epoch = slice
        case 6 where JSONMembers.equal(line, key, "reason"): reason = slice
        case 7 where JSONMembers.equal(line, key, "session"): session = slice
        case 9 where JSONMembers.equal(line, key, "stream_id"): lane = slice
        case 12 where JSONMembers.equal(line, key, "resume_token"): resumeToken = slice
        default: break
        }
    }

    private static func frameType(_ line: Span<UInt8>, _ slice: Slice) -> FrameType {
        func equal(_ word: StaticString) -> Bool { JSONMembers.equal(line, slice, word) }
        switch slice.end - slice.start {
        case 5 where equal("error"): return .error
        case 13 where equal("gateway.token"): return .token
        case 15 where equal("gateway.session"): return .session
        case 15 where equal("response.failed"): return .terminal
        case 16 where equal("response.created"): return .created
        case 16 where equal("gateway.snapshot"): return .snapshot
        case 17 where equal("gateway.cancelled"): return .cancelled
        case 18 where equal("response.completed"): return .terminal
        case 18 where equal("gateway.going_away"): return .goingAway
        case 19 where equal("response.incomplete"): return .terminal
        case 22 where equal("response.refusal.delta"): return .otherDelta
        case 25 where equal("response.output_text.done"): return .textDone
        case 26 where equal("response.output_text.delta"): return .textDelta
        case 29 where equal("response.reasoning_text.delta"): return .otherDelta
        case 37 where equal("response.reasoning_summary_text.delta"): return .otherDelta
        default: return .event
        }
    }
}
