import Simulator

/// A fault of the simulator with its settings, and what is to come of it wherever it strikes.
struct FaultCase: Sendable {
    enum Effect: Sendable {
        /// The answer survives it.
        case harmless
        /// The connection breaks, or what comes is of no use: clients learn of it by this code.
        case breaks(String)
        /// Upstream itself says that the response has failed.
        case tells
        /// The same, and it would fail at this upstream again.
        case tellsElsewhere
        /// The same, and it would fail anywhere.
        case tellsFinal
        /// There is no answer: asked for again at the same upstream.
        case again
        /// There is no answer, and would be none at this upstream.
        case elsewhere(String)
        /// There is no answer, and would be none anywhere.
        case final
    }

    /// What the gateway is to be configured like for it.
    enum World: CaseIterable, Sendable {
        /// No deadline is to expire, however busy the machine is.
        case patient
        /// The silence of an upstream is to be noticed soon, that of a slow test only costs another attempt.
        case silence
        /// An upstream that sends nothing but comments is to be noticed soon.
        case keepalive
        /// Like the first; the gateway remembers the fault, so each has a world of its own.
        case alone

        var deadlines: [String] {
            switch self {
            case .patient, .alone: []
            case .silence:
                [
                    "response_header_timeout_ms: 300", "first_event_timeout_ms: 300",
                    "silence_timeout_ms: 300",
                ]
            // Whichever of equals has no byte behind it expires first: here there are bytes.
            case .keepalive:
                [
                    "first_event_timeout_ms: 800", "silence_timeout_ms: 800",
                    "keepalive_silence_ms: 800",
                ]
            }
        }
    }

    let kind: Fault.Kind
    var settings = ""
    let effect: Effect
    var world = World.patient
    var places = FaultPlace.allCases

    /// What is to come of it.
    func outcome(at place: FaultPlace, under policy: FaultPolicy) -> FaultOutcome {
        switch (effect, place.isShown, policy) {
        case (.harmless, _, _), (.again, _, _): .whole
        case (.breaks, false, _), (.breaks, true, .background), (.tells, false, _): .whole
        case (.breaks(let code), true, .retry), (.breaks(let code), true, .fallback):
            .failed(code: code, isRetryable: true)
        case (.tells, true, _): .failed(code: "upstream_failed", isRetryable: true)
        case (.tellsElsewhere, false, .fallback): .whole
        case (.tellsElsewhere, _, _), (.tellsFinal, _, _):
            .failed(code: "upstream_failed", isRetryable: false)
        case (.elsewhere, _, .fallback): .whole
        case (.elsewhere(let code), _, .retry), (.elsewhere(let code), _, .background):
            .failed(code: code, isRetryable: false)
        case (.final, _, _): .failed(code: "upstream_http_status", isRetryable: false)
        }
    }

    /// How often it strikes: for ever where the answer is to fail, and where another upstream serves.
    func times(at place: FaultPlace, under policy: FaultPolicy) -> String {
        guard policy != .fallback, outcome(at: place, under: policy) == .whole else { return "" }
        if case .harmless = effect { return "" }
        // Connections to a background response are struck too, more than once.
        return policy == .background ? "times=2" : "times=1"
    }

    // MARK: All of them

    static let all = Fault.Kind.allCases.flatMap { cases(of: $0) }

    private static func status(
        _ settings: String, _ effect: Effect, _ world: World = .patient
    ) -> FaultCase {
        instead(.status, settings, effect, world)
    }

    private static func instead(
        _ kind: Fault.Kind, _ settings: String, _ effect: Effect, _ world: World = .patient
    ) -> FaultCase {
        FaultCase(
            kind: kind, settings: settings, effect: effect, world: world,
            places: [.beforeFirstEvent])
    }

    /// Every fault needs its expectations: this does not compile without them.
    static func cases(of kind: Fault.Kind) -> [FaultCase] {
        let http = "upstream_http_status"
        return switch kind {
        case .status:
            [
                status("status=500", .again), status("status=502 shape=html", .again),
                status("status=500 shape=empty", .again), status("status=529", .again),
                status("status=503 retry_after_ms=20", .again, .alone),
                status("status=429 retry_after_ms=20", .again, .alone),
                status("status=408", .again), status("status=409", .again),
                status("status=400 should_retry=true", .again),
                status("status=500 should_retry=false", .final),
                status("status=400", .final), status("status=404", .final),
                status("status=400 shape=detail", .final), status("status=422", .final),
                status("status=401", .elsewhere(http)), status("status=402", .elsewhere(http)),
                status("status=403", .elsewhere(http)),
                status("status=429 code=insufficient_quota", .elsewhere(http)),
            ]
        case .silent: [instead(kind, "", .again, .silence)]
        case .refuse, .close, .httpGarbage: [instead(kind, "", .again)]
        case .slowHeaders: [instead(kind, "ms=1", .harmless)]
        case .delay: [instead(kind, "ms=50", .harmless)]
        case .redirect: [instead(kind, "", .final)]
        case .refuseStream: [instead(kind, "", .harmless, .alone)]
        case .contentType: [instead(kind, "", .elsewhere("upstream_wrong_content_type"))]
        case .stall:
            [
                FaultCase(
                    kind: kind, effect: .breaks("upstream_silence_timeout"), world: .silence),
                FaultCase(kind: kind, settings: "ms=50", effect: .harmless),
            ]
        case .reset: [FaultCase(kind: kind, effect: .breaks("upstream_reset"))]
        case .cut, .drop, .cutCharacter:
            [FaultCase(kind: kind, effect: .breaks("upstream_truncated"))]
        case .noTerminal:
            [FaultCase(kind: kind, effect: .breaks("upstream_truncated"), places: [.atTheEnd])]
        // Inside a 200 they count like the answers that they could have been.
        case .error, .errorFlat, .errorOnly:
            [
                FaultCase(kind: kind, effect: .tells),
                FaultCase(kind: kind, settings: "code=rate_limit_exceeded", effect: .tells),
                FaultCase(
                    kind: kind, settings: "code=insufficient_quota", effect: .tellsElsewhere),
                FaultCase(kind: kind, settings: "code=invalid_prompt", effect: .tellsFinal),
            ]
        case .truncatedJSON, .invalidUTF8:
            [FaultCase(kind: kind, effect: .breaks("upstream_protocol_error"))]
        // Lines that are no fields are passed over, as the format has it.
        case .garbage: [FaultCase(kind: kind, effect: .harmless)]
        case .comments:
            [
                FaultCase(
                    kind: kind, settings: "ms=20", effect: .breaks("upstream_keepalive_timeout"),
                    world: .keepalive),
                FaultCase(kind: kind, settings: "ms=20 count=3", effect: .harmless),
            ]
        case .keepalive: [FaultCase(kind: kind, settings: "ms=20", effect: .harmless)]
        case .huge:
            [
                FaultCase(kind: kind, settings: "size=100000", effect: .harmless),
                FaultCase(
                    kind: kind, settings: "size=300000", effect: .breaks("upstream_protocol_error")),
            ]
        case .duplicateTerminal, .afterTerminal, .doneMarker:
            [FaultCase(kind: kind, effect: .harmless, places: [.atTheEnd])]
        case .byteOrderMark, .carriageReturns: [instead(kind, "", .harmless)]
        }
    }
}
