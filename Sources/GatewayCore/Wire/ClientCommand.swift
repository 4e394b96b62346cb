/// One frame of a client, understood: docs/protocol.md, section 3.
package enum ClientCommand: Equatable, Sendable {
    case hello(Hello)
    case message(Message)
    case cancel(CancelTarget)
    case ping(id: String?)
    case toolOutput

    /// The id of a message; nil for every other command.
    package var messageID: String? {
        if case .message(let message) = self { message.id } else { nil }
    }

    /// The first frame.
    package struct Hello: Equatable, Sendable {
        package var auth: String?
        package var resume: Resume?

        /// States a greeting.
        package init(auth: String? = nil, resume: Resume? = nil) {
            self.auth = auth
            self.resume = resume
        }
    }

    /// Where a client wants to go on.
    package struct Resume: Equatable, Sendable {
        package var token: String
        /// The highest sequence number the client has processed.
        package var after: Int

        /// States a position.
        package init(token: String, after: Int) {
            self.token = token
            self.after = after
        }
    }

    /// A user's message.
    package struct Message: Equatable, Sendable {
        package var id: String
        /// The input as the client wrote it: a JSON string or array.
        package var input: [UInt8]
        /// Request parameters as the client wrote them, in order.
        package var options: [RequestOption]

        /// States a message.
        package init(id: String, input: [UInt8], options: [RequestOption] = []) {
            self.id = id
            self.input = input
            self.options = options
        }
    }

    /// What a cancel is for.
    package enum CancelTarget: Equatable, Sendable {
        case response(String)
        case message(String)
        /// Every running response that the connection started.
        case own
    }
}

/// One parameter of an upstream request: a name and its value as raw JSON.
package struct RequestOption: Equatable, Sendable {
    package var name: String
    package var value: [UInt8]

    /// States a parameter.
    package init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// Why a client's frame cannot be taken.
package struct ClientFrameError: Error, Equatable, Sendable {
    package var code: GatewayErrorCode
    /// What was wrong, the limit and the way out; for people.
    package var message: String
    /// The message it concerns, where one was named.
    package var messageID: String?

    /// States a refusal.
    package init(_ code: GatewayErrorCode, _ message: String, messageID: String? = nil) {
        self.code = code
        self.message = message
        self.messageID = messageID
    }
}
