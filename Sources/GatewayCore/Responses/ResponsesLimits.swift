/// The bounds of what one response may make us keep or handle.
package struct ResponsesLimits: Equatable, Sendable {
    /// The most output items of one response, finished ones included.
    package var maximumItems = 1024
    /// The highest `output_index`.
    package var maximumOutputIndex = 4095
    /// The highest `content_index`, `summary_index` or `command_index`.
    package var maximumPartIndex = 4095
    /// The most texts (content parts, summaries, argument streams) of one response.
    package var maximumParts = 4096
    /// The longest item type, `call_id` or function name, in bytes of raw JSON.
    package var maximumIdentifierBytes = 1024
    /// The longest error code or message that is kept, in bytes; the rest is cut off.
    package var maximumErrorBytes = 4096
    /// The deepest nesting of one event.
    package var maximumDepth = JSONReader.upstreamMaximumDepth

    /// Limits that fit every recorded stream with a wide margin.
    package init() {}
}

/// Why an upstream event cannot be taken: the transfer is broken and must end as a failure.
package enum ResponsesFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// A limit that was exceeded.
    package enum Limit: String, Equatable, Sendable {
        case items = "maximumItems"
        case outputIndex = "maximumOutputIndex"
        case partIndex = "maximumPartIndex"
        case parts = "maximumParts"
        case identifierBytes = "maximumIdentifierBytes"
    }

    case invalidJSON(JSONSyntaxError)
    case notAnObject
    case missingType
    case limitExceeded(Limit, limit: Int)

    /// A sentence for a log; never holds content.
    package var description: String {
        switch self {
        case .invalidJSON(let error): "the data of an upstream event is broken: \(error)"
        case .notAnObject: "the data of an upstream event is no JSON object"
        case .missingType: "an upstream event has no `type` string"
        case .limitExceeded(let name, let limit):
            "an upstream event exceeds \(limit) (\(name.rawValue))"
        }
    }
}
