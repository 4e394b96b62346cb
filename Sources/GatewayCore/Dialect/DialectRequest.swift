/// The body of a `POST /v1/responses`, or a `response.create` frame, checked and ready to be sent on.
///
/// Parameters go on as they were written. The gateway sets `stream`, and asks for no obfuscation.
package struct DialectRequest: Equatable, Sendable {
    /// What the client asked for: events, or the whole.
    package var wantsStream = false
    /// Runs detached from its client.
    package var isBackground = false
    /// Upstream keeps it.
    package var isStored = true
    /// False prepares a turn and asks upstream for nothing.
    package var generates = true
    /// The lane, raw JSON; nil is the default one.
    package var lane: [UInt8]?
    /// Raw JSON of what later parts need.
    package var model: [UInt8]?
    package var previous: [UInt8]?
    /// Raw JSON: a string or an array; empty when there is none.
    package var input: [UInt8] = []
    /// All other parameters, in order.
    package var options: [RequestOption] = []

    /// Bytes that a request takes while it waits.
    var storedBytes: Int { input.count + options.reduce(0) { $0 + $1.value.count + 32 } }

    private static let ownMembers: Set<String> = ["type", "stream_options", "event_id"]

    /// Reads a request; refuses what the gateway itself cannot read, the rest is upstream's to judge.
    package init(parsing bytes: Span<UInt8>, isFrame: Bool, maximumDepth: Int) throws(DialectError)
    {
        let root: JSONValue
        do throws(JSONSyntaxError) {
            root = try JSONReader(maximumDepth: maximumDepth).read(bytes)
        } catch {
            throw DialectError(
                400, nil, "We could not parse the JSON body of your request: \(error).")
        }
        guard root.kind == .object else {
            throw DialectError(400, nil, "The body of a request is a JSON object.")
        }
        var failure: DialectError?
        root.forEachMember(in: bytes) { member in
            do throws(DialectError) {
                try take(member, bytes, isFrame)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        keepLastOfEach()
        if isFrame, isBackground {
            throw DialectError(
                400, "unsupported_parameter", "background is not supported over a WebSocket",
                param: "background")
        }
    }

    private mutating func take(
        _ member: JSONMember, _ bytes: Span<UInt8>, _ isFrame: Bool
    ) throws(DialectError) {
        let name = String(decoding: JSONText.decode(bytes, member.key), as: UTF8.self)
        var raw: [UInt8] = []
        raw.append(bytes, member.value.range)
        switch name {
        case "stream": wantsStream = try Self.flag(member.value, name, default: false)
        case "stream_id" where isFrame: lane = try Self.lane(member.value, raw, bytes)
        case "generate" where isFrame:
            generates = try Self.flag(member.value, name, default: true)
        case "input": input = raw
        case "previous_response_id": previous = member.value.kind == .null ? nil : raw
        case _ where isFrame && Self.ownMembers.contains(name): break
        case "stream_options": break
        default:
            if name == "model" { model = raw }
            if name == "background" {
                isBackground = try Self.flag(member.value, name, default: false)
            }
            if name == "store" { isStored = try Self.flag(member.value, name, default: true) }
            options.append(RequestOption(name: name, value: raw))
        }
    }

    /// Of a parameter that is there twice the last one counts, as in every JSON library.
    private mutating func keepLastOfEach() {
        var seen: Set<String> = []
        options = options.reversed().filter { seen.insert($0.name).inserted }.reversed()
    }

    private static func flag(
        _ value: JSONValue, _ name: String, default: Bool
    ) throws(DialectError) -> Bool {
        switch value.kind {
        case .true: true
        case .false: false
        case .null: `default`
        case .object, .array, .string, .number:
            throw DialectError(
                400, "invalid_type", "Invalid type for '\(name)': expected a boolean.",
                param: name)
        }
    }

    /// A lane's name: `^[A-Za-z0-9_.-]{1,256}$`.
    package static func lane(
        _ value: JSONValue, _ raw: [UInt8], _ bytes: Span<UInt8>
    ) throws(DialectError) -> [UInt8]? {
        if value.kind == .null { return nil }
        guard let name = value.contents, (1...256).contains(name.count),
            raw[1..<(raw.count - 1)].allSatisfy({ byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: byte == 0x5F || byte == 0x2E || byte == 0x2D
                }
            })
        else {
            throw DialectError(
                400, "invalid_stream_id", "stream_id must match ^[A-Za-z0-9_.-]{1,256}$",
                param: "stream_id")
        }
        return raw
    }

    /// The input as items: a string is one user message.
    var items: [[UInt8]] { input.isEmpty ? [] : UpstreamRequestBuilder.items(of: input) }
}

extension UpstreamRequestBuilder {
    /// Builds the request of a client of the OpenAI dialect.
    ///
    /// `turn` is what the gateway itself knows of the response that it goes on from.
    func build(_ request: DialectRequest, after turn: DialectTurn?) -> UpstreamRequestBody {
        var begun = begin(
            request.options,
            besides: ["stream", "stream_options", "input", "previous_response_id"])
        let previous = turn == nil ? request.previous : turn?.previous
        if let previous { begun.bytes.field("previous_response_id", raw: previous) }
        if let turn {
            begun.bytes.field("input", items: turn.items + request.items)
        } else if !request.input.isEmpty {
            begun.bytes.field("input", raw: request.input)
        }
        begun.bytes.append(UInt8(ascii: "}"))
        return UpstreamRequestBody(
            bytes: begun.bytes, model: begun.model, isBackground: request.isBackground,
            isShownAtOnce: request.isBackground,
            isTied: previous != nil || begun.names.contains("conversation"))
    }
}

/// A turn that upstream has not kept, so that a later request can go on from it.
struct DialectTurn: Equatable, Sendable {
    /// Upstream's response that the turn itself goes on from, raw JSON.
    var previous: [UInt8]?
    /// Everything said since, raw items.
    var items: [[UInt8]]

    var storedBytes: Int { items.reduce(64) { $0 + $1.count } }
}
