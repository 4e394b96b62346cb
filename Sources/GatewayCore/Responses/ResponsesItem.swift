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
        self.value = value
        var type: JSONValue?
        var callID: JSONValue?
        var name: JSONValue?
        var status: JSONValue?
        var error: JSONValue?
        var operation: JSONValue?
        var arguments: [JSONValue?] = [nil, nil, nil]
        var outputs: [JSONValue?] = [nil, nil, nil]
        var id: JSONValue?
        var content: JSONValue?
        var summary: JSONValue?
        value.forEachMember(in: data) { member in
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
                arguments[0] = value
            } else if has("input") {
                arguments[1] = value
            } else if has("code") {
                arguments[2] = value
            } else if has("operation") {
                operation = value
            } else if has("output") {
                outputs[0] = value
            } else if has("outputs") {
                outputs[1] = value
            } else if has("results") {
                outputs[2] = value
            } else if has("error") {
                error = value
            }
        }
        self.content = content
        self.summary = summary
        idHash = Self.hash(of: id?.contents, in: data)
        // Without any id, an item is the same when all of it is: then it was sent twice.
        if idHash == 0, callID?.kind != .string {
            idHash = Self.hash(of: value.range, in: data)
        }
        try classify(type, in: data, limits: limits)
        guard role == .tool else { return }
        self.callID = try Self.identifier(callID, in: data, limits: limits)
        self.name = try Self.identifier(name, in: data, limits: limits)
        let hasFailed = error.map { $0.kind != .null } ?? false
        for final in [ToolStatus.completed, .failed, .incomplete]
        where status?.equals(final.wireName, in: data) == true {
            finalStatus = final
        }
        if hasFailed, finalStatus == nil { finalStatus = .failed }
        func present(_ value: JSONValue?) -> Range<Int>? {
            value.flatMap { $0.kind == .null ? nil : $0.range }
        }
        self.arguments =
            present(arguments[0]) ?? present(arguments[1]) ?? present(arguments[2])
            ?? present(operation?.member("diff", in: data))
        output =
            present(outputs[0]) ?? present(outputs[1]) ?? present(outputs[2]) ?? present(error)
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
