/// The top-level fields of one gateway frame that the checker reads, found in one pass.
///
/// Nested values are skipped, unknown names too. Strings are left as written, escapes included:
/// a range of the line, never a copy. Refuses what is no JSON object; nesting is limited to 128.
package struct FrameFields {
    package typealias Slice = JSONMembers.Slice

    package enum FrameType: Equatable {
        case delta, tool, item, upstreamEvent, message, response, complete
        case ready, state, snapshot, error, token, goingAway, pong, unknown

        /// Whether its `seq` is a place in the log; `ready` and `state` only speak of one.
        ///
        /// Types of a later version are events where they have a `seq`.
        package var isLogged: Bool {
            switch self {
            case .delta, .tool, .item, .upstreamEvent, .message, .response, .complete, .unknown:
                true
            case .ready, .state, .snapshot, .error, .token, .goingAway, .pong: false
            }
        }
    }

    package private(set) var type = FrameType.unknown
    package private(set) var seq: Int?
    package private(set) var from: Int?
    package private(set) var index: Int?
    package private(set) var textBytes: Int?
    package private(set) var upstreamClosedMicroseconds: Int?
    package private(set) var reconnectAfterMilliseconds: Int?
    package private(set) var recovered: Bool?
    package private(set) var typeName = Slice()
    package private(set) var response = Slice()
    package private(set) var text = Slice()
    package private(set) var kind = Slice()
    package private(set) var id = Slice()
    package private(set) var message = Slice()
    package private(set) var messageID = Slice()
    package private(set) var status = Slice()
    package private(set) var reason = Slice()
    package private(set) var code = Slice()
    package private(set) var state = Slice()
    package private(set) var session = Slice()
    package private(set) var epoch = Slice()
    package private(set) var resumeToken = Slice()
    package private(set) var textSHA256 = Slice()
    package private(set) var error = Slice()
    package private(set) var item = Slice()

    /// Reads `line`; `nil` when it is no JSON object.
    package init?(scanning line: Span<UInt8>) {
        var members = JSONMembers()
        while let (key, value) = members.next(in: line) { assign(value, to: key, line) }
        guard members.isWhole else { return nil }
    }

    private mutating func assign(_ value: JSONMembers.Value, to key: Slice, _ line: Span<UInt8>) {
        switch value {
        case .number(let number):
            guard let number else { return }
            switch key.end - key.start {
            case 3 where JSONMembers.equal(line, key, "seq"): seq = number
            case 4 where JSONMembers.equal(line, key, "from"): from = number
            case 5 where JSONMembers.equal(line, key, "index"): index = number
            case 10 where JSONMembers.equal(line, key, "text_bytes"): textBytes = number
            case 18 where JSONMembers.equal(line, key, "upstream_closed_us"):
                upstreamClosedMicroseconds = number
            case 18 where JSONMembers.equal(line, key, "reconnect_after_ms"):
                reconnectAfterMilliseconds = number
            default: break
            }
        case .string(let slice): assign(slice, to: key, line)
        case .boolean(let flag): if JSONMembers.equal(line, key, "recovered") { recovered = flag }
        case .nested(let slice):
            if JSONMembers.equal(line, key, "error") { error = slice }
            if JSONMembers.equal(line, key, "item") { item = slice }
        }
    }

    private mutating func assign(_ slice: Slice, to key: Slice, _ line: Span<UInt8>) {
        switch key.end - key.start {
        case 2 where JSONMembers.equal(line, key, "id"): id = slice
        case 4 where JSONMembers.equal(line, key, "type"):
            typeName = slice
            type = Self.frameType(line, slice)
        case 4 where JSONMembers.equal(line, key, "text"): text = slice
        case 4 where JSONMembers.equal(line, key, "kind"): kind = slice
        case 4 where JSONMembers.equal(line, key, "code"): code = slice
        case 5 where JSONMembers.equal(line, key, "epoch"): epoch = slice
        case 5 where JSONMembers.equal(line, key, "state"): state = slice
        case 6 where JSONMembers.equal(line, key, "status"): status = slice
        case 6 where JSONMembers.equal(line, key, "reason"): reason = slice
        case 7 where JSONMembers.equal(line, key, "message"): message = slice
        case 7 where JSONMembers.equal(line, key, "session"): session = slice
        case 8 where JSONMembers.equal(line, key, "response"): response = slice
        case 10 where JSONMembers.equal(line, key, "message_id"): messageID = slice
        case 11 where JSONMembers.equal(line, key, "text_sha256"): textSHA256 = slice
        case 12 where JSONMembers.equal(line, key, "resume_token"): resumeToken = slice
        default: break
        }
    }

    private static func frameType(_ line: Span<UInt8>, _ slice: Slice) -> FrameType {
        switch slice.end - slice.start {
        case 4 where JSONMembers.equal(line, slice, "tool"): .tool
        case 4 where JSONMembers.equal(line, slice, "item"): .item
        case 4 where JSONMembers.equal(line, slice, "pong"): .pong
        case 5 where JSONMembers.equal(line, slice, "delta"): .delta
        case 5 where JSONMembers.equal(line, slice, "ready"): .ready
        case 5 where JSONMembers.equal(line, slice, "state"): .state
        case 5 where JSONMembers.equal(line, slice, "error"): .error
        case 5 where JSONMembers.equal(line, slice, "token"): .token
        case 7 where JSONMembers.equal(line, slice, "message"): .message
        case 8 where JSONMembers.equal(line, slice, "response"): .response
        case 8 where JSONMembers.equal(line, slice, "complete"): .complete
        case 8 where JSONMembers.equal(line, slice, "snapshot"): .snapshot
        case 10 where JSONMembers.equal(line, slice, "going_away"): .goingAway
        case 14 where JSONMembers.equal(line, slice, "upstream_event"): .upstreamEvent
        default: .unknown
        }
    }
}
