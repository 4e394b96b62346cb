/// Reads the JSON objects of a client's frames into commands; refuses what it cannot read in full.
package struct ClientFrameParser: Sendable {
    /// What a frame may hold.
    package struct Limits: Equatable, Sendable {
        /// Nesting of the frame's JSON.
        package var depth = 64
        /// Bytes of a message's `input`, as written.
        package var inputBytes = 8 << 20
        /// Bytes of a message's `options`, as written.
        package var optionsBytes = 256 << 10
        /// Characters of an `auth` or `token`.
        package var credentialBytes = 4096

        /// The defaults.
        package init() {}
    }

    private let limits: Limits
    private let reader: JSONReader
    /// Names that `options` may have; nil allows all.
    private let allowedOptions: Set<String>?

    /// Makes a parser; `allowedOptions` of nil lets every option through.
    package init(limits: Limits, allowedOptions: Set<String>?) {
        self.limits = limits
        self.allowedOptions = allowedOptions
        reader = JSONReader(maximumDepth: limits.depth)
    }

    /// Splits a frame at its newlines: one JSON object a line, empty lines ignored.
    ///
    /// A newline inside a JSON string is written as an escape, so every raw one is a separator. A frame
    /// that is one object written over several lines is taken whole, and so is one without any object.
    package func forEachLine(
        of frame: Span<UInt8>, _ body: (Span<UInt8>) -> Void
    ) {
        if Self.isOneValue(frame) { return body(frame) }
        var start = 0
        for index in 0...frame.count
        where index == frame.count || frame[index] == UInt8(ascii: "\n") {
            let line = frame.extracting(start..<index)
            start = index + 1
            if !Self.isBlank(line) { body(line) }
        }
    }

    /// True when no bracket is opened outside of the first, and all are closed at the end.
    ///
    /// A frame in which a line is broken does not balance, and is judged line by line.
    private static func isOneValue(_ frame: Span<UInt8>) -> Bool {
        guard ByteScan.lineEnd(frame, from: 0) != nil else { return true }
        var depth = 0
        var isOver = false
        var index = 0
        while index < frame.count {
            switch frame[index] {
            case UInt8(ascii: "\""):
                if isOver { return false }
                let start = index
                _ = JSONSkip.string(frame, &index)
                // Inside a string no line can end: it is broken.
                let string = frame.extracting(start..<index)
                if ByteScan.lineEnd(string, from: 0) != nil { return false }
                if depth == 0 { isOver = true }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if isOver { return false }
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth < 0 { return false }
                if depth == 0 { isOver = true }
            case 0...0x20: break
            default: if depth == 0 { return false }
            }
            index += 1
        }
        return depth == 0
    }

    private static func isBlank(_ line: Span<UInt8>) -> Bool {
        for index in line.indices where line[index] > 32 { return false }
        return true
    }

    /// Reads one JSON object.
    package func parse(_ bytes: Span<UInt8>) throws(ClientFrameError) -> ClientCommand {
        let frame: JSONValue
        do {
            frame = try reader.read(bytes)
        } catch {
            throw ClientFrameError(.invalidJSON, "\(error)")
        }
        guard frame.kind == .object else {
            throw ClientFrameError(.invalidFrame, "a frame is a JSON object")
        }
        guard let type = frame.member("type", in: bytes), type.kind == .string else {
            throw ClientFrameError(.invalidFrame, "`type` is missing, or no string")
        }
        if type.equals("message", in: bytes) { return .message(try message(frame, bytes)) }
        if type.equals("hello", in: bytes) { return .hello(try hello(frame, bytes)) }
        if type.equals("cancel", in: bytes) { return .cancel(try cancel(frame, bytes)) }
        if type.equals("ping", in: bytes) {
            return .ping(id: try string("id", of: frame, bytes, maximumBytes: 64))
        }
        if type.equals("tool_output", in: bytes) { return .toolOutput }
        throw ClientFrameError(
            .unknownType, "`type` must be one of hello, message, cancel, tool_output, ping")
    }

    private func hello(
        _ frame: JSONValue, _ bytes: Span<UInt8>
    ) throws(ClientFrameError) -> ClientCommand.Hello {
        let maximum = limits.credentialBytes
        var hello = ClientCommand.Hello(
            auth: try string("auth", of: frame, bytes, maximumBytes: maximum))
        guard let resume = frame.member("resume", in: bytes), resume.kind != .null else {
            return hello
        }
        guard resume.kind == .object else {
            throw ClientFrameError(.invalidFrame, "`resume` must be an object")
        }
        guard let token = try string("token", of: resume, bytes, maximumBytes: maximum) else {
            throw ClientFrameError(.invalidFrame, "`resume.token` is missing")
        }
        var after = 0
        if let position = resume.member("after", in: bytes), position.kind != .null {
            guard let number = position.integer(in: bytes), number >= 0,
                let exact = Int(exactly: number)
            else {
                throw ClientFrameError(
                    .invalidFrame, "`resume.after` must be a whole number from 0")
            }
            after = exact
        }
        hello.resume = ClientCommand.Resume(token: token, after: after)
        return hello
    }

    private func message(
        _ frame: JSONValue, _ bytes: Span<UInt8>
    ) throws(ClientFrameError) -> ClientCommand.Message {
        guard let id = try string("id", of: frame, bytes, maximumBytes: .max) else {
            throw ClientFrameError(.invalidMessageID, "`id` is missing")
        }
        guard Self.isIdentifier(id) else {
            throw ClientFrameError(
                .invalidMessageID, "`id` must match [A-Za-z0-9_.:-]{1,64}")
        }
        guard let input = frame.member("input", in: bytes),
            input.kind == .string || input.kind == .array
        else {
            throw ClientFrameError(
                .invalidFrame, "`input` must be a string or an array of input items", messageID: id)
        }
        guard input.range.count <= limits.inputBytes else {
            throw ClientFrameError(
                .inputTooLarge,
                "`input` of \(input.range.count) bytes exceeds \(limits.inputBytes) (limits.input_bytes)",
                messageID: id)
        }
        var message = ClientCommand.Message(id: id, input: Self.copy(input.range, of: bytes))
        if let options = frame.member("options", in: bytes), options.kind != .null {
            message.options = try self.options(options, bytes, messageID: id)
        }
        return message
    }

    private func options(
        _ value: JSONValue, _ bytes: Span<UInt8>, messageID: String
    ) throws(ClientFrameError) -> [RequestOption] {
        guard value.kind == .object else {
            throw ClientFrameError(
                .invalidFrame, "`options` must be an object", messageID: messageID)
        }
        guard value.range.count <= limits.optionsBytes else {
            throw ClientFrameError(
                .inputTooLarge,
                "`options` of \(value.range.count) bytes exceed \(limits.optionsBytes) (limits.options_bytes)",
                messageID: messageID)
        }
        var options: [RequestOption] = []
        var places: [String: Int] = [:]
        var refused: String?
        value.forEachMember(in: bytes) { member in
            let name = String(decoding: JSONText.decode(bytes, member.key), as: UTF8.self)
            if let allowedOptions, !allowedOptions.contains(name) {
                refused = refused ?? name
                return
            }
            let raw = Self.copy(member.value.range, of: bytes)
            if let known = places[name] {
                options[known].value = raw  // The last of equal keys counts, as in JSON.parse.
            } else {
                places[name] = options.count
                options.append(RequestOption(name: name, value: raw))
            }
        }
        if let refused {
            throw ClientFrameError(
                .optionNotAllowed,
                "`options.\(refused.prefix(64))` is not allowed here (options.allow)",
                messageID: messageID)
        }
        return options
    }

    private func cancel(
        _ frame: JSONValue, _ bytes: Span<UInt8>
    ) throws(ClientFrameError) -> ClientCommand.CancelTarget {
        if let response = try string("response", of: frame, bytes, maximumBytes: 256) {
            return .response(response)
        }
        guard let message = try string("message", of: frame, bytes, maximumBytes: 256) else {
            return .own
        }
        guard Self.isIdentifier(message) else {
            throw ClientFrameError(
                .invalidMessageID, "`message` must match [A-Za-z0-9_.:-]{1,64}")
        }
        return .message(message)
    }

    /// The string at `name`, nil when it is not there; anything else is refused.
    private func string(
        _ name: String, of object: JSONValue, _ bytes: Span<UInt8>, maximumBytes: Int
    ) throws(ClientFrameError) -> String? {
        guard let value = object.member(name, in: bytes), value.kind != .null else { return nil }
        guard value.kind == .string else {
            throw ClientFrameError(.invalidFrame, "`\(name)` must be a string")
        }
        guard value.range.count - 2 <= maximumBytes else {
            throw ClientFrameError(
                .invalidFrame, "`\(name)` of \(value.range.count - 2) bytes exceeds \(maximumBytes)"
            )
        }
        return String(decoding: value.decoded(in: bytes) ?? [], as: UTF8.self)
    }

    private static func copy(_ range: Range<Int>, of bytes: Span<UInt8>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.append(bytes, range)
        return copy
    }

    private static func isIdentifier(_ text: String) -> Bool {
        let bytes = text.utf8
        return (1...64).contains(bytes.count)
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
                    UInt8(ascii: ":"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
