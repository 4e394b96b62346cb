/// What an output item is, as far as the reducer treats it differently.
enum ItemRole: Equatable, Sendable {
    /// Only deltas came so far, without an item event.
    case unknown
    case message
    case reasoning
    case tool
    /// Anything else, told apart by the hash of its type.
    case other(UInt64)
}

/// What is remembered of one output item: never its content.
struct ResponsesItem: Sendable {
    /// The `output_index` that upstream uses.
    let wireIndex: Int
    /// The index that clients see: the same, unless upstream used one index for several items.
    let index: Int
    var role: ItemRole {
        didSet { isTool = role == .tool }
    }
    /// The same as `role == .tool`, for the path that every delta takes.
    private(set) var isTool: Bool
    var toolKind = ""
    var idHash: UInt64 = 0
    var callID: [UInt8]?
    var name: [UInt8]?
    /// `output_index` was missing on the event that made this item known.
    var isUnindexed = false
    var isAnnounced = false
    var isDone = false
    /// The last tool status that was emitted.
    var toolStatus: ToolStatus?
    /// A final status that an event told before the item was done.
    var finalStatus: ToolStatus?

    init(wireIndex: Int, index: Int, role: ItemRole) {
        self.wireIndex = wireIndex
        self.index = index
        self.role = role
        isTool = role == .tool
    }

    /// Whether an item of `role` can be this one.
    func accepts(_ facts: ItemFacts) -> Bool {
        // Only text makes an item known without saying what it is.
        guard role != .unknown else { return facts.role == .message || facts.role == .reasoning }
        guard role == facts.role else { return false }
        guard role == .tool else { return true }
        guard let callID, let other = facts.callID else { return toolKind == facts.toolKind }
        return callID == other
    }
}

/// One text of an item: what its deltas gave.
struct ResponsesTextPart: Sendable {
    let item: Int
    /// `nil` is a tool's arguments.
    let kind: DeltaKind?
    let part: Int
    var fingerprint = TextFingerprint()
    /// The whole text that was found to hold just that, and how long that was then.
    var seenWhole: (mark: WholeTextMark, units: Int)?
    /// Its deltas are no beginning of the whole that upstream told; they count.
    var isMismatched = false
    /// Its deltas had no part index, so that it may hold several parts.
    var isUnindexed = false
}

/// The members of an `item` object that are looked at, as upstream wrote them.
private struct ItemMembers {
    var type: JSONValue?
    var id: JSONValue?
    var callID: JSONValue?
    var name: JSONValue?
    var content: JSONValue?
    var summary: JSONValue?
    private var status: JSONValue?
    private var error: JSONValue?
    // Arguments, as the kinds of tools call them.
    private var arguments: JSONValue?
    private var input: JSONValue?
    private var code: JSONValue?
    private var operation: JSONValue?
    // What the tool gave, likewise.
    private var output: JSONValue?
    private var outputs: JSONValue?
    private var results: JSONValue?

    init(of item: JSONValue, in data: Span<UInt8>) {
        item.forEachMember(in: data) { take($0, in: data) }
    }

    private mutating func take(_ member: JSONMember, in data: Span<UInt8>) {
        func has(_ key: String) -> Bool { member.hasKey(key, in: data) }
        let value = member.value
        if has("type") {
            type = value
        } else if has("id") {
            id = value
        } else if has("call_id") {
            callID = value
        } else if has("name") {
            name = value
        } else if has("status") {
            status = value
        } else if has("content") {
            content = value
        } else if has("summary") {
            summary = value
        } else if has("arguments") {
            arguments = value
        } else if has("input") {
            input = value
        } else if has("code") {
            code = value
        } else if has("operation") {
            operation = value
        } else if has("output") {
            output = value
        } else if has("outputs") {
            outputs = value
        } else if has("results") {
            results = value
        } else if has("error") {
            error = value
        }
    }

