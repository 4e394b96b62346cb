/// What a resume token says: its holder may read this session in this epoch, until it expires.
///
/// Claims prove nothing by themselves; `TokenSigner` signs and verifies them. Whether session,
/// epoch and subject are the right ones is for the caller to check, on every resume.
package struct ResumeClaims: Sendable, Equatable {
    /// What the holder may do.
    package struct Rights: OptionSet, Sendable, Hashable {
        package let rawValue: UInt32

        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Read the session's log.
        package static let read = Rights(rawValue: 1)
        /// Send messages into the session.
        package static let send = Rights(rawValue: 2)
        /// Cancel the session's responses.
        package static let cancel = Rights(rawValue: 4)
        /// What `ready` hands out.
        package static let all: Rights = [.read, .send, .cancel]
    }

    /// Claims that cannot be made.
    package enum Failure: Error, Equatable {
        /// A field is empty or above its limit, in bytes of UTF-8.
        case fieldLength(name: String, limitBytes: Int)
        /// The expiry lies before 1970.
        case expiry
    }

    /// Bytes that are no claims of a version that is read.
    package enum DecodingFailure: Error, Equatable {
        case malformed
        case wrongVersion(UInt8)
    }

    /// The versions that are read.
    ///
    /// Claims that the first can state are written in it, so that a gateway from before the second reads them too.
    enum Version {
        static let first: UInt8 = 1
        /// It also says which upstream has the last response, and what calls of it are open.
        static let second: UInt8 = 2
    }

    package static let maximumKeyIDBytes = 64
    static let maximumSessionBytes = 128
    static let maximumEpochBytes = 64
    static let maximumSubjectBytes = 128
    package static let maximumResponseBytes = 512
    package static let maximumMessageBytes = 64
    static let maximumUpstreamBytes = 64

    /// A background response that goes on at upstream, whatever becomes of the gateway.
    package struct Running: Sendable, Hashable {
        /// Its id at upstream.
        package let response: String
        /// The message that it answers.
        package let message: String
        /// Which upstream has it, by its name in the configuration.
        package let upstream: String

        /// Names a response.
        package init(response: String, message: String, upstream: String) {
            self.response = response
            self.message = message
            self.upstream = upstream
        }
    }

    /// Name of the key that signed; set by the signer, empty before.
    package let keyID: String
    /// The session that may be read.
    package let session: String
    /// The life of its log.
    package let epoch: String
    /// Who got the token: the name of an access key, or empty where none is asked for.
    package let subject: String
    /// What the holder may do.
    package let rights: Rights
    /// Where the conversation goes on, if upstream keeps one.
    package let conversation: ConversationPlace?
    /// The background response that was running, for another process to go on with.
    package let running: Running?
    /// Seconds since 1970, UTC; the token is worthless from then on.
    package let expiresAt: Int64

    package init(
        keyID: String = "", session: String, epoch: String, subject: String, rights: Rights,
        conversation: ConversationPlace? = nil, running: Running? = nil, expiresAt: Int64
    ) throws(Failure) {
        func check(
            _ text: String, _ name: String, _ range: ClosedRange<Int>
        ) throws(Failure) {
            guard range.contains(text.utf8.count) else {
                throw .fieldLength(name: name, limitBytes: range.upperBound)
            }
        }
        try check(keyID, "keyID", 0...Self.maximumKeyIDBytes)
        try check(session, "session", 1...Self.maximumSessionBytes)
        try check(epoch, "epoch", 1...Self.maximumEpochBytes)
        try check(subject, "subject", 0...Self.maximumSubjectBytes)
        if let conversation {
            try check(
                conversation.response, "conversation.response", 1...Self.maximumResponseBytes)
            if let upstream = conversation.upstream {
                try check(upstream, "conversation.upstream", 1...Self.maximumUpstreamBytes)
            }
        }
        if let running {
            try check(running.response, "running.response", 1...Self.maximumResponseBytes)
            try check(running.message, "running.message", 1...Self.maximumMessageBytes)
            try check(running.upstream, "running.upstream", 1...Self.maximumUpstreamBytes)
        }
        guard expiresAt >= 0 else { throw .expiry }
        self.keyID = keyID
        self.session = session
        self.epoch = epoch
        self.subject = subject
        self.rights = rights
        self.conversation = conversation
        self.running = running
        self.expiresAt = expiresAt
    }

    /// The bytes that are signed, with `keyID` in place of the claims' own.
    ///
    /// Version (1 byte), then key id, session, epoch, subject, last response (0 bytes: none), and
    /// response, message and upstream of what is running (0 bytes each: nothing), each after its
    /// length in 2 bytes, then rights (4) and expiry (8); numbers are big-endian. The second version goes on
    /// with the upstream that has the last response (0 bytes: not said), after its length in 2 bytes, and the number
    /// of open calls (1), each with its kind (1) and its id after its length (1).
    /// One sequence of bytes for one value, so equal claims have equal signatures.
    package func encoded(keyID: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(192)
        bytes.append(needsSecondVersion ? Version.second : Version.first)
        let texts = [
            keyID, session, epoch, subject, conversation?.response ?? "", running?.response ?? "",
            running?.message ?? "", running?.upstream ?? "",
        ]
        for text in texts { append(text, to: &bytes) }
        append(rights.rawValue, to: &bytes)
        append(UInt64(expiresAt), to: &bytes)
        guard needsSecondVersion, let conversation else { return bytes }
        append(conversation.upstream ?? "", to: &bytes)
        bytes.append(UInt8(truncatingIfNeeded: conversation.openCalls.count))
        for call in conversation.openCalls {
            bytes.append(call.kind.rawValue)
            bytes.append(UInt8(truncatingIfNeeded: call.id.utf8.count))
            bytes.append(literal: call.id)
        }
        return bytes
    }

    private var needsSecondVersion: Bool {
        conversation.map { $0.upstream != nil || !$0.openCalls.isEmpty } ?? false
    }

    /// Reads what `encoded(keyID:)` wrote; every other sequence of bytes is refused.
    package static func decode(_ bytes: [UInt8]) throws(DecodingFailure) -> ResumeClaims {
        var reader = ByteReader(rest: bytes[...])
        guard let version = reader.byte() else { throw .malformed }
        guard version == Version.first || version == Version.second else {
            throw .wrongVersion(version)
        }
        guard let keyID = reader.text(), let session = reader.text(), let epoch = reader.text(),
            let subject = reader.text(), let response = reader.text(),
            let runningResponse = reader.text(), let runningMessage = reader.text(),
            let runningUpstream = reader.text(),
            runningResponse.isEmpty == runningMessage.isEmpty,
            runningResponse.isEmpty == runningUpstream.isEmpty,
            let rights = reader.integer(bytes: 4), let expiry = reader.integer(bytes: 8),
            let expiresAt = Int64(exactly: expiry)
        else { throw .malformed }
        var conversation = response.isEmpty ? nil : ConversationPlace(response: response)
        if version == Version.second {
            guard let place = reader.conversation(from: response) else { throw .malformed }
            conversation = place
        }
        guard reader.rest.isEmpty else { throw .malformed }
        do {
            return try ResumeClaims(
                keyID: keyID, session: session, epoch: epoch, subject: subject,
                rights: Rights(rawValue: UInt32(truncatingIfNeeded: rights)),
                conversation: conversation,
                running: runningResponse.isEmpty
                    ? nil
                    : Running(
                        response: runningResponse, message: runningMessage,
                        upstream: runningUpstream), expiresAt: expiresAt)
        } catch {
            throw .malformed
        }
    }

    private func append(_ text: String, to bytes: inout [UInt8]) {
        // `init` has bounded all of them but the key's name, which the signer has.
        append(UInt16(truncatingIfNeeded: text.utf8.count), to: &bytes)
        bytes.append(literal: text)
    }

    private func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}

