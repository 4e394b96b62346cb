/// The top-level fields of one gateway frame that the checker reads, found in one pass.
///
/// Nested values are skipped, unknown names too. Strings are left as written, escapes included:
/// a range of the line, never a copy. Refuses what is no JSON object; nesting is limited to 128.
package struct FrameFields {
    /// A string field's bytes between its quotes, or a nested value's with its brackets.
    package struct Slice: Equatable {
        package var start: Int32 = -1
        package var end: Int32 = -1

        package var isPresent: Bool { start >= 0 }
        package var range: Range<Int> { isPresent ? Int(start)..<Int(end) : 0..<0 }
    }

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
    package private(set) var through: Int?
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

    private enum Value {
        case string(Slice)
        case number(Int?)
        case boolean(Bool)
        case other(Slice)
    }

    /// Reads `line`; `nil` when it is no JSON object.
    package init?(scanning line: Span<UInt8>) {
        var at = Self.skipSpace(line, 0)
        guard at < line.count, line[at] == UInt8(ascii: "{") else { return nil }
        at = Self.skipSpace(line, at + 1)
        if at < line.count, line[at] == UInt8(ascii: "}") {
            guard Self.skipSpace(line, at + 1) == line.count else { return nil }
            return
        }
        while true {
            guard let key = Self.string(line, &at) else { return nil }
            at = Self.skipSpace(line, at)
            guard at < line.count, line[at] == UInt8(ascii: ":") else { return nil }
            at = Self.skipSpace(line, at + 1)
            guard let value = Self.value(line, &at) else { return nil }
            assign(value, to: key, line)
            at = Self.skipSpace(line, at)
            guard at < line.count else { return nil }
            if line[at] == UInt8(ascii: "}") { break }
            guard line[at] == UInt8(ascii: ",") else { return nil }
            at = Self.skipSpace(line, at + 1)
        }
        guard Self.skipSpace(line, at + 1) == line.count else { return nil }
    }

    private static func skipSpace(_ line: Span<UInt8>, _ start: Int) -> Int {
        var at = start
        while at < line.count, line[at] <= 0x20 {
            guard line[at] == 0x20 || (0x09...0x0D).contains(line[at]) else { return at }
            at += 1
        }
        return at
    }

    /// The string that begins at `at`, without its quotes.
    private static func string(_ line: Span<UInt8>, _ at: inout Int) -> Slice? {
        guard at < line.count, line[at] == UInt8(ascii: "\"") else { return nil }
        let start = at + 1
        var end = start
        while end < line.count {
            switch line[end] {
            case UInt8(ascii: "\""):
                at = end + 1
                return Slice(start: Int32(truncatingIfNeeded: start), end: Int32(end))
            case UInt8(ascii: "\\"): end += 2
            case ..<0x20: return nil
            default: end += 1
            }
        }
        return nil
    }

    private static func value(_ line: Span<UInt8>, _ at: inout Int) -> Value? {
        guard at < line.count else { return nil }
        switch line[at] {
        case UInt8(ascii: "\""):
            guard let slice = string(line, &at) else { return nil }
            return .string(slice)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let start = at
            guard skipNested(line, &at) else { return nil }
            return .other(Slice(start: Int32(start), end: Int32(at)))
        case UInt8(ascii: "t") where literal(line, &at, "true"): return .boolean(true)
        case UInt8(ascii: "f") where literal(line, &at, "false"): return .boolean(false)
        case UInt8(ascii: "n") where literal(line, &at, "null"): return .number(nil)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number(line, &at)
        default: return nil
        }
    }

    private static func literal(
        _ line: Span<UInt8>, _ at: inout Int, _ word: StaticString
    ) -> Bool {
        let slice = Slice(
            start: Int32(at), end: Int32(min(at + word.utf8CodeUnitCount, line.count)))
        guard equal(line, slice, word) else { return false }
        at += word.utf8CodeUnitCount
        return true
    }

    /// An integer of at most 18 digits; any other number is skipped and stands for none.
    private static func number(_ line: Span<UInt8>, _ at: inout Int) -> Value {
        var value = 0
        var digits = 0
        var isInteger = true
        scan: while at < line.count {
            switch line[at] {
            case let digit where digit &- 0x30 < 10:
                if digits < 18 { value = value * 10 + Int(digit - 0x30) }
                digits += 1
            case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"),
                UInt8(ascii: "E"):
                isInteger = false
            default: break scan
            }
            at += 1
        }
        return .number(isInteger && digits <= 18 ? value : nil)
    }

    private static func skipNested(_ line: Span<UInt8>, _ at: inout Int) -> Bool {
        var depth = 0
        while at < line.count {
            switch line[at] {
            case UInt8(ascii: "\""):
                guard string(line, &at) != nil else { return false }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                guard depth <= 128 else { return false }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
            default: break
            }
            at += 1
            if depth == 0 { return true }
        }
        return false
    }

    private mutating func assign(_ value: Value, to key: Slice, _ line: Span<UInt8>) {
        switch value {
        case .number(let number):
            guard let number else { return }
            switch key.end - key.start {
            case 3 where Self.equal(line, key, "seq"): seq = number
            case 4 where Self.equal(line, key, "from"): from = number
            case 5 where Self.equal(line, key, "index"): index = number
            case 7 where Self.equal(line, key, "through"): through = number
            case 10 where Self.equal(line, key, "text_bytes"): textBytes = number
            case 18 where Self.equal(line, key, "upstream_closed_us"):
                upstreamClosedMicroseconds = number
            case 18 where Self.equal(line, key, "reconnect_after_ms"):
                reconnectAfterMilliseconds = number
            default: break
            }
        case .string(let slice): assign(slice, to: key, line)
        case .boolean(let flag): if Self.equal(line, key, "recovered") { recovered = flag }
        case .other(let slice): if Self.equal(line, key, "error") { error = slice }
        }
    }

    private mutating func assign(_ slice: Slice, to key: Slice, _ line: Span<UInt8>) {
        switch key.end - key.start {
        case 2 where Self.equal(line, key, "id"): id = slice
        case 4 where Self.equal(line, key, "type"):
            typeName = slice
            type = Self.frameType(line, slice)
        case 4 where Self.equal(line, key, "text"): text = slice
        case 4 where Self.equal(line, key, "kind"): kind = slice
        case 4 where Self.equal(line, key, "code"): code = slice
        case 5 where Self.equal(line, key, "epoch"): epoch = slice
        case 5 where Self.equal(line, key, "state"): state = slice
        case 6 where Self.equal(line, key, "status"): status = slice
        case 6 where Self.equal(line, key, "reason"): reason = slice
        case 7 where Self.equal(line, key, "message"): message = slice
        case 7 where Self.equal(line, key, "session"): session = slice
        case 8 where Self.equal(line, key, "response"): response = slice
        case 10 where Self.equal(line, key, "message_id"): messageID = slice
        case 11 where Self.equal(line, key, "text_sha256"): textSHA256 = slice
        case 12 where Self.equal(line, key, "resume_token"): resumeToken = slice
        default: break
        }
    }

    private static func frameType(_ line: Span<UInt8>, _ slice: Slice) -> FrameType {
        switch slice.end - slice.start {
        case 4 where equal(line, slice, "tool"): .tool
        case 4 where equal(line, slice, "item"): .item
        case 4 where equal(line, slice, "pong"): .pong
        case 5 where equal(line, slice, "delta"): .delta
        case 5 where equal(line, slice, "ready"): .ready
        case 5 where equal(line, slice, "state"): .state
        case 5 where equal(line, slice, "error"): .error
        case 5 where equal(line, slice, "token"): .token
        case 7 where equal(line, slice, "message"): .message
        case 8 where equal(line, slice, "response"): .response
        case 8 where equal(line, slice, "complete"): .complete
        case 8 where equal(line, slice, "snapshot"): .snapshot
        case 10 where equal(line, slice, "going_away"): .goingAway
        case 14 where equal(line, slice, "upstream_event"): .upstreamEvent
        default: .unknown
        }
    }

    /// Whether the bytes of `slice` are those of `word`.
    package static func equal(_ line: Span<UInt8>, _ slice: Slice, _ word: StaticString) -> Bool {
        guard slice.isPresent, Int(slice.end - slice.start) == word.utf8CodeUnitCount else {
            return false
        }
        let start = Int(slice.start)
        return word.withUTF8Buffer { bytes in
            for offset in 0..<bytes.count where line[start + offset] != bytes[offset] {
                return false
            }
            return true
        }
    }
}
