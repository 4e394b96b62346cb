/// Something that goes wrong on purpose, as docs/simulator.md lists it.
package struct Fault: Equatable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        // Instead of a stream, or before it.
        case status
        case silent
        case refuse
        case close
        case slowHeaders = "slow-headers"
        case delay
        case redirect
        case refuseStream = "refuse-stream"
        case contentType = "content-type"
        case httpGarbage = "http-garbage"
        // What ends a stream.
        case stall
        case reset
        case cut
        case drop
        case cutCharacter = "cut-character"
        case noTerminal = "no-terminal"
        case error
        case errorFlat = "error-flat"
        case errorOnly = "error-only"
        // What disturbs it.
        case truncatedJSON = "truncated-json"
        case garbage
        case invalidUTF8 = "invalid-utf8"
        case comments
        case keepalive
        case huge
        case duplicateTerminal = "duplicate-terminal"
        case afterTerminal = "after-terminal"
        case doneMarker = "done-marker"
        case byteOrderMark = "bom"
        case carriageReturns = "crlf"
    }

    package var kind: Kind
    /// The first event that is no longer sent as it should be: `after=` events come before it.
    package var afterEvents = 5
    /// Body bytes that come before it, where `after_bytes=` says so instead.
    package var afterBytes: Int?
    /// A duration, where the fault has one: `ms=`.
    package var milliseconds: Int?
    /// How often it repeats, where it does: `count=`.
    package var count: Int?
    /// Bytes of what it sends: `size=`.
    package var size: Int
    /// Only the first `times=` attempts with the same `key=` fail.
    package var times: Int?
    package var key: String
    /// The part of the requests that it strikes: `p=`.
    package var probability: Double = 1
    /// The answer of a `status` fault.
    package var error: APIError
    /// `retry-after` and its kin, ready to send.
    package var headers: [String: String] = [:]
    /// Where a redirect points.
    package var location: String
    /// Seconds from now for a `retry-after` that is a date.
    package var retryAfterDate: Int?

    /// True when it acts before or instead of the response's body.
    package var isBeforeBody: Bool {
        switch kind {
        case .status, .silent, .refuse, .close, .slowHeaders, .delay, .redirect, .refuseStream,
            .contentType, .httpGarbage:
            true
        case _: false
        }
    }

    /// Reads the fault that `directives` ask for; nil when they ask for none.
    ///
    /// `marker` stands in for `key=` where that is missing.
    package init?(_ directives: Directives, marker: String) throws(APIError) {
        guard let name = directives["fault"] else { return nil }
        try self.init(name, FaultSettings(directives), marker: marker)
    }

    /// Reads the value of `--fault`: a marker's words, where the first bare word names the fault.
    package init(commandLine text: String) throws(APIError) {
        let directives = Directives(fault: text)
        guard let name = directives["fault"] else {
            throw FaultSettings.refusal("No fault is named.")
        }
        try self.init(name, FaultSettings(directives, besideAnswer: false), marker: "")
    }

    private init(_ name: String, _ settings: FaultSettings, marker: String) throws(APIError) {
        guard let kind = Kind(rawValue: name) else {
            throw FaultSettings.refusal(
                "Unknown fault '\(name)'; there are: "
                    + Kind.allCases.map(\.rawValue).joined(separator: ", ") + ".")
        }
        self.kind = kind
        afterEvents = try settings.integer("after") ?? 5
        afterBytes = try settings.integer("after_bytes")
        milliseconds = try settings.integer("ms", 0...86_400_000)
        count = try settings.integer("count")
        size = try settings.integer("size", 0...256 << 20) ?? 8 << 20
        times = try settings.integer("times")
        key = settings["key"] ?? marker
        probability = try settings.part("p") ?? 1
        location = settings["location"] ?? "/v1/responses?redirected=1"

        let fallback = kind == .redirect ? 307 : 500
        let status = try settings.integer("status", 200...599) ?? fallback
        error = settings["code"] == "insufficient_quota" ? .quota : .typical(status: status)
        error.status = status
        if let code = settings["code"] { error.code = code }
        if let type = settings["type"] { error.type = type }
        if let shape = try settings.shape() { error.shape = shape }
        for (setting, header) in Self.headerSettings {
            if let value = settings[setting] { headers[header] = value }
        }
        retryAfterDate = try settings.integer("retry_after_date", Int.min...Int.max)
    }

    private static let headerSettings = [
        ("retry_after", "retry-after"), ("retry_after_ms", "retry-after-ms"),
        ("should_retry", "x-should-retry"),
    ]
}