/// Takes fields off the front of a sequence of bytes.
private struct ByteReader {
    var rest: ArraySlice<UInt8>

    /// An unsigned number of 1…8 bytes, big-endian.
    mutating func integer(bytes count: Int) -> UInt64? {
        guard rest.count >= count else { return nil }
        let value = rest.prefix(count).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        rest = rest.dropFirst(count)
        return value
    }

    mutating func byte() -> UInt8? { rest.popFirst() }

    /// UTF-8 after its length, which takes 1 or 2 bytes.
    mutating func text(lengthBytes: Int = 2) -> String? {
        guard let count = integer(bytes: lengthBytes).map({ Int($0) }), rest.count >= count else {
            return nil
        }
        let text = String(validating: rest.prefix(count), as: UTF8.self)
        rest = rest.dropFirst(count)
        return text
    }

    /// What the second version says of the conversation, which the first could not: something at least.
    mutating func conversation(from response: String) -> ConversationPlace? {
        guard !response.isEmpty, let upstream = text(), let count = byte() else { return nil }
        var calls: [OpenCall] = []
        for _ in 0..<count {
            guard let kind = byte().flatMap(OpenCall.Kind.init), let id = text(lengthBytes: 1)
            else { return nil }
            calls.append(OpenCall(kind, id))
        }
        let place = ConversationPlace(
            response: response, upstream: upstream.isEmpty ? nil : upstream, openCalls: calls)
        // Beyond a limit it would have left them out.
        guard place.openCalls == calls, place.upstream != nil || !calls.isEmpty else { return nil }
        return place
    }
}