    /// How the call ended; nil while the item does not say.
    func finalStatus(in data: Span<UInt8>) -> ToolStatus? {
        for final in [ToolStatus.completed, .failed, .incomplete]
        where status?.equals(final.wireName, in: data) == true {
            return final
        }
        return Self.present(error) == nil ? nil : .failed
    }

    /// Where the arguments stand, whole.
    func wholeArguments(in data: Span<UInt8>) -> Range<Int>? {
        Self.present(arguments) ?? Self.present(input) ?? Self.present(code)
            ?? Self.present(operation?.member("diff", in: data))
    }

    /// Where the tool's output stands; its error where there is no other.
    var wholeOutput: Range<Int>? {
        Self.present(output) ?? Self.present(outputs) ?? Self.present(results)
            ?? Self.present(error)
    }

    private static func present(_ value: JSONValue?) -> Range<Int>? {
        value.flatMap { $0.kind == .null ? nil : $0.range }
    }
}

/// What an `item` object says about itself.
struct ItemFacts {
    let value: JSONValue
    var role = ItemRole.other(0)
    var toolKind = ""
    var idHash: UInt64 = 0
    var callID: [UInt8]?
    var name: [UInt8]?
    var finalStatus: ToolStatus?
    var arguments: Range<Int>?
    var output: Range<Int>?
    /// An array of parts, for messages and reasoning.
    var content: JSONValue?
    var summary: JSONValue?

    /// Reads an item object of a validated buffer.
    init(
        _ value: JSONValue, in data: Span<UInt8>, limits: ResponsesLimits
    ) throws(ResponsesFailure) {
        let members = ItemMembers(of: value, in: data)
        self.value = value
        content = members.content
        summary = members.summary
        idHash = Self.hash(of: members.id?.contents, in: data)
        // Without any id, an item is the same when all of it is: then it was sent twice.
        if idHash == 0, members.callID?.kind != .string {
            idHash = Self.hash(of: value.range, in: data)
        }
        try classify(members.type, in: data, limits: limits)
        guard role == .tool else { return }
        callID = try Self.identifier(members.callID, in: data, limits: limits)
        name = try Self.identifier(members.name, in: data, limits: limits)
        finalStatus = members.finalStatus(in: data)
        arguments = members.wholeArguments(in: data)
        output = members.wholeOutput
    }

    private mutating func classify(
        _ type: JSONValue?, in data: Span<UInt8>, limits: ResponsesLimits
    ) throws(ResponsesFailure) {
        guard let type, let contents = type.contents else { return }
        guard contents.count <= limits.maximumIdentifierBytes else {
            throw .limitExceeded(.identifierBytes, limit: limits.maximumIdentifierBytes)
        }
        let plain = JSONText.decode(data, contents)
        if ByteScan.equal(plain.span, 0..<plain.count, "message") {
            role = .message
        } else if ByteScan.equal(plain.span, 0..<plain.count, "reasoning") {
            role = .reasoning
        } else if let kind = ResponsesEventType.toolKind(plain.span, 0..<plain.count) {
            role = .tool
            toolKind = String(decoding: plain[kind], as: UTF8.self)
        } else {
            role = .other(Self.hash(of: 0..<plain.count, in: plain.span))
        }
    }

    /// The raw JSON of a string that is kept; `nil` for anything else.
    static func identifier(
        _ value: JSONValue?, in data: Span<UInt8>, limits: ResponsesLimits
    ) throws(ResponsesFailure) -> [UInt8]? {
        guard let value, let contents = value.contents else { return nil }
        guard contents.count <= limits.maximumIdentifierBytes else {
            throw .limitExceeded(.identifierBytes, limit: limits.maximumIdentifierBytes)
        }
        var raw: [UInt8] = []
        raw.append(data, value.range)
        return raw
    }

    /// A hash of bytes, never 0; 0 stands for nothing.
    static func hash(of range: Range<Int>?, in data: Span<UInt8>) -> UInt64 {
        guard let range, !range.isEmpty else { return 0 }
        return max(FNV.hash(data.extracting(range)), 1)
    }
}
