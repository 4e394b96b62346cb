/// Renders the gateway's unnumbered frames: docs/protocol.md, section 4.
package enum ServerFrames {
    /// What `ready` says.
    package struct Ready: Sendable {
        package var session: String
        package var epoch: String
        /// The end of the log.
        package var sequence: Int
        package var resumeToken: String
        package var expiresInSeconds: Int
        package var recovered: Bool
        /// Why a resume was not honoured.
        package var reason: GatewayErrorCode?
        package var limits: [(name: String, value: Int)]
        package var heartbeatSeconds: Int
        /// Names that a message's `options` may have.
        package var allowedOptions: [String]
        /// The model of messages that name none.
        package var defaultModel: String?
        /// The models that a message may name; none: any.
        package var models: OfferedModels

        /// States a greeting.
        package init(
            session: String, epoch: String, sequence: Int, resumeToken: String,
            expiresInSeconds: Int, recovered: Bool, reason: GatewayErrorCode?,
            limits: [(name: String, value: Int)], heartbeatSeconds: Int,
            allowedOptions: [String] = [], defaultModel: String? = nil,
            models: OfferedModels = OfferedModels()
        ) {
            self.session = session
            self.epoch = epoch
            self.sequence = sequence
            self.resumeToken = resumeToken
            self.expiresInSeconds = expiresInSeconds
            self.recovered = recovered
            self.reason = reason
            self.limits = limits
            self.heartbeatSeconds = heartbeatSeconds
            self.allowedOptions = allowedOptions
            self.defaultModel = defaultModel
            self.models = models
        }
    }

    /// The first frame of a connection.
    package static func ready(_ ready: Ready) -> [UInt8] {
        frame("ready") { frame in
            frame.field("session", ready.session)
            frame.field("epoch", ready.epoch)
            frame.field("seq", ready.sequence)
            frame.field("resume_token", ready.resumeToken)
            frame.field("expires_in_s", ready.expiresInSeconds)
            frame.field("recovered", ready.recovered)
            if let reason = ready.reason { frame.field("reason", reason.rawValue) }
            frame.field("heartbeat_s", ready.heartbeatSeconds)
            frame.append(literal: ",\"limits\":{")
            for (position, limit) in ready.limits.enumerated() {
                if position > 0 { frame.append(UInt8(ascii: ",")) }
                frame.append(jsonString: limit.name)
                frame.append(UInt8(ascii: ":"))
                frame.append(decimal: limit.value)
            }
            frame.append(literal: "},\"options\":{\"allow\":")
            frame.append(jsonStrings: ready.allowedOptions)
            if !ready.models.isEmpty {
                frame.append(literal: ",\"models\":")
                frame.append(jsonStrings: ready.models.names)
            }
            if let model = ready.defaultModel { frame.field("model", model) }
            frame.append(UInt8(ascii: "}"))
        }
    }

    /// A refusal of one command, or the reason for a close that follows.
    package static func error(
        _ code: GatewayErrorCode, _ message: String, retryAfter: Duration? = nil,
        messageID: String? = nil
    ) -> [UInt8] {
        frame("error") { frame in
            frame.field("code", code.rawValue)
            frame.field("message", message)
            frame.field("retryable", code.isRetryable)
            // Rounded up: who comes a fraction of a millisecond too early is refused again.
            if let retryAfter {
                frame.field(
                    "retry_after_ms", Int((retryAfter + .nanoseconds(999_999)).milliseconds))
            }
            if let messageID { frame.field("message_id", messageID) }
        }
    }

    /// A fresh resume token.
    package static func token(_ token: String, expiresInSeconds: Int) -> [UInt8] {
        frame("token") { frame in
            frame.field("resume_token", token)
            frame.field("expires_in_s", expiresInSeconds)
        }
    }

    /// The gateway drains.
    package static func goingAway(reconnectAfter: Duration) -> [UInt8] {
        frame("going_away") { frame in
            frame.field("reconnect_after_ms", Int(reconnectAfter.milliseconds))
        }
    }

    /// The answer to a ping.
    package static func pong(id: String?) -> [UInt8] {
        frame("pong") { frame in
            if let id { frame.field("id", id) }
        }
    }

    package static func frame(_ type: String, _ body: (inout [UInt8]) -> Void) -> [UInt8] {
        var frame: [UInt8] = []
        frame.reserveCapacity(160)
        frame.append(literal: "{\"type\":\"")
        frame.append(literal: type)
        frame.append(UInt8(ascii: "\""))
        body(&frame)
        frame.append(UInt8(ascii: "}"))
        return frame
    }
}

extension [UInt8] {
    /// Appends `,"name":` in pieces: an interpolated string would be built for every event.
    private mutating func append(fieldName name: String) {
        append(literal: ",\"")
        append(literal: name)
        append(literal: "\":")
    }

    /// Appends an array of strings.
    fileprivate mutating func append(jsonStrings texts: [String]) {
        append(UInt8(ascii: "["))
        for (position, text) in texts.enumerated() {
            if position > 0 { append(UInt8(ascii: ",")) }
            append(jsonString: text)
        }
        append(UInt8(ascii: "]"))
    }

    /// Appends `,"name":"value"`.
    package mutating func field(_ name: String, _ value: String) {
        append(fieldName: name)
        append(jsonString: value)
    }

    /// Appends `,"name":value`.
    package mutating func field(_ name: String, _ value: Int) {
        append(fieldName: name)
        append(decimal: value)
    }

    /// Appends `,"name":true` or `false`.
    package mutating func field(_ name: String, _ value: Bool) {
        append(fieldName: name)
        append(literal: value ? "true" : "false")
    }

    /// Appends `,"name":` and a value that is JSON already.
    package mutating func field(_ name: String, raw value: [UInt8]) {
        append(fieldName: name)
        append(contentsOf: value)
    }

    /// Appends `,"name":` and an array of values that are JSON already.
    mutating func field(_ name: String, items: [[UInt8]]) {
        append(fieldName: name)
        append(UInt8(ascii: "["))
        for (position, item) in items.enumerated() {
            if position > 0 { append(UInt8(ascii: ",")) }
            append(contentsOf: item)
        }
        append(UInt8(ascii: "]"))
    }

    /// Appends `,"name":` and the JSON at `range` of `bytes`.
    package mutating func field(_ name: String, raw bytes: Span<UInt8>, _ range: Range<Int>) {
        append(fieldName: name)
        append(bytes, range)
    }
}
